/**
 * A letter: what one person says to another, with its number, filled up to one of few sizes (psyc/padding.ts). Numbers
 * grow with the time of whoever writes, so that one that comes twice is noticed, whatever was restored in between.
 */

import { CELL_SIZES } from '../psyc/padding.ts'
import { struct } from '../wire/fields.ts'
import { counted, lengthOf, rest, u32, u64, WireError } from '../wire/layout.ts'

/** What may be said at once: 4 KiB of text, as in rooms, or something signed. */
export const PACKET_BYTES_MAX = 8_192

const Letter = struct('BOX_LETTER', {
  number: u64,
  packetSize: lengthOf('packet', u32),
  packet: counted('packetSize'),
  padding: rest,
})

export interface Letter {
  /** Milliseconds since 1970 when it was written, or a little more. */
  readonly number: number
  /** A PSYC packet: see saying.ts. */
  readonly packet: Uint8Array
}

/** With `around` it bytes more, it has one of CELL_SIZES. Throws RangeError where the packet is too large. */
export function encodeLetter({ number, packet }: Letter, around: number): Uint8Array {
  if (packet.length > PACKET_BYTES_MAX) throw new RangeError(`a packet of ${packet.length} bytes`)
  const bare = { number: BigInt(number), packet, padding: new Uint8Array(0) }
  const size = Letter.encode(bare).length + around
  const wanted = CELL_SIZES.find(one => one >= size)!
  return Letter.encode({ ...bare, padding: new Uint8Array(wanted - size) })
}

/** Throws WireError. */
export function decodeLetter(bytes: Uint8Array): Letter {
  const { number, packet } = Letter.decode(bytes)
  if (number > BigInt(Number.MAX_SAFE_INTEGER) || packet.length > PACKET_BYTES_MAX)
    throw new WireError('BOX_LETTER', 'number', 0, 'is too large')
  return { number: Number(number), packet: packet.slice() }
}
