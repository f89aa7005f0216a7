/** box recordings: which sessions a device has recorded. */

import type { RecordingEntry } from '../../src/box/recording.ts'
import { recordingTime } from '../../src/box/recording.ts'
import { command } from '../command.ts'
import { openShell } from '../device-shell.ts'
import { table } from '../output.ts'
import { recordingsOn, recordingValue } from '../recording.ts'
import { age } from '../status-report.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

export const recordings = command<{ name: string; timeout: number }>({
  usage: 'recordings <name>',
  examples: [
    ['box recordings kitchen', 'who did what when, for how long, and what it takes to play it'],
    ['box recordings kitchen --json', 'one JSON object for each'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .option('timeout', TIMEOUT)
      .epilogue(
        'Recorded is whom a grant (box grant --record) or the agent.json of the device names. It takes the right admin.',
      ),
  run: async (context, { name, timeout }) => {
    const { fleet, output } = context
    const progress = output.progress(`asking ${name}`)
    const shell = await openShell(context, fleet.device(name), {
      timeoutMs: timeoutMs(timeout),
    }).finally(progress.end)
    try {
      const all = await recordingsOn(shell.ssh)
      const lines = table(all.map(columnsOf))
      all.forEach((entry, i) => {
        output.result(lines[i]!, recordingValue(entry))
      })
    } finally {
      await shell.ssh.leave(context.clock)
    }
  },
})

function columnsOf({ id, state, endedAt, about }: RecordingEntry): string[] {
  const startedAt = about?.startedAt ?? recordingTime(id)
  return [
    id,
    new Date(startedAt).toISOString().slice(0, 19).replace('T', ' '),
    age(Math.max(0, endedAt - startedAt)),
    state,
    about?.who || '?',
    about?.what ?? '?',
    about?.detail.replaceAll(/\s+/g, ' ') ?? '',
  ]
}
