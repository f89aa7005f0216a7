/**
 * box dashboard: opens the page of the `box up` that runs, logged in. The address is good once, for a minute; what
 * the browser gets for it is a session, so that neither token nor code stays anywhere.
 */

import { spawn } from 'node:child_process'
import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import { addressOfUp } from '../up/address.ts'
import { readToken } from '../up/token.ts'

const TIMEOUT_MS = 10_000
/** What desktops have for it. */
const OPENER = 'xdg-open'

export const dashboard = command<{ print: boolean }>({
  usage: 'dashboard',
  examples: [
    ['box dashboard', 'opens the page in your browser, logged in; box up must be running'],
    ['box dashboard --print', 'prints the address instead: good once, for a minute'],
  ],
  options: yargs =>
    yargs
      .option('print', {
        type: 'boolean',
        default: false,
        describe: 'print the address, and open nothing',
      })
      .epilogue(
        'From another machine: ssh -L 7447:127.0.0.1:7447 to the one where box up runs, and --print there.',
      ),
  run: async ({ state, output }, { print }) => {
    const link = await askForLink(await addressOfUp(state), readToken(state))
    const opens = !print && !output.json && hasScreen(process.env)
    if (opens && (await openInBrowser(link.url))) {
      output.remark('Opened in your browser. If it is not: box dashboard --print')
      return
    }
    output.result(link.url, link)
    output.remark('Open it within a minute; it is good once.')
  },
})

interface Link {
  readonly url: string
  readonly expires_at: string
}

async function askForLink(address: string, token: string | null): Promise<Link> {
  try {
    const answer = await fetch(`${address}/v1/login-links`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (answer.ok) return (await answer.json()) as Link
    throw new BoxError('API_REFUSED', 'The token was changed since box up started: start it again.')
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    throw new BoxError('UP_NOT_RUNNING', undefined, cause)
  }
}

const hasScreen = ({ DISPLAY, WAYLAND_DISPLAY }: NodeJS.ProcessEnv): boolean =>
  Boolean(DISPLAY || WAYLAND_DISPLAY)

/** Whether there is something that opens addresses. */
const openInBrowser = (url: string): Promise<boolean> =>
  new Promise(resolve => {
    const opener = spawn(OPENER, [url], { stdio: 'ignore', detached: true })
    opener.once('error', () => resolve(false))
    opener.once('spawn', () => {
      opener.unref()
      resolve(true)
    })
  })
