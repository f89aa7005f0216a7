/** box drift: where devices no longer are as they were when their configuration was confirmed. */

import { BoxError } from '../../src/base/errors.ts'
import { readDrift } from '../../src/box/push-report.ts'
import { command } from '../command.ts'
import { inParallel } from '../parallel.ts'
import { openPushTalk } from '../push/delivery.ts'
import { type Selection, selected, selecting } from '../push/selection.ts'
import { timeoutMs } from '../timeout.ts'

const PARALLEL = 16
const EXIT_DRIFTED = 1
const WORDS = {
  missing: 'is missing',
  content: 'has another content',
  access: 'has another mode or owner',
  'is there': 'is there and should not be',
  unreadable: 'is no plain file any more',
} as const

export const drift = command<Selection>({
  usage: 'drift <selector>',
  examples: [['box drift @all', 'names each file that was changed since it was pushed']],
  options: yargs =>
    selecting(yargs).epilogue('Exit code: 0 where nothing has changed, 1 where something has.'),
  run: async (context, { selector, timeout }) => {
    const { output, signal } = context
    let worst = 0
    await inParallel(selected(context, selector), PARALLEL, async device => {
      const { name } = device
      try {
        const talk = await openPushTalk(context, device, timeoutMs(timeout))
        try {
          const found = readDrift(await talk.ask('drift', {}))
          if (found.length > 0) worst = Math.max(worst, EXIT_DRIFTED)
          const lines = found.map(
            ({ path, what, bundle }) => `${name}: ${path} ${WORDS[what] ?? what} (${bundle})`,
          )
          output.result(lines.join('\n') || `${name}: nothing has changed`, { name, drift: found })
        } finally {
          talk.close()
        }
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof BoxError)) throw error
        worst = Math.max(worst, output.problem(name, error))
      }
    })
    return worst
  },
})
