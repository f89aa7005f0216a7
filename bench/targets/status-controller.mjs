/** What `box up` follows devices with, and nothing else of it: `status-controller.mjs STATE FILE`. Ready when all are there. */

import { openContext } from '../../dist/controller/context.js'
import { Output } from '../../dist/controller/output.js'
import { FleetWatch } from '../../dist/controller/up/fleet-watch.js'
import { systemClock as clock } from '../../dist/src/sys/clock.js'
import { Heard } from '../lib/updates.mjs'

const [, , state, file] = process.argv
const nowhere = { isTerminal: false, write: () => {} }
const output = new Output({ json: true, out: nowhere, err: nowhere, clock })
const context = await openContext({ state }, output, [])
const watch = new FleetWatch(context)
const heard = new Heard()
heard.reportOnSignal(file)
const there = new Set()
watch.listen({
  changed: ({ name, stale, status }) => {
    if (stale) return
    heard.hear(name, status?.probes.bench?.at?.toString())
    if (there.has(name)) return
    there.add(name)
    if (there.size === context.fleet.devices().length) console.log('READY {}')
  },
  removed: () => {},
})
