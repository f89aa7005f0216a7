/** box upgrade: another version of the agent for devices, one first, then some at a time; what does not come up gives way. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import { widest } from '../push/report.ts'
import { rollOut } from '../push/rollout.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'
import { timeoutMs } from '../timeout.ts'
import { type Upgraded, upgradeDevice } from '../upgrade/delivery.ts'
import { releasesAt } from '../upgrade/releases.ts'
import { exitCode, tell, verdictOf } from '../upgrade/report.ts'

/** Of the size of the executable: more at once would only share our line. */
const BATCH = 5

interface Arguments extends Selection {
  readonly release: string
  readonly downgrade: boolean
  readonly canary: number
  readonly batch: number
  readonly 'max-failures': number
}

export const upgrade = command<Arguments>({
  usage: 'upgrade <selector>',
  examples: [
    ['box upgrade @routers --release ./releases', 'one router first, then five at a time'],
    ['box upgrade kitchen --release old.release --downgrade', 'back to an older version'],
  ],
  options: yargs =>
    selecting(yargs)
      .option('release', {
        type: 'string',
        default: '.',
        describe: 'a release file, or a directory of them: the latest for each machine',
      })
      .option('downgrade', {
        type: 'boolean',
        default: false,
        describe: 'also where it is older than what runs there',
      })
      .option('canary', { type: 'number', default: 1, describe: 'so many must succeed first' })
      .option('batch', { type: 'number', default: BATCH, describe: 'so many at a time then' })
      .option('max-failures', {
        type: 'number',
        default: 0,
        describe: 'stop when more devices than this have failed',
      })
      .epilogue(
        'It takes the right admin. A device looks at the signature first, takes what it lacks, starts the new version\n' +
          'and keeps it only if it is reached over a new connection within three minutes. Sessions there end.\n' +
          'Exit code: 0 where every device has it, 75 where some are off, 77 where one refused it or went back.',
      ),
  run: async (context, args) => {
    const { output } = context
    const releases = releasesAt(args.release)
    const devices = selected(context, args.selector)
    checkNumbers(args)
    const width = widest(devices)
    const progress = output.progress('beginning')
    const wish = { releases, downgrade: args.downgrade }
    const rollout = {
      ...{ canary: args.canary, batch: args.batch, failuresMax: args['max-failures'] },
    }
    const work = async (device: (typeof devices)[number]): Promise<Upgraded> => {
      const note = (doing: string) => progress.now(`${device.name}: ${doing}`)
      const following = { timeoutMs: timeoutMs(args.timeout), note }
      const upgraded = await upgradeDevice(context, device, wish, following)
      tell(output, device.name, width, upgraded)
      return upgraded
    }
    const done = await rollOut(devices, rollout, work, verdictOf).finally(progress.end)
    const all = done.results.map(({ result }) => result)
    const count = (verdict: string) => all.filter(one => verdictOf(one) === verdict).length
    for (const { name } of done.untried)
      output.result(`${name.padEnd(width)}  not tried`, { name, result: 'not_tried' })
    if (done.untried.length > 0)
      output.remark(`Stopped: ${count('failure')} failed, ${done.untried.length} were not tried.`)
    if (devices.length > 1)
      output.remark(
        `${count('success')} of ${devices.length} devices have it, ${count('failure')} failed, ${count('skipped')} are off.`,
      )
    return exitCode(all, done.untried.length)
  },
})

function checkNumbers({ canary, batch, 'max-failures': failures }: Arguments): void {
  for (const [name, value, least] of [
    ['canary', canary, 0],
    ['batch', batch, 1],
    ['max-failures', failures, 0],
  ] as const)
    if (!Number.isInteger(value) || value < least)
      throw new BoxError('INPUT_INVALID', `--${name} takes a whole number from ${least}.`)
}
