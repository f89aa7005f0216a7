/**
 * SFTP packets out of a stream of bytes: each begins with its length. A packet that lies within one chunk
 * is a view of it; one that crosses chunks is copied together.
 */

import { WireError } from '../../src/wire/layout.ts'

/** OpenSSH's SFTP_MAX_MSG_LENGTH: nobody sends more. */
export const PACKET_MAX = 256 * 1024
const HEADER = 4

/** Of no further use after it has thrown. */
export class PacketSplitter {
  private begun = new Uint8Array(0)
  private filled = 0

  /** Whether a packet has begun that is not whole. */
  get isWithin(): boolean {
    return this.filled > 0
  }

  /** The packets that `chunk` completes, without their lengths. Throws WireError on a length that cannot be. */
  *push(chunk: Uint8Array): Generator<Uint8Array> {
    let rest = chunk
    while (rest.length > 0) {
      if (this.filled === 0 && rest.length >= HEADER) {
        const size = sizeOf(rest)
        if (rest.length >= HEADER + size) {
          yield rest.subarray(HEADER, HEADER + size)
          rest = rest.subarray(HEADER + size)
          continue
        }
      }
      rest = this.keep(rest)
      if (this.filled >= HEADER && this.filled === this.begun.length) {
        const whole = this.begun.subarray(HEADER)
        this.filled = 0
        this.begun = new Uint8Array(0)
        yield whole
      }
    }
  }

  /** Adds to the packet that has begun; what is left belongs to the next. */
  private keep(chunk: Uint8Array): Uint8Array {
    if (this.filled === 0) this.begun = new Uint8Array(HEADER)
    let rest = this.fill(chunk)
    if (this.filled === HEADER && this.begun.length === HEADER) {
      const whole = new Uint8Array(HEADER + sizeOf(this.begun))
      whole.set(this.begun)
      this.begun = whole
      rest = this.fill(rest)
    }
    return rest
  }

  private fill(chunk: Uint8Array): Uint8Array {
    const part = chunk.subarray(0, this.begun.length - this.filled)
    this.begun.set(part, this.filled)
    this.filled += part.length
    return chunk.subarray(part.length)
  }
}

function sizeOf(bytes: Uint8Array): number {
  const size = new DataView(bytes.buffer, bytes.byteOffset, HEADER).getUint32(0)
  if (size === 0 || size > PACKET_MAX)
    throw new WireError('SFTP', 'length', 0, `${size} is not between 1 and ${PACKET_MAX}`)
  return size
}

/** The packet with its length before it. */
export function framed(packet: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEADER + packet.length)
  new DataView(bytes.buffer).setUint32(0, packet.length)
  bytes.set(packet, HEADER)
  return bytes
}
