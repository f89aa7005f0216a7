/**
 * A command that is asked for in one message and answered in one, over an SSH connection that is there: what a fleet is
 * asked for is mostly short, and each message costs both ends, and every hub between them, about what the command costs.
 *
 * It is a channel of direct-streamlocal@openssh.com (OpenSSH's PROTOCOL, section 2.4) whose path is no path: it has the
 * command and its input. Over the channel come BOX_COMMAND_OUTPUT and the like (messages.ts). A device that does not know this refuses it as it refuses a path.
 */

import { isWords } from '../wire/json-words.ts'
import { textSize } from '../wire/text.ts'

/** Bytes of one message. */
export const COMMAND_PIECE_MAX = 32 * 1_024 - 4

/** Command and input together, as they travel: a packet of SSH has room for them. */
const ASKED_MAX = 24 * 1_024
/** No path begins so. */
const MARK = '\0box-command\0'

export interface ShortCommand {
  /** For the shell of the device. */
  readonly line: string
  /** All of its standard input. */
  readonly input: Uint8Array
}

/** In the place of the path; null where it is too long for that. */
export function askShortly({ line, input }: ShortCommand): string | null {
  if (line.length + input.length > ASKED_MAX) return null
  const asked = MARK + JSON.stringify({ line, input: Buffer.from(input).toString('base64') })
  return textSize(asked) > ASKED_MAX ? null : asked
}

/** Whether it is no path. */
export const isAskedShortly = (path: string): boolean => path.startsWith(MARK)

/** What is asked for in the place of a path; null where nobody can tell. */
export function askedShortly(path: string): ShortCommand | null {
  try {
    const words: unknown = JSON.parse(path.slice(MARK.length))
    if (!isWords(words)) return null
    const { line, input } = words
    if (typeof line !== 'string' || typeof input !== 'string') return null
    return { line, input: new Uint8Array(Buffer.from(input, 'base64')) }
  } catch {
    return null
  }
}

/** What of a channel tells its end. */
interface Ending {
  once(event: 'finish', heard: () => void): unknown
  end: () => unknown
}

/**
 * Lets a channel of ssh2 end but once: 1.17.0 ends it again when all is over, for which Node makes an error that nobody
 * hears of, and that costs a hundredth of the command.
 */
export function endOnce(channel: Ending): void {
  channel.once('finish', () => {
    channel.end = () => channel
  })
}
