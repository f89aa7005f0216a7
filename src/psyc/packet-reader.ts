/**
 * Packets out of a stream of bytes, however it is cut.
 *
 * A packet is handed over when its end has been seen, never before: a wrong length must not have had an
 * effect. It is a view of the bytes (copy what you keep) and makes no object for a value nobody looks at.
 * Nothing is kept but the packet that has begun, which is bounded; a body with a length is not searched.
 */

import { WireError } from '../wire/layout.ts'
import { NameTable } from './name-table.ts'
import {
  ENTITY_MAX,
  NAME_MAX,
  type Operator,
  PACKET_SIZE_MAX,
  ROUTING_MAX,
  UNCOUNTED,
} from './packet.ts'
import { Draft, PacketView } from './packet-view.ts'

const NOTHING = new Uint8Array(0)
const LF = 0x0a
const TAB = 0x09
const SPACE = 0x20
const PIPE = 0x7c
const ZERO = 0x30
const NINE = 0x39
/** More digits than any length that is allowed; the value stays far from losing precision. */
const DIGITS_MAX = 10
/** A line has a name, a length and a value. */
const LINE_MAX = 1 + NAME_MAX + 1 + DIGITS_MAX + 1 + UNCOUNTED.modifier + 1

/** The operators by their byte; the rest is null. */
const OPERATORS: readonly (Operator | null)[] = Array.from({ length: 256 }, (_, byte) => {
  const char = String.fromCharCode(byte)
  return ':=+-@?!'.includes(char) ? (char as Operator) : null
})

export class PacketReader {
  private readonly take: (packet: PacketView) => void
  private readonly sizeMax: number
  private readonly names = new NameTable()
  private draft = new Draft()
  /** The bytes of the packet that has begun, from `begin` to `end`. */
  private bytes: Uint8Array = NOTHING
  private begin = 0
  private end = 0
  private broken = false

  /** `take` is given each packet once its end was seen; a packet has up to `sizeMax` bytes. */
  constructor(take: (packet: PacketView) => void, sizeMax = PACKET_SIZE_MAX) {
    this.take = take
    this.sizeMax = sizeMax
  }

  /** How many bytes wait for the rest of their packet. */
  get waiting(): number {
    return this.end - this.begin
  }

  /** Reads on. Throws WireError; the reader is of no use afterwards. */
  push(chunk: Uint8Array): void {
    if (this.broken) throw this.misfit('end', 'the stream is broken')
    if (this.waiting === 0) {
      this.bytes = chunk
      this.begin = 0
      this.end = chunk.length
    } else this.append(chunk)
    const first = this.begin
    try {
      this.readAll()
    } catch (error) {
      this.broken = true
      throw error
    }
    // The chunk is the caller's, and packets that were handed over are views: keep a copy.
    if (this.waiting > 0 && (this.bytes === chunk || this.begin !== first))
      this.keep(this.bytes.subarray(this.begin, this.end), this.waiting)
    if (this.waiting === 0) this.bytes = NOTHING
  }

  private append(chunk: Uint8Array): void {
    if (this.end + chunk.length > this.bytes.length)
      this.keep(this.bytes.subarray(this.begin, this.end), 2 * this.waiting + chunk.length)
    this.bytes.set(chunk, this.end)
    this.end += chunk.length
  }

  private keep(part: Uint8Array, room: number): void {
    const bytes = new Uint8Array(room)
    bytes.set(part)
    this.bytes = bytes
    this.begin = 0
    this.end = part.length
  }

  private readAll(): void {
    while (this.waiting >= this.draft.need && this.readOne()) {
      const { draft } = this
      const { begin } = this
      this.begin += draft.at
      this.draft = new Draft()
      this.take(new PacketView(draft, this.bytes, begin))
    }
  }

  /** Reads on in the packet; false where more bytes are needed. */
  private readOne(): boolean {
    const { draft } = this
    while (draft.phase !== 'end') {
      const goes =
        draft.phase === 'data'
          ? this.readData(draft)
          : draft.phase === 'routing'
            ? this.readRouting(draft)
            : this.readContent(draft)
      if (!goes) return false
    }
    return this.readEnd(draft)
  }

  private readRouting(draft: Draft): boolean {
    const first = this.bytes[this.begin + draft.at]
    if (draft.at >= this.waiting) return this.wait(draft, 1)
    if (first === PIPE) {
      draft.phase = 'end'
      return true
    }
    if (OPERATORS[first!]) {
      if (!this.readModifier(draft, false)) return false
      draft.routingCount++
      if (draft.routingCount > ROUTING_MAX) throw this.misfit('routing', 'there are too many')
      return true
    }
    return this.readSeparator(draft)
  }

  /** The line between routing and content: empty, or the length of the content. */
  private readSeparator(draft: Draft): boolean {
    const { bytes, begin, end } = this
    const from = begin + draft.at
    let at = from
    let length = 0
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) {
      length = length * 10 + bytes[at]! - ZERO
      if (++at - from > DIGITS_MAX) throw this.misfit('length', 'is too long')
    }
    if (at === end) return this.wait(draft, at - from + 1)
    if (bytes[at] !== LF) throw this.misfit('length', 'is no number')
    if (length > this.sizeMax) throw this.misfit('length', `${length} is too long`)
    draft.at = at + 1 - begin
    draft.contentFrom = draft.at
    draft.content = at === from ? 'open' : 'counted'
    draft.contentTo = at === from ? -1 : draft.at + length
    draft.phase = 'content'
    return true
  }

  private readContent(draft: Draft): boolean {
    if (draft.at === draft.contentTo) {
      draft.phase = 'end'
      return true
    }
    if (draft.at >= this.waiting) return this.wait(draft, 1)
    const first = this.bytes[this.begin + draft.at]!
    if (OPERATORS[first]) {
      if (draft.at === draft.contentFrom && (first === 0x3d || first === 0x3f)) {
        if (draft.at + 1 >= this.waiting) return this.wait(draft, 2)
        if (this.bytes[this.begin + draft.at + 1] === LF) {
          draft.sync = first === 0x3d ? 'reset' : 'resync'
          return this.advance(draft, draft.at + 2)
        }
      }
      return this.readModifier(draft, true)
    }
    if (first === PIPE && draft.content === 'open') {
      draft.phase = 'end'
      return true
    }
    return this.readMethod(draft)
  }

  private readMethod(draft: Draft): boolean {
    const from = this.begin + draft.at
    const to = this.names.scan(this.bytes, from, this.end)
    if (to - from > NAME_MAX) throw this.misfit('method', 'is too long')
    if (to === this.end) return this.wait(draft, to - from + 1)
    if (to === from || this.bytes[to] !== LF) throw this.misfit('method', 'is no keyword')
    draft.method = this.names.name(this.bytes, from, to)
    draft.phase = 'data'
    return this.advance(draft, to + 1 - this.begin)
  }

  private readData(draft: Draft): boolean {
    draft.phase = 'end'
    if (draft.content === 'counted') {
      if (draft.at === draft.contentTo) return true
      draft.dataFrom = draft.at
      draft.dataTo = draft.contentTo - 1
      draft.at = draft.dataTo
      // The LF after the data, then the end mark.
      if (this.waiting > draft.at && this.bytes[this.begin + draft.at] !== LF)
        throw this.misfit('end', 'the length is wrong')
      draft.at++
      return this.waiting >= draft.at || this.waitForData(draft)
    }
    return this.readOpenData(draft)
  }

  private waitForData(draft: Draft): boolean {
    draft.phase = 'data'
    draft.at = draft.dataFrom
    return this.wait(draft, draft.contentTo - draft.dataFrom)
  }

  /** Data without a length end at the first line that is `|`. */
  private readOpenData(draft: Draft): boolean {
    const { bytes, begin, end } = this
    const from = begin + draft.at
    // The content, its last LF included, is not longer than that.
    const last = begin + draft.contentFrom + UNCOUNTED.content
    let at = bytes.indexOf(PIPE, from)
    while (at >= 0 && at <= last && at + 1 < end) {
      if (bytes[at - 1] === LF && bytes[at + 1] === LF) {
        if (at > from) {
          draft.dataFrom = draft.at
          draft.dataTo = at - 1 - begin
        }
        draft.at = at - begin
        return true
      }
      at = bytes.indexOf(PIPE, at + 1)
    }
    if (end > last + 1) throw this.misfit('content', 'is too long to go without a length')
    draft.phase = 'data'
    return this.wait(draft, end - from + 1)
  }

  /** The line `|`, which ends every packet. */
  private readEnd(draft: Draft): boolean {
    if (draft.at + 1 >= this.waiting) {
      if (draft.at < this.waiting && this.bytes[this.begin + draft.at] !== PIPE)
        throw this.misfit('end', 'is not where it should be')
      return this.wait(draft, 2)
    }
    const at = this.begin + draft.at
    if (this.bytes[at] !== PIPE || this.bytes[at + 1] !== LF)
      throw this.misfit('end', 'is not where it should be')
    return this.advance(draft, draft.at + 2)
  }

  /** One modifier, a line or more; `entity` ones may have a length. */
  private readModifier(draft: Draft, entity: boolean): boolean {
    const { bytes, begin, end } = this
    const nameAt = begin + draft.at + 1
    const nameEnd = this.names.scan(bytes, nameAt, end)
    if (nameEnd - nameAt > NAME_MAX) throw this.misfit('name', 'is too long')
    if (nameEnd === end) return this.wait(draft, end - begin - draft.at + 1)
    if (nameEnd === nameAt) throw this.misfit('name', 'is missing')
    if (bytes[nameEnd] === SPACE && entity) return this.readCounted(draft, nameAt, nameEnd)
    if (bytes[nameEnd] !== TAB) throw this.misfit('tab', 'is missing')
    const to = indexOfLf(bytes, nameEnd + 1, Math.min(end, nameEnd + 2 + UNCOUNTED.modifier))
    if (to < 0) {
      if (end - nameEnd > UNCOUNTED.modifier + 1)
        throw this.misfit('value', 'is too long to go without a length')
      return this.wait(draft, end - begin - draft.at + 1)
    }
    return this.note(draft, this.names.name(bytes, nameAt, nameEnd), nameEnd + 1, to, false)
  }

  private readCounted(draft: Draft, nameAt: number, nameEnd: number): boolean {
    const { bytes, begin, end } = this
    let at = nameEnd + 1
    let length = 0
    while (at < end && bytes[at]! >= ZERO && bytes[at]! <= NINE) {
      length = length * 10 + bytes[at]! - ZERO
      if (++at - nameEnd - 1 > DIGITS_MAX) throw this.misfit('length', 'is too long')
    }
    if (at === end) return this.wait(draft, end - begin - draft.at + 1)
    if (at === nameEnd + 1 || bytes[at] !== TAB) throw this.misfit('tab', 'is missing')
    if (length > this.sizeMax) throw this.misfit('length', `${length} is too long`)
    const to = at + 1 + length
    if (to >= end) {
      this.bound(draft, to + 1 - begin)
      return this.wait(draft, to + 1 - begin - draft.at)
    }
    if (bytes[to] !== LF) throw this.misfit('newline', 'is missing after the value')
    return this.note(draft, this.names.name(bytes, nameAt, nameEnd), at + 1, to, true)
  }

  private note(draft: Draft, name: string, from: number, to: number, counted: boolean): boolean {
    const { begin } = this
    if (draft.names.length >= ROUTING_MAX + ENTITY_MAX)
      throw this.misfit('entity', 'there are too many')
    draft.operators.push(OPERATORS[this.bytes[begin + draft.at]!]!)
    draft.names.push(name)
    draft.places.push(from - begin, to - begin)
    draft.counted.push(counted)
    return this.advance(draft, to + 1 - begin)
  }

  private advance(draft: Draft, to: number): boolean {
    this.bound(draft, to)
    draft.at = to
    return true
  }

  /** No part may pass the end of the content, nor the limits. */
  private bound(draft: Draft, to: number): void {
    if (to > this.sizeMax) throw this.misfit('size', 'the packet is too long')
    if (draft.phase === 'end') return
    if (draft.contentTo >= 0 && to > draft.contentTo)
      throw this.misfit('length', 'the content passes its end')
    if (draft.content === 'open' && to - draft.contentFrom > UNCOUNTED.content)
      throw this.misfit('content', 'is too long to go without a length')
  }

  private wait(draft: Draft, more: number): boolean {
    draft.need = draft.at + more
    // A counted value says how much it wants; a line is soon over, or wrong.
    if (draft.need > this.sizeMax + LINE_MAX) throw this.misfit('size', 'the packet is too long')
    return false
  }

  private misfit(field: string, detail: string): WireError {
    return new WireError('PACKET', field, this.draft.at, detail)
  }
}

/** Lines are short: a loop is faster than a call of indexOf. */
function indexOfLf(bytes: Uint8Array, from: number, end: number): number {
  for (let at = from; at < end; at++) if (bytes[at] === LF) return at
  return -1
}
