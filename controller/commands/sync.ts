/** box sync: brings devices that were off what they should have got meanwhile. */

import { pause } from '../../src/base/clock.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { inParallel } from '../parallel.ts'
import { type Delivered, deliver, handOver } from '../push/delivery.ts'
import { desiredZones, dropDesired, signedDesired } from '../push/desired.ts'
import { exitCode, tell, widest } from '../push/report.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const PARALLEL = 16
const LOOK_EVERY_MS = 60_000

export const sync = command<{ watch: boolean; timeout: number }>({
  usage: 'sync',
  examples: [
    ['box sync', 'tries each device that was off when something was pushed to it'],
    ['box sync --watch', 'goes on until each of them has it'],
  ],
  options: yargs =>
    yargs
      .option('watch', {
        type: 'boolean',
        default: false,
        describe: 'try again every minute until all have it',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { watch, timeout }) => {
    const { clock, output, signal } = context
    for (let first = true; ; first = false) {
      const waiting = waitingDevices(context)
      if (waiting.length === 0) {
        if (first) output.remark('Nothing waits for any device.')
        return 0
      }
      const width = widest(waiting)
      const all = await inParallel(waiting, PARALLEL, async device => {
        const delivered = await catchUp(context, device, timeoutMs(timeout))
        if (first || delivered.is !== 'offline') tell(output, device.name, width, delivered)
        return delivered
      })
      if (!watch) return exitCode(all, 0)
      await pause(clock, LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
    }
  },
})

const waitingDevices = ({ state, fleet }: Context): readonly Device[] => {
  const zones = desiredZones(state)
  return fleet.devices().filter(({ zone }) => zones.has(zoneToText(zone)))
}

/** What was decided one way or the other waits no longer. */
async function catchUp(context: Context, device: Device, timeoutMs: number): Promise<Delivered> {
  const { state } = context
  const desired = signedDesired(state, device.zone, context.ego().secret)!
  const following = { timeoutMs, note: () => {} }
  const delivered = await deliver(context, device, following, async (talk, status, progress) => {
    // A relay, or another owner, was there before us.
    const had = status.generations.find(({ sequence }) => sequence === desired.sequence)
    if (had) {
      const generation = had.number
      return { answer: Promise.resolve({ is: 'unchanged', generation }), lastsMs: 0 }
    }
    await handOver(talk, desired)
    return { answer: talk.ask('apply', {}, progress), lastsMs: desired.lastsSeconds * 1_000 }
  })
  if (delivered.is !== 'offline' && delivered.is !== 'lost') await dropDesired(state, device.zone)
  return delivered
}
