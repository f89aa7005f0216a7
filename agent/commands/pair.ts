/** box-agent pair: lets one person become an owner, by a code that is shown here. */

import { BoxError } from '../../src/base/errors.ts'
import { controlSocket } from '../../src/sys/paths.ts'
import { command } from '../command.ts'
import { order } from '../local-control.ts'
import { MINUTES_MAX } from '../pairing-time.ts'

export const pair = command({
  name: 'pair',
  describe: 'show a code by which one person becomes an owner',
  examples: [
    ['box-agent pair', 'shows the code, and waits for `box pair CODE --as NAME` elsewhere'],
    ['box-agent pair --minutes 60 --no-wait', 'prints the code and ends; it is good for an hour'],
  ],
  options: {
    minutes: { type: 'number', default: 10, describe: 'how long the code is good' },
    wait: {
      type: 'boolean',
      default: true,
      describe: 'wait until it has been used; interrupted, the code is void',
    },
    qr: { type: 'boolean', describe: 'show it as a QR code too (on a terminal: yes)' },
  },
  run: async ({ directory, terminal, signal }, { minutes, wait, qr }) => {
    if (!(minutes > 0 && minutes <= MINUTES_MAX))
      throw new BoxError('INPUT_INVALID', `A window is open for 1 to ${MINUTES_MAX} minutes.`)
    const { renderUnicodeCompact } = await import('uqr')
    const request = { do: 'pair', minutes, wait }
    const heard = (value: Readonly<Record<string, unknown>>) => {
      if (typeof value.code === 'string') {
        const wanted = qr ?? terminal.isTerminal
        if (wanted) terminal.show(renderUnicodeCompact(String(value.qr)))
        terminal.say(
          `${value.code}\n\nOn your own machine, within ${minutes} minutes: box pair CODE --as NAME`,
          value,
        )
        return
      }
      const words = (value.check_words as readonly string[]).join(' ')
      terminal.say(
        `Paired: ${value.owner} calls this device ${value.name}. Both sides show: ${words}`,
        value,
      )
    }
    await order(controlSocket(directory), request, heard, signal)
  },
})
