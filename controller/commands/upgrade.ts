/** box upgrade: another version of the agent for devices, one first, then some at a time; what does not come up gives way. */

import { command } from '../command.ts'
import { type Pace, paceOf, pacing, tellRest } from '../push/pace.ts'
import { widest } from '../push/report.ts'
import { rollOut } from '../push/rollout.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'
import { timeoutMs } from '../timeout.ts'
import { type Upgraded, upgradeDevice } from '../upgrade/delivery.ts'
import { releasesAt } from '../upgrade/releases.ts'
import { exitCode, tell, verdictOf } from '../upgrade/report.ts'

/** Of the size of the executable: more at once would only share our line. */
const BATCH = 5

interface Arguments extends Selection, Pace {
  readonly release: string
  readonly downgrade: boolean
}

export const upgrade = command<Arguments>({
  usage: 'upgrade <selector>',
  examples: [
    ['box upgrade @routers --release ./releases', 'one router first, then five at a time'],
    ['box upgrade kitchen --release old.release --downgrade', 'back to an older version'],
  ],
  options: yargs =>
    pacing(
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
        }),
      BATCH,
    ).epilogue(
      'It takes the right admin. A device looks at the signature first, takes what it lacks, starts the new version\n' +
        'and keeps it only if it is reached over a new connection within three minutes. Sessions there end.\n' +
        'Exit code: 0 where every device has it, 75 where some are off, 77 where one refused it or went back.',
    ),
  run: async (context, args) => {
    const { output } = context
    const releases = releasesAt(args.release)
    const devices = selected(context, args.selector)
    const pace = paceOf(args)
    const width = widest(devices)
    const progress = output.progress('beginning')
    const wish = { releases, downgrade: args.downgrade }
    const work = async (device: (typeof devices)[number]): Promise<Upgraded> => {
      const note = (doing: string) => progress.now(`${device.name}: ${doing}`)
      const following = { timeoutMs: timeoutMs(args.timeout), note }
      const upgraded = await upgradeDevice(context, device, wish, following)
      tell(output, device.name, width, upgraded)
      return upgraded
    }
    const done = await rollOut(devices, pace, work, verdictOf).finally(progress.end)
    tellRest(output, width, done, verdictOf)
    const all = done.results.map(({ result }) => result)
    return exitCode(all, done.untried.length)
  },
})
