/**
 * The terminal while a remote shell has it: raw, its size followed, and always given back as it was.
 *
 * As in ssh(1), `~` after a line's end is an escape: `~.` ends the session, whatever the other side
 * does, `~^Z` suspends us, `~?` explains, `~~` is a tilde.
 */

import type { ReadStream, WriteStream } from 'node:tty'

const CARRIAGE_RETURN = 13
const LINE_FEED = 10
const TILDE = 126
const DOT = 46
const QUESTION = 63
const CONTROL_Z = 26

const HELP =
  '~.   ends the session\r\n~^Z  suspends box\r\n~?   shows this\r\n~~   types a tilde\r\n'

export interface Size {
  readonly rows: number
  readonly columns: number
}

export interface TerminalEvents {
  typed(bytes: Uint8Array): void
  resized(size: Size): void
  /** `~.` was typed. */
  left(): void
}

export interface Terminal {
  readonly size: Size
  /** Gives the terminal back. May be called again. */
  release(): void
}

/** Takes the terminal until released; the process's end, for whatever reason, releases it too. */
export function takeTerminal(
  input: ReadStream,
  output: WriteStream,
  events: TerminalEvents,
): Terminal {
  const filter = new EscapeFilter()
  const size = () => ({ rows: output.rows || 24, columns: output.columns || 80 })
  const typed = (bytes: Uint8Array) => {
    const { pass, said } = filter.take(bytes)
    if (pass.length > 0) events.typed(pass)
    if (said === 'help') output.write(HELP)
    if (said === 'suspend') suspend()
    if (said === 'leave') events.left()
  }
  const resized = () => events.resized(size())
  const suspend = () => {
    input.setRawMode(false)
    process.once('SIGCONT', () => {
      if (released) return
      input.setRawMode(true)
      resized() // What is shown is no longer what it was: programs draw it again.
    })
    process.kill(process.pid, 'SIGTSTP')
  }
  let released = false
  const release = () => {
    released = true
    input.off('data', typed)
    output.off('resize', resized)
    process.off('exit', release)
    if (input.isTTY && input.isRaw) input.setRawMode(false)
    input.pause()
  }
  input.setRawMode(true)
  input.on('data', typed)
  input.resume()
  output.on('resize', resized)
  process.on('exit', release)
  return { size: size(), release }
}

/** Finds the escapes in what is typed. A tilde that may begin one waits for the next key. */
export class EscapeFilter {
  private state: 'line start' | 'tilde' | 'inside' = 'line start'

  take(bytes: Uint8Array): { pass: Uint8Array; said: 'help' | 'leave' | 'suspend' | null } {
    const pass: number[] = []
    let said: 'help' | 'suspend' | null = null
    for (const byte of bytes) {
      if (this.state === 'tilde') {
        this.state = 'line start'
        if (byte === DOT) return { pass: Uint8Array.from(pass), said: 'leave' }
        if (byte === QUESTION || byte === CONTROL_Z) {
          said = byte === QUESTION ? 'help' : 'suspend'
          continue
        }
        pass.push(TILDE)
        this.state = 'inside'
        if (byte === TILDE) continue
      } else if (this.state === 'line start' && byte === TILDE) {
        this.state = 'tilde'
        continue
      }
      pass.push(byte)
      this.state = byte === CARRIAGE_RETURN || byte === LINE_FEED ? 'line start' : 'inside'
    }
    return { pass: Uint8Array.from(pass), said }
  }
}
