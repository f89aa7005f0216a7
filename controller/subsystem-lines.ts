/** What a subsystem of a device says, line by line, as it comes. */

import { BoxError } from '../src/base/errors.ts'
import type { SshSession } from './ssh-client.ts'

/** A screen full of colours, as JSON, is half of it. */
const LINE_MAX = 1_048_576

/** In the end its exit code. Fails as SshSession.hear, and with STATE_UNEXPECTED where a line does not end. */
export async function* subsystemLines(
  ssh: SshSession,
  name: string,
): AsyncGenerator<string, number> {
  const decoder = new TextDecoder()
  const pieces = ssh.hear(name)
  let pending = ''
  for (;;) {
    const next = await pieces.next()
    if (next.done) return next.value
    const lines = (pending + decoder.decode(next.value, { stream: true })).split('\n')
    pending = lines.pop()!
    if (pending.length > LINE_MAX) throw new BoxError('STATE_UNEXPECTED', 'It says too much.')
    yield* lines
  }
}
