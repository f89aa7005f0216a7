/** box push: brings a bundle to devices, one first, then some at a time; what cuts a device off it takes back itself. */

import { BoxError } from '../../src/base/errors.ts'
import type { Bundle } from '../../src/box/bundle/bundle.ts'
import { goodBundle } from '../bundle-directory.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { bringTo, made } from '../push/bring.ts'
import type { Delivered } from '../push/delivery.ts'
import { showChanges } from '../push/preview.ts'
import { exitCode, tell, verdictOf, widest } from '../push/report.ts'
import { rollOut } from '../push/rollout.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'
import { timeoutMs } from '../timeout.ts'

const BATCH = 10

interface Arguments extends Selection {
  readonly bundle: string
  readonly 'dry-run': boolean
  readonly canary: number
  readonly batch: number
  readonly 'max-failures': number
}

export const push = command<Arguments>({
  usage: 'push <selector> <bundle>',
  examples: [
    ['box push @routers ./firewall', 'one router first, then ten at a time'],
    ['box push kitchen ./firewall --dry-run', 'what would change, and nothing else'],
  ],
  options: yargs =>
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
      })
      .option('canary', { type: 'number', default: 1, describe: 'so many must succeed first' })
      .option('batch', { type: 'number', default: BATCH, describe: 'so many at a time then' })
      .option('max-failures', {
        type: 'number',
        default: 0,
        describe: 'stop when more devices than this have failed',
      })
      .epilogue(
        'A device that is off gets it from box sync when it is back, or from a relay: a device that keeps parcels for\n' +
          'others ("relay": true in its agent.json) and has the tag relay here. Exit code: 0 where every device has it,\n' +
          '75 where some are off, 77 where one refused it or put it back.',
      ),
  run: async (context, args) => {
    const bundle = goodBundle(args.bundle)
    const devices = selected(context, args.selector)
    checkNumbers(args)
    // Whoever lacks a value stops it before anybody is touched.
    for (const device of devices) made(context, bundle, device, 1)
    if (args['dry-run'])
      return await showChanges(context, devices, args, (device, sequence) =>
        made(context, bundle, device, sequence),
      )
    return await bring(context, bundle, devices, args)
  },
})

async function bring(
  context: Context,
  bundle: Bundle,
  devices: readonly Device[],
  args: Arguments,
): Promise<number> {
  const { output } = context
  const width = widest(devices)
  const progress = output.progress(`${bundle.manifest.name}: beginning`)
  const work = async (device: Device): Promise<Delivered> => {
    const note = (doing: string) => progress.now(`${device.name}: ${doing}`)
    const following = { timeoutMs: timeoutMs(args.timeout), note }
    const delivered = await bringTo(context, bundle, device, following)
    tell(output, device.name, width, delivered)
    return delivered
  }
  const options = {
    ...{ canary: args.canary, batch: args.batch, failuresMax: args['max-failures'] },
  }
  const { results, untried } = await rollOut(devices, options, work, verdictOf).finally(
    progress.end,
  )
  const all = results.map(({ result }) => result)
  const count = (verdict: string) => all.filter(one => verdictOf(one) === verdict).length
  for (const { name } of untried)
    output.result(`${name.padEnd(width)}  not tried`, { name, result: 'not_tried' })
  if (untried.length > 0)
    output.remark(`Stopped: ${count('failure')} failed, ${untried.length} were not tried.`)
  if (devices.length > 1)
    output.remark(
      `${count('success')} of ${devices.length} devices have it, ${count('failure')} failed, ${count('skipped')} are off.`,
    )
  return exitCode(all, untried.length)
}

function checkNumbers({ canary, batch, 'max-failures': failures }: Arguments): void {
  for (const [name, value, least] of [
    ['canary', canary, 0],
    ['batch', batch, 1],
    ['max-failures', failures, 0],
  ] as const)
    if (!Number.isInteger(value) || value < least)
      throw new BoxError('INPUT_INVALID', `--${name} takes a whole number from ${least}.`)
}
