/**
 * The tree of hashes over a file (as in RFC 6962): leaves are its chunks, and the root stands for the whole. Each chunk
 * comes with the few hashes that lead from it to the root, so it is believed, or not, by itself: a transfer goes on where
 * it was, from whoever has the file, and nothing wrong is ever kept.
 */

import { equalBytes } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'

export const HASH_SIZE = 32
/** With its proof, the seal and the headers, it fills the largest cell (file-part.ts). */
export const CHUNK_SIZE = 60_416
/** 64 GiB: the tree of it has 20 levels and takes 70 MB beside the file. */
export const FILE_BYTES_MAX = 64 * 1_073_741_824

const LEAF = Uint8Array.of(0)
const NODE = Uint8Array.of(1)

/** How many chunks there are; an empty file has one, which is empty. */
export const chunkCount = (size: number): number => Math.max(1, Math.ceil(size / CHUNK_SIZE))

/** All are full but the last one. */
export const chunkSize = (size: number, index: number): number =>
  Math.min(CHUNK_SIZE, size - index * CHUNK_SIZE)

export const leafHash = (chunk: Uint8Array): Uint8Array => sha256(LEAF, chunk)
export const nodeHash = (left: Uint8Array, right: Uint8Array): Uint8Array =>
  sha256(NODE, left, right)

/** How many hashes each level has, the leaves first, the root last. One without a neighbour moves up as it is. */
export function levelSizes(count: number): readonly number[] {
  const sizes = [count]
  for (let size = count; size > 1; ) {
    size = Math.ceil(size / 2)
    sizes.push(size)
  }
  return sizes
}

/** Where the hashes of a proof stand, by level, for the leaf of this index. */
export function proofPlaces(
  count: number,
  index: number,
): readonly { level: number; at: number }[] {
  const places: { level: number; at: number }[] = []
  levelSizes(count).forEach((size, level) => {
    const at = (index >> level) ^ 1
    if (size > 1 && at < size) places.push({ level, at })
  })
  return places
}

/** Whether this leaf is the one of this index below the root. */
export function isBelow(
  root: Uint8Array,
  leaf: Uint8Array,
  { count, index, proof }: { count: number; index: number; proof: readonly Uint8Array[] },
): boolean {
  const places = proofPlaces(count, index)
  if (places.length !== proof.length) return false
  let hash = leaf
  places.forEach(({ at }, i) => {
    // The neighbour of an even node stands to its right.
    hash = at % 2 === 1 ? nodeHash(hash, proof[i]!) : nodeHash(proof[i]!, hash)
  })
  return equalBytes(hash, root)
}
