/**
 * Which message types a peer understands (gnunet-service-core_typemap.c): bit t of 65,536. It goes
 * compressed always: no receiver accepts the uncompressed form, because of an old mistake.
 */

import { deflateSync, inflateSync } from 'node:zlib'
import { sha512 } from '../../../crypto/hash.ts'
import { TYPE_MAP_SIZE } from './limits.ts'
import { CompressedTypeMap } from './messages.ts'

export class TypeMap {
  /** What the other side confirms with. */
  readonly hash: Uint8Array
  private readonly bits: Uint8Array

  private constructor(bits: Uint8Array) {
    this.bits = bits
    this.hash = sha512(bits)
  }

  static of(types: Iterable<number>): TypeMap {
    const bits = new Uint8Array(TYPE_MAP_SIZE)
    for (const type of types) bits[type >> 3]! |= 1 << (type & 7)
    return new TypeMap(bits)
  }

  /** The map in a COMPRESSED_TYPE_MAP; null where it does not inflate to one. Throws WireError. */
  static decode(message: Uint8Array): TypeMap | null {
    const { deflated } = CompressedTypeMap.decode(message)
    try {
      const bits = inflateSync(deflated, { maxOutputLength: TYPE_MAP_SIZE })
      return bits.length === TYPE_MAP_SIZE ? new TypeMap(Uint8Array.from(bits)) : null
    } catch {
      return null // Zlib calls it damaged, or it would be larger than any map.
    }
  }

  encode(): Uint8Array {
    const deflated = deflateSync(this.bits)
    return CompressedTypeMap.encode({
      deflated: new Uint8Array(deflated.buffer, deflated.byteOffset, deflated.length),
    })
  }

  has(type: number): boolean {
    return (this.bits[type >> 3]! & (1 << (type & 7))) !== 0
  }
}
