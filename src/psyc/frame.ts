/**
 * Messages in the framed form (messages.ts) <-> packets.
 *
 * A frame of ours is whole: METHOD … END in one message, or in several frames of the same message in their
 * order. Whatever breaks the order or the sizes throws a WireError; the original accepted more.
 */

import { concat } from '../base/bytes.ts'
import { messageSize, messageType } from '../wire/dispatch.ts'
import { WireError } from '../wire/layout.ts'
import {
  PsycCancel,
  PsycData,
  PsycEnd,
  PsycMethod,
  PsycModifier,
  PsycModifierContinued,
} from './messages.ts'
import { ENTITY_MAX, isKeyword, type Modifier, type Operator, PACKET_SIZE_MAX } from './packet.ts'

/** psyc's constants: what the first part of a modifier and a part of data hold, name and value. */
const MODIFIER_MAX = 64_385
const DATA_MAX = 64_392
const HEADER = 4
const OPERATORS = ':=+-@'

/** A message as it is framed: no routing, which is the channel's. */
export interface Framed {
  readonly method: string
  readonly entity: readonly Modifier[]
  readonly data: Uint8Array
  /** Bits of TRANSMIT. */
  readonly flags: number
  /** 0 reset, STATELESS not stateful, else how far back the last stateful message is. */
  readonly stateDelta: bigint
}

export const TRANSMIT = { reset: 1, modify: 2, hash: 4, generation: 8 } as const
export const STATELESS = 0xffff_ffff_ffff_ffffn

/** The parts of a message, END included. */
export function frameParts({ method, entity, data, flags, stateDelta }: Framed): Uint8Array {
  const parts: Uint8Array[] = [PsycMethod.encode({ flags, stateDelta, name: method })]
  for (const one of entity) parts.push(...modifierParts(one))
  for (let at = 0; at < data.length; at += DATA_MAX)
    parts.push(PsycData.encode({ data: data.subarray(at, at + DATA_MAX) }))
  parts.push(PsycEnd.encode({}))
  return concat(...parts)
}

function modifierParts({ operator, name, value }: Modifier): Uint8Array[] {
  const nameSize = name.length + 1
  const room = MODIFIER_MAX - nameSize
  const parts = [
    PsycModifier.encode({
      valueSize: value.length,
      nameSize,
      operator: operator.charCodeAt(0),
      name,
      value: value.subarray(0, room),
    }),
  ]
  for (let at = room; at < value.length; at += DATA_MAX)
    parts.push(PsycModifierContinued.encode({ value: value.subarray(at, at + DATA_MAX) }))
  return parts
}

/** Puts a message together from its parts, however many frames they came in. Of no use after it has thrown. */
export class FrameReader {
  private readonly sizeMax: number
  private size = 0
  private method: { name: string; flags: number; stateDelta: bigint } | null = null
  private readonly entity: Modifier[] = []
  /** The modifier whose value is not whole yet. */
  private open: { operator: Operator; name: string; missing: number; values: Uint8Array[] } | null =
    null
  private readonly data: Uint8Array[] = []
  private ended: Framed | 'cancelled' | null = null

  constructor(sizeMax = PACKET_SIZE_MAX) {
    this.sizeMax = sizeMax
  }

  /** Takes the parts of a frame. The message once it is whole, 'cancelled', or null: there is more to come. */
  push(parts: Uint8Array): Framed | 'cancelled' | null {
    this.size += parts.length
    if (this.size > this.sizeMax) throw misfit('size', 'the message is too long')
    for (let at = 0; at < parts.length; ) {
      if (this.ended) throw misfit('end', 'there is something behind the end')
      const size = parts.length - at < HEADER ? 0 : messageSize(parts, at)
      if (size < HEADER || size > parts.length - at) throw misfit('size', 'a part passes the frame')
      this.take(parts.subarray(at, at + size))
      at += size
    }
    return this.ended
  }

  private take(part: Uint8Array): void {
    const type = messageType(part)
    if (!this.method && type !== PsycMethod.type) throw misfit('method', 'is missing')
    switch (type) {
      case PsycMethod.type:
        this.takeMethod(part)
        return
      case PsycModifier.type:
        this.takeModifier(part)
        return
      case PsycModifierContinued.type:
        this.takeMore(PsycModifierContinued.decode(part).value)
        return
      case PsycData.type:
        this.noneOpen()
        this.data.push(PsycData.decode(part).data.slice())
        return
      case PsycEnd.type:
        PsycEnd.decode(part)
        this.noneOpen()
        this.ended = this.framed()
        return
      case PsycCancel.type:
        PsycCancel.decode(part)
        this.ended = 'cancelled'
        return
      default:
        throw misfit('part', `${type} is none`)
    }
  }

  private takeMethod(part: Uint8Array): void {
    if (this.method) throw misfit('method', 'there are two')
    const { flags, stateDelta, name } = PsycMethod.decode(part)
    if (!isKeyword(name)) throw misfit('method', 'is no keyword')
    this.method = { name, flags, stateDelta }
  }

  private takeModifier(part: Uint8Array): void {
    this.noneOpen()
    if (this.data.length > 0) throw misfit('modifier', 'comes after data')
    if (this.entity.length >= ENTITY_MAX) throw misfit('modifier', 'there are too many')
    const { valueSize, nameSize, operator, name, value } = PsycModifier.decode(part)
    const char = String.fromCharCode(operator)
    if (!OPERATORS.includes(char)) throw misfit('operator', 'is unknown')
    if (!isKeyword(name)) throw misfit('name', 'is no keyword')
    if (nameSize !== name.length + 1) throw misfit('name', 'is not as long as it says')
    if (value.length > valueSize) throw misfit('value', 'is longer than it says')
    this.open = {
      operator: char as Operator,
      name,
      missing: valueSize - value.length,
      values: [value.slice()],
    }
    this.finish()
  }

  private takeMore(value: Uint8Array): void {
    const { open } = this
    if (!open) throw misfit('modifier', 'is continued, but none is open')
    if (value.length > open.missing) throw misfit('value', 'is longer than it says')
    open.missing -= value.length
    open.values.push(value.slice())
    this.finish()
  }

  private finish(): void {
    const { open } = this
    if (!open || open.missing > 0) return
    this.entity.push({ operator: open.operator, name: open.name, value: concat(...open.values) })
    this.open = null
  }

  private noneOpen(): void {
    if (this.open) throw misfit('modifier', 'is not whole')
  }

  private framed(): Framed {
    const { name, flags, stateDelta } = this.method!
    return { method: name, entity: this.entity, data: concat(...this.data), flags, stateDelta }
  }
}

/** A message of one frame. Throws WireError where it is not whole, or was cancelled. */
export function readFrame(parts: Uint8Array): Framed {
  const framed = new FrameReader().push(parts)
  if (!framed || framed === 'cancelled') throw misfit('end', 'is missing')
  return framed
}

const misfit = (field: string, detail: string): WireError =>
  new WireError('PSYC_MESSAGE', field, 0, detail)
