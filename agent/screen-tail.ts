/**
 * The last of what a program printed on its terminal, to be shown again to whoever comes back: bounded, and
 * such that a terminal can be given it. The modes that were set before it begins are set again, and questions
 * to the terminal are left out: their answers would be typed into the program.
 *
 * Sequences as in ECMA-48 and xterm's "Control Sequences".
 */

import { concat } from '../src/base/bytes.ts'

/** A screen of 200 columns and 60 lines, coloured, has half of it. */
export const TAIL_MAX = 64 * 1024
const TAIL_AT_FIRST = 4 * 1024
/** A sequence that is longer holds data (a picture, a clipboard), and asks nothing. */
const SEQUENCE_MAX = 1_024

const BELL = 7
const ENQUIRY = 5
const CANCEL = 0x18
const SUBSTITUTE = 0x1a
const ESCAPE = 0x1b
const BACKSLASH = 0x5c

/** Private modes that are kept: keys and keypad, wrapping, cursor, mouse, focus, the other screen, pasting. */
const MODES = new Set([1, 7, 25, 47, 1000, 1002, 1003, 1004, 1005, 1006, 1015, 1047, 1049, 2004])

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

type Inside = 'text' | 'escape' | 'control' | 'string'

/** Reads what is printed, one sequence after the other, and remembers which modes were set. */
class SequenceReader {
  private inside: Inside = 'text'
  private sequence: number[] = []
  /** The sequence was too long, and is passed on as it comes. */
  private isLong = false
  private lastByte = 0
  private set = new Map<string, string>()

  clone(): SequenceReader {
    const copy = new SequenceReader()
    copy.inside = this.inside
    copy.sequence = [...this.sequence]
    copy.isLong = this.isLong
    copy.lastByte = this.lastByte
    copy.set = new Map(this.set)
    return copy
  }

  modes(): Uint8Array {
    return new TextEncoder().encode([...this.set.values()].join(''))
  }

  /** What of it can be shown again: no questions, no bell, no sequence that has not ended. */
  pass(bytes: Uint8Array): Uint8Array {
    const shown = new Uint8Array(bytes.length + this.sequence.length)
    let size = 0
    const show = (sequence: readonly number[]) => {
      shown.set(sequence, size)
      size += sequence.length
    }
    for (const byte of bytes) {
      if (this.inside === 'text' && byte !== ESCAPE) {
        if (byte !== BELL && byte !== ENQUIRY) shown[size++] = byte
        continue
      }
      const hasEnded = this.step(byte)
      if (this.sequence.length > SEQUENCE_MAX) this.isLong = true
      if (this.isLong || (hasEnded && this.isShown(this.sequence))) show(this.sequence)
      if (this.isLong || hasEnded) this.sequence = []
      if (hasEnded) this.isLong = false
    }
    return shown.subarray(0, size)
  }

  /** One more byte of a sequence; whether that was its last. */
  private step(byte: number): boolean {
    const before = this.lastByte
    this.lastByte = byte
    // Another sequence begins in the middle of this one, which is void.
    if (byte === ESCAPE && this.inside !== 'string') {
      this.inside = 'escape'
      this.sequence = [byte]
      return false
    }
    this.sequence.push(byte)
    switch (this.inside) {
      case 'escape':
        if (byte >= 0x20 && byte <= 0x2f) return false
        this.inside = insideAfter(byte)
        return this.inside === 'text'
      case 'control':
        if (byte >= 0x20 && byte <= 0x3f) return false
        this.inside = 'text'
        return true
      default: {
        const isEnd = byte === BELL || byte === CANCEL || byte === SUBSTITUTE
        if (!isEnd && !(byte === BACKSLASH && before === ESCAPE)) return false
        this.inside = 'text'
        return true
      }
    }
  }

  private isShown(sequence: readonly number[]): boolean {
    const [kind, ...rest] = String.fromCharCode(...sequence.slice(1))
    const body = rest.join('')
    switch (kind) {
      case '[':
        return this.isControlShown(body)
      case ']':
        // Questions about colours; clipboard and notifications are not to be repeated.
        return !/^(52|9|777);|;\?\p{Cc}+\\?$/u.test(body)
      case 'P':
        return !/^[$+]q/.test(body)
      case 'c':
        this.set.clear()
        return true
      case '=':
      case '>':
        this.set.set('keypad', `\x1b${kind}`)
        return true
      default:
        return kind !== undefined && !'Z_^X'.includes(kind)
    }
  }

  private isControlShown(body: string): boolean {
    const final = body.at(-1)
    if (body === '!p') this.set.clear()
    if (body.startsWith('?') && (final === 'h' || final === 'l'))
      for (const mode of body.slice(1, -1).split(';'))
        if (MODES.has(Number(mode))) this.set.set(mode, `\x1b[?${mode}${final}`)
    if (final === 'r' && /^[\d;]*r$/.test(body)) this.set.set('region', `\x1b[${body}`)
    // Who are you, where is the cursor, how large is the window, print this page.
    const isQuestion = /[cnxti]$|\$p$|^>.*q$|^\?.*[uS]$/.test(body)
    return !isQuestion
  }
}

function insideAfter(byte: number): Inside {
  if (byte === 0x5b) return 'control'
  return 'P]X^_'.includes(String.fromCharCode(byte)) ? 'string' : 'text'
}
