/**
 * A PSYC packet as a value, and how it is written (PSYC 1.0 text syntax; docs/psyc.md).
 *
 * Everything is bytes but the names, which are ASCII. Whatever `renderPacket` gives, the reader
 * (packet-reader.ts) reads back as the same packet; what could not be is refused with a WireError.
 */

import { WireError } from '../wire/layout.ts'

/** What a modifier does to its variable; `?` and `!` parse, and mean nothing yet. */
export type Operator = ':' | '=' | '+' | '-' | '@' | '?' | '!'

export interface Modifier {
  readonly operator: Operator
  readonly name: string
  readonly value: Uint8Array
  /** Whether the length is written; absent: where it must or should be. */
  readonly counted?: boolean
}

export interface Packet {
  readonly routing: readonly Modifier[]
  /** A lone `=` (forget the state of this context) or `?` (send it to me) before the entity part. */
  readonly sync: 'reset' | 'resync' | null
  readonly entity: readonly Modifier[]
  readonly method: string | null
  /** Null: none; empty where the line is there and has nothing on it. */
  readonly data: Uint8Array | null
  /** How the content is delimited; absent: as it must or should be. `none`: there is none. */
  readonly content?: 'none' | 'open' | 'counted'
}

/** Header constants of libpsyc: the most that goes without a length. We hold senders to them. */
export const UNCOUNTED = { content: 512, modifier: 256, element: 128 } as const
/** libpsyc writes a length from here on, though none would be needed. */
const COUNTED_FROM = 10

// Ours.
/** A name longer than this is no keyword of any protocol. */
export const NAME_MAX = 128
/** Ten routing variables exist. */
export const ROUTING_MAX = 32
/** A whole state in one packet, and yet no table that costs more than the packet itself. */
export const ENTITY_MAX = 4_096
/** Fits the largest status; whatever is larger goes as a file, in parts. */
export const PACKET_SIZE_MAX = 1_048_576

const LF = 0x0a
const PIPE = 0x7c
const NAME = /^[A-Za-z0-9_]+$/
const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()

/** A modifier from a text (UTF-8) or bytes. */
export const modifier = (
  operator: Operator,
  name: string,
  value: string | Uint8Array,
): Modifier => ({
  operator,
  name,
  value: typeof value === 'string' ? encoder.encode(value) : value,
})

/** A packet from what differs from an empty one. */
export const packet = (parts: Partial<Packet>): Packet => ({
  routing: [],
  sync: null,
  entity: [],
  method: null,
  data: null,
  ...parts,
})

/** The bytes of a packet. Throws WireError on one that no reader would take. */
export function renderPacket(given: Packet): Uint8Array {
  const { routing, sync, entity, method, data } = given
  if (data !== null && method === null) throw misfit('data', 'there is no method for it')
  if (routing.length > ROUTING_MAX || entity.length > ENTITY_MAX)
    throw misfit('modifiers', 'there are too many')
  const writer = new Writer()
  for (const one of routing) writer.routing(one)
  const body = new Writer()
  if (sync) body.text(sync === 'reset' ? '=\n' : '?\n')
  let counted = false
  for (const one of entity) counted = body.entity(one) || counted
  if (method !== null) body.text(`${checkName('method', method)}\n`)
  if (data) body.line(data)
  const form = formOf(given, body.size, counted || (data !== null && needsCount(data)))
  if (form === 'none' && body.size > 0) throw misfit('content', 'there is some')
  if (form === 'counted') writer.text(`${body.size}\n`)
  if (form === 'open') writer.text('\n')
  writer.text('|\n')
  const whole = writer.bytes(body, 2)
  if (whole.length > PACKET_SIZE_MAX) throw misfit('length', `is ${whole.length}`)
  return whole
}

/** How the content is to be delimited, where the packet does not say. */
function formOf(given: Packet, size: number, should: boolean): 'none' | 'open' | 'counted' {
  const must = size > UNCOUNTED.content || (given.data !== null && !isSafeOpen(given.data))
  if (given.content) {
    if (given.content === 'open' && must) throw misfit('content', 'needs a length')
    return given.content
  }
  if (size === 0) return 'none'
  return must || should ? 'counted' : 'open'
}

/** libpsyc's rule: lengths for what is longer than nine bytes. */
const needsCount = (data: Uint8Array): boolean => data.length >= COUNTED_FROM

/** Whether data without a length ends where it should: a line `|` must not be seen in it, nor at its edges. */
export function isSafeOpen(data: Uint8Array): boolean {
  for (let at = data.indexOf(PIPE); at >= 0; at = data.indexOf(PIPE, at + 1)) {
    const begins = at === 0 || data[at - 1] === LF
    const ends = at === data.length - 1 || data[at + 1] === LF
    if (begins && ends) return false
  }
  return true
}

function checkName(what: string, name: string): string {
  if (!isKeyword(name)) throw misfit(what, 'is no keyword')
  return name
}

/** Whether it can be the name of a method or a variable. */
export const isKeyword = (name: string): boolean => name.length <= NAME_MAX && NAME.test(name)

const misfit = (field: string, detail: string): WireError =>
  new WireError('PACKET', field, 0, detail)

/** Collects what is written, to be joined once. */
class Writer {
  size = 0
  private readonly parts: Uint8Array[] = []

  add(part: Uint8Array): void {
    this.parts.push(part)
    this.size += part.length
  }

  text(text: string): void {
    this.add(encoder.encode(text))
  }

  line(bytes: Uint8Array): void {
    this.add(bytes)
    this.text('\n')
  }

  routing({ operator, name, value, counted }: Modifier): void {
    if (counted) throw misfit('routing', 'a routing variable has no length')
    this.open('routing', operator, name, value)
  }

  /** Says whether a length was written. */
  entity({ operator, name, value, counted }: Modifier): boolean {
    if (counted ?? (value.length >= COUNTED_FROM || value.includes(LF))) {
      this.text(`${operator}${checkName('name', name)} ${value.length}\t`)
      this.line(value)
      return true
    }
    this.open('entity', operator, name, value)
    return false
  }

  /** `rest` goes before the last `tail` bytes of the end mark. */
  bytes(rest: Writer, tail: number): Uint8Array {
    const whole = new Uint8Array(this.size + rest.size)
    let at = 0
    for (const part of this.parts.slice(0, -1)) at = put(whole, part, at)
    for (const part of rest.parts) at = put(whole, part, at)
    whole.set(this.parts.at(-1) ?? EMPTY, whole.length - tail)
    return whole
  }

  private open(what: string, operator: Operator, name: string, value: Uint8Array): void {
    if (value.length > UNCOUNTED.modifier || value.includes(LF))
      throw misfit(what, `the value of ${name} needs a length`)
    this.text(`${operator}${checkName('name', name)}\t`)
    this.line(value)
  }
}

function put(whole: Uint8Array, part: Uint8Array, at: number): number {
  whole.set(part, at)
  return at + part.length
}
