/** Whole lines with a prefix, from pieces of any size, so that the lines of many devices do not mix. */

import { concat } from '../src/base/bytes.ts'

const NEWLINE = 10
/** A line longer than this is broken, so that output without newlines cannot fill the memory. */
const LINE_SIZE_MAX = 65_536

export class LinePrefix {
  private readonly prefix: Uint8Array
  private readonly write: (line: Uint8Array) => void
  private begun: Uint8Array[] = []
  private size = 0

  constructor(prefix: string, write: (line: Uint8Array) => void) {
    this.prefix = new TextEncoder().encode(prefix)
    this.write = write
  }

  take(piece: Uint8Array): void {
    let rest = piece
    while (rest.length > 0) {
      const end = rest.indexOf(NEWLINE)
      const room = LINE_SIZE_MAX - this.size
      const length = Math.min(end < 0 ? rest.length : end, room)
      this.begun.push(rest.slice(0, length))
      this.size += length
      if (end < 0 && length < room) return
      rest = rest.subarray(end === length ? length + 1 : length)
      this.flush()
    }
  }

  /** The output is over: what has no newline yet is a line. */
  end(): void {
    if (this.size > 0) this.flush()
  }

  private flush(): void {
    this.write(concat(this.prefix, ...this.begun, Uint8Array.of(NEWLINE)))
    this.begun = []
    this.size = 0
  }
}
