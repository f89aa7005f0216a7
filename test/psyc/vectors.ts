/** The vectors of PSYC, and how tests write bytes: texts of which each character is a byte. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Modifier, Operator, Packet } from '../../src/psyc/packet.ts'
import { PacketReader } from '../../src/psyc/packet-reader.ts'

type PlainModifier = [Operator, string, string]
interface PlainPacket {
  routing: PlainModifier[]
  sync: Packet['sync']
  entity: PlainModifier[]
  method: string | null
  data: string | null
}
interface PlainElement {
  type: string | null
  value: string | null
  counted: boolean
}

export const VECTORS: {
  valid: { id: string; bytes: string; packets: PlainPacket[] }[]
  invalid: { id: string; bytes: string; field: string }[]
  render: { id: string; packet: PlainPacket; bytes: string }[]
  lists: { id: string; bytes: string; type: string | null; elements: PlainElement[] | null }[]
  badLists: { id: string; bytes: string }[]
  dicts: {
    id: string
    bytes: string
    type: string | null
    entries: (PlainElement & { key: string; keyCounted: boolean })[] | null
  }[]
  badDicts: { id: string; bytes: string }[]
  updates: {
    bytes: string
    index: string
    operator: string
    type: string | null
    value: string | null
  }[]
  uniforms: { valid: [string, unknown][]; invalid: [string, string][] }
  packetIds: [Record<string, string>, string][]
  frames: { id: string; hex: string; method: string; modifiers: PlainModifier[]; data: string }[]
} = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'vectors', 'psyc.json'), 'utf8'))

export const fromLatin = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
export const toLatin = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

const plainModifier = ({ operator, name, value }: Modifier): PlainModifier => [
  operator,
  name,
  toLatin(value),
]

/** A packet as the vectors write it. */
export const plain = (packet: Packet): PlainPacket => ({
  routing: packet.routing.map(plainModifier),
  sync: packet.sync,
  entity: packet.entity.map(plainModifier),
  method: packet.method,
  data: packet.data === null ? null : toLatin(packet.data),
})

export const fromPlain = ({ routing, sync, entity, method, data }: PlainPacket): Packet => ({
  routing: routing.map(([operator, name, value]) => ({ operator, name, value: fromLatin(value) })),
  sync,
  entity: entity.map(([operator, name, value]) => ({ operator, name, value: fromLatin(value) })),
  method,
  data: data === null ? null : fromLatin(data),
})

/** Everything a reader says about a stream cut into these chunks: the packets, then perhaps the error. */
export function readAll(chunks: readonly Uint8Array[], sizeMax?: number) {
  const packets: Packet[] = []
  const reader = new PacketReader(view => packets.push(copy(view.packet())), sizeMax)
  try {
    for (const chunk of chunks) {
      // The chunk belongs to its sender: whatever is kept must be a copy.
      const lent = Uint8Array.from(chunk)
      reader.push(lent)
      lent.fill(0xee)
    }
  } catch (error) {
    return { packets, error, waiting: 0 }
  }
  return { packets, error: null, waiting: reader.waiting }
}

const copy = (packet: Packet): Packet => ({
  ...packet,
  routing: packet.routing.map(one => ({ ...one, value: one.value.slice() })),
  entity: packet.entity.map(one => ({ ...one, value: one.value.slice() })),
  data: packet.data?.slice() ?? null,
})
