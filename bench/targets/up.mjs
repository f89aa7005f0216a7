/**
 * `box up` as it is, its API, its page, its own engine, with a fleet whose status is made up (lib/crowd.mjs).
 * `up.mjs FOLDER COUNT CHANGES`: so many devices, so many changes a second.
 */

import { join } from 'node:path'
import { openContext } from '../../dist/controller/context.js'
import { makeEgo } from '../../dist/controller/ego.js'
import { Output } from '../../dist/controller/output.js'
import { stayUp } from '../../dist/controller/up/service.js'
import { systemClock as clock } from '../../dist/src/sys/clock.js'
import { systemRandom as random } from '../../dist/src/sys/random.js'
import { Crowd, listed } from '../lib/crowd.mjs'

const [, , folder, count, changes] = process.argv
const crowd = new Crowd()
const out = {
  isTerminal: false,
  write: text => {
    crowd.begin(Number(changes))
    console.log(`READY ${String(text).trim()}`)
  },
}
const output = new Output({ json: true, out, err: { ...out, write: text => console.error(String(text)) }, clock })
const context = await openContext({ state: join(folder, 'state') }, output, [])
await makeEgo(context.state, 'home', random)
const devices = listed(Number(count), random, clock.now())
for (const device of devices) await context.fleet.add(device)
await stayUp(context, 0, crowd.follow)
await context.close()
process.exit(0)
