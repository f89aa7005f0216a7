/**
 * The last of what a program printed on its terminal, to be shown again to whoever comes back: bounded, and
 * such that a terminal can be given it. The modes that were set before it begins are set again, and questions
 * to the terminal are left out: their answers would be typed into the program.
 */

import { concat } from '../src/base/bytes.ts'
import { SequenceReader } from '../src/wire/terminal-sequences.ts'

/** A screen of 200 columns and 60 lines, coloured, has half of it. */
export const TAIL_MAX = 64 * 1024
const TAIL_AT_FIRST = 4 * 1024

export class ScreenTail {
  private kept = new Uint8Array(TAIL_AT_FIRST)
  private size = 0
  /** Has read all that was dropped. */
  private readonly before = new SequenceReader()
  private isCut = false

  add(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length; from += TAIL_MAX / 2)
      this.append(bytes.subarray(from, from + TAIL_MAX / 2))
  }

  /** What brings a terminal to where the program's was. */
  replay(): Uint8Array {
    const reader = this.before.clone()
    const tail = this.kept.subarray(this.isCut ? this.wholeFrom() : 0, this.size)
    return concat(reader.modes(), reader.pass(tail))
  }

  private append(bytes: Uint8Array): void {
    if (this.size + bytes.length > TAIL_MAX) this.drop(TAIL_MAX / 2)
    const needed = this.size + bytes.length
    if (needed > this.kept.length) {
      let room = this.kept.length
      while (room < needed) room *= 2
      const larger = new Uint8Array(room)
      larger.set(this.kept.subarray(0, this.size))
      this.kept = larger
    }
    this.kept.set(bytes, this.size)
    this.size = needed
  }

  private drop(count: number): void {
    const dropped = Math.min(count, this.size)
    this.before.pass(this.kept.subarray(0, dropped))
    this.kept.copyWithin(0, dropped, this.size)
    this.size -= dropped
    this.isCut = true
  }

  /** Behind what was left of a character of UTF-8. */
  private wholeFrom(): number {
    let at = 0
    while (at < 3 && at < this.size && (this.kept[at]! & 0xc0) === 0x80) at++
    return at
  }
}
