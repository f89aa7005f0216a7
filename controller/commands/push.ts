/** box push: brings a bundle to devices, one first, then some at a time; what cuts a device off it takes back itself. */

import type { Bundle } from '../../src/box/bundle/bundle.ts'
import { goodBundle } from '../bundle-directory.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { bringTo, made } from '../push/bring.ts'
import type { Delivered } from '../push/delivery.ts'
import { type Pace, paceOf, pacing, tellRest } from '../push/pace.ts'
import { showChanges } from '../push/preview.ts'
import { exitCode, tell, verdictOf, widest } from '../push/report.ts'
import { type RolloutOptions, rollOut } from '../push/rollout.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'
import { timeoutMs } from '../timeout.ts'

const BATCH = 10

interface Arguments extends Selection, Pace {
  readonly bundle: string
  readonly 'dry-run': boolean
}

export const push = command<Arguments>({
  usage: 'push <selector> <bundle>',
  examples: [
    ['box push @routers ./firewall', 'one router first, then ten at a time'],
    ['box push kitchen ./firewall --dry-run', 'what would change, and nothing else'],
  ],
  options: yargs =>
    pacing(
      selecting(yargs)
        .positional('bundle', {
          type: 'string',
          demandOption: true,
          describe: 'a directory with bundle.yaml',
        })
        .option('dry-run', {
          type: 'boolean',
          default: false,
          describe: 'only say what would change',
        }),
      BATCH,
    ).epilogue(
      'A device that is off gets it from box sync when it is back, or from a relay: a device that keeps parcels for\n' +
        'others ("relay": true in its agent.json) and has the tag relay here. Exit code: 0 where every device has it,\n' +
        '75 where some are off, 77 where one refused it or put it back.',
    ),
  run: async (context, args) => {
    const bundle = goodBundle(args.bundle)
    const devices = selected(context, args.selector)
    const pace = paceOf(args)
    // Whoever lacks a value stops it before anybody is touched.
    for (const device of devices) made(context, bundle, device, 1)
    if (args['dry-run'])
      return await showChanges(context, devices, args, (device, sequence) =>
        made(context, bundle, device, sequence),
      )
    return await bring(context, bundle, devices, { pace, timeout: args.timeout })
  },
})

async function bring(
  context: Context,
  bundle: Bundle,
  devices: readonly Device[],
  { pace, timeout }: { readonly pace: RolloutOptions; readonly timeout: number },
): Promise<number> {
  const { output } = context
  const width = widest(devices)
  const progress = output.progress(`${bundle.manifest.name}: beginning`)
  const work = async (device: Device): Promise<Delivered> => {
    const note = (doing: string) => progress.now(`${device.name}: ${doing}`)
    const following = { timeoutMs: timeoutMs(timeout), note }
    const delivered = await bringTo(context, bundle, device, following)
    tell(output, device.name, width, delivered)
    return delivered
  }
  const done = await rollOut(devices, pace, work, verdictOf).finally(progress.end)
  tellRest(output, width, done, verdictOf)
  const all = done.results.map(({ result }) => result)
  return exitCode(all, done.untried.length)
}
