/**
 * What an asker has already got (bg_bf.c): a bloom filter whose elements are mingled with a number of
 * the asker's choice, so that a wrong "seen" does not repeat. Real daemons lose its content at every
 * hop (they mistake its size), so it saves traffic at best: whoever asks removes duplicates itself.
 */

import { concat } from '../../base/bytes.ts'
import type { Random } from '../../base/random.ts'
import { sha512 } from '../../crypto/hash.ts'
import { addToBloom, bloomHas } from './bloom.ts'

const MUTATOR_SIZE = 4
/** GNUNET_BLOCK_GROUP_compute_bloomfilter_size for few results. */
const BITS_SIZE = 8

/** Ours: a filter of more bytes stands for more results than a key has; its content is not looked at. */
const BITS_SIZE_MAX = 4_096

/** An empty one, for a request of our own. */
export const freshResultFilter = (random: Random): Uint8Array =>
  concat(random.bytes(MUTATOR_SIZE), new Uint8Array(BITS_SIZE))

/** Whether the filter of a request contains a block, known by its identity hash (see blocks.ts). */
export function filtersOut(raw: Uint8Array, identity: Uint8Array): boolean {
  const bits = raw.subarray(MUTATOR_SIZE)
  if (bits.length === 0 || bits.length > BITS_SIZE_MAX) return false
  return bloomHas(bits, mingled(raw, identity))
}

/** A filter that contains one block more; the same where there is no room for any. */
export function withResult(raw: Uint8Array, identity: Uint8Array): Uint8Array {
  if (raw.length <= MUTATOR_SIZE || raw.length > BITS_SIZE_MAX) return raw
  const copy = raw.slice()
  addToBloom(copy.subarray(MUTATOR_SIZE), mingled(raw, identity))
  return copy
}

const mingled = (raw: Uint8Array, identity: Uint8Array): Uint8Array =>
  sha512(identity, raw.subarray(0, MUTATOR_SIZE))
