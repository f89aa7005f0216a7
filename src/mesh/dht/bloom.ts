/** Bloom filters as GNUnet has them (container_bloomfilter.c): sixteen bits for each 64-byte hash. */

/** GNUNET_CONSTANTS_BLOOMFILTER_K: as many words as a hash has. */
const BITS_PER_ELEMENT = 16

/** Adds a hash; the filter may have any size. */
export function addToBloom(filter: Uint8Array, hash: Uint8Array): void {
  for (let i = 0; i < BITS_PER_ELEMENT; i++) {
    const bit = bitOf(filter, hash, i)
    filter[bit >>> 3] = filter[bit >>> 3]! | (1 << (bit & 7))
  }
}

/** Whether the hash was added; true for some that were not. */
export function bloomHas(filter: Uint8Array, hash: Uint8Array): boolean {
  for (let i = 0; i < BITS_PER_ELEMENT; i++) {
    const bit = bitOf(filter, hash, i)
    if (!(filter[bit >>> 3]! & (1 << (bit & 7)))) return false
  }
  return true
}

function bitOf(filter: Uint8Array, hash: Uint8Array, index: number): number {
  const at = index * 4
  const word =
    ((hash[at]! << 24) | (hash[at + 1]! << 16) | (hash[at + 2]! << 8) | hash[at + 3]!) >>> 0
  return word % (filter.length * 8)
}
