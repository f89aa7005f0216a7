/** JSON values, one a line, over a stream: how `box-agent` talks to the agent that runs on the machine. */

import { BoxError } from '../src/base/errors.ts'
import type { Stream } from '../src/base/stream.ts'

/** The longest is a status with every neighbour in it. */
const LINE_BYTES_MAX = 1024 * 1024

/** Cuts what arrives into lines, and reads them. */
export class JsonLines {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true })
  private pending = ''

  /** The values that are complete now. Throws INPUT_INVALID on anything else; the stream is of no use then. */
  take(chunk: Uint8Array): readonly unknown[] {
    try {
      this.pending += this.decoder.decode(chunk, { stream: true })
      const lines = this.pending.split('\n')
      this.pending = lines.pop()!
      if (this.pending.length > LINE_BYTES_MAX) throw new RangeError('the line is too long')
      return lines.map(line => JSON.parse(line) as unknown)
    } catch (cause) {
      throw new BoxError('INPUT_INVALID', 'This is no line of JSON.', cause)
    }
  }
}

/** Writes a value. Not for large amounts: it does not wait. */
export const writeLine = (stream: Stream, value: object): void => {
  stream.write(new TextEncoder().encode(`${JSON.stringify(value)}\n`))
}
