/**
 * SFTP packets out of a stream of bytes: each begins with its length. A packet that lies within one chunk
 * is a view of it; one that crosses chunks is copied together.
 */

import { WireError } from '../../src/wire/layout.ts'

/** OpenSSH's SFTP_MAX_MSG_LENGTH: nobody sends more. */
export const PACKET_MAX = 256 * 1024
/** Of the length before each packet. */
export const LENGTH_SIZE = 4

/**
 * Of no further use after it has thrown. A packet is good until the next one is asked for: one place serves
 * for all that cross chunks, since thousands of large buffers a second would be garbage faster than it is
 * collected.
 */
export class PacketSplitter {
  private place = new Uint8Array(LENGTH_SIZE)
  private filled = 0

  /** Whether a packet has begun that is not whole. */
  get isWithin(): boolean {
    return this.filled > 0
  }

  /** The packets that `chunk` completes, without their lengths. Throws WireError on a length that cannot be. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.filled === 0 && rest.length >= LENGTH_SIZE) {
        const end = LENGTH_SIZE + sizeOf(rest)
        if (rest.length >= end) {
          yield rest.subarray(LENGTH_SIZE, end)
          rest = rest.subarray(end)
          continue
        }
      }
      if (this.filled < LENGTH_SIZE) rest = this.fill(rest, LENGTH_SIZE)
      if (this.filled < LENGTH_SIZE) return
      const end = LENGTH_SIZE + sizeOf(this.place)
      rest = this.fill(rest, end)
      if (this.filled < end) return
      this.filled = 0
      yield this.place.subarray(LENGTH_SIZE, end)
    }
  }

  /** Takes from the chunk until the place has so many bytes; returns what is left. */
  private fill(chunk: Uint8Array, end: number): Uint8Array {
    if (this.place.length < end) {
      const larger = new Uint8Array(end)
      larger.set(this.place.subarray(0, this.filled))
      this.place = larger
    }
    const part = chunk.subarray(0, end - this.filled)
    this.place.set(part, this.filled)
    this.filled += part.length
    return chunk.subarray(part.length)
  }
}

function sizeOf(bytes: Uint8Array): number {
  const size = new DataView(bytes.buffer, bytes.byteOffset, LENGTH_SIZE).getUint32(0)
  if (size === 0 || size > PACKET_MAX)
    throw new WireError('SFTP', 'length', 0, `${size} is not between 1 and ${PACKET_MAX}`)
  return size
}

/** The packet with its length before it, in `place` where that has the room: good until the next one is made there. */
export function framed(packet: Uint8Array, place?: Uint8Array<ArrayBuffer>): Uint8Array {
  const end = LENGTH_SIZE + packet.length
  const bytes = place && place.length >= end ? place : new Uint8Array(end)
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(0, packet.length)
  bytes.set(packet, LENGTH_SIZE)
  return bytes.subarray(0, end)
}
