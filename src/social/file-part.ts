/**
 * A chunk of a file on its way: sealed under a key that only those have who were offered the file, with the hashes that
 * lead to the root, filled up to one of few sizes. Full chunks all look the same.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { AEAD_TAG_SIZE, openAead, sealAead } from '../crypto/aead.ts'
import { CELL_SIZES } from '../psyc/padding.ts'
import { contentKey, type FileOffer } from './file-offer.ts'
import {
  CHUNK_SIZE,
  chunkCount,
  chunkSize,
  HASH_SIZE,
  isBelow,
  leafHash,
  proofPlaces,
} from './file-tree.ts'
import { FileAsk, FileGone, FileHave, FilePart } from './messages.ts'

const NONCE_SIZE = 12
const LABEL = new TextEncoder().encode('secushare-box file part 1')
const NOTHING = new Uint8Array(0)
const HEADER_SIZE = 4
const AROUND_NOTHING = new Uint8Array(CELL_SIZES[0] - HEADER_SIZE)

export interface Chunk {
  readonly index: number
  readonly plain: Uint8Array
  readonly proof: readonly Uint8Array[]
}

export interface Verified {
  readonly index: number
  readonly plain: Uint8Array
  readonly leaf: Uint8Array
}

/** `index`: the first chunk that is wanted; all that follow come with it. */
export const encodeAsk = (index: number): Uint8Array => {
  const bare = { index: BigInt(index), padding: NOTHING }
  return FileAsk.encode({ ...bare, padding: filling(FileAsk.encode(bare).length) })
}

export const encodeGone = (): Uint8Array => FileGone.encode({ padding: AROUND_NOTHING })
export const encodeHave = (): Uint8Array => FileHave.encode({ padding: AROUND_NOTHING })

export function encodePart(offer: FileOffer, { index, plain, proof }: Chunk): Uint8Array {
  const sealed = sealAead(contentKey(offer), nonceOf(index), plain, LABEL)
  const bare = { index: BigInt(index), proof: concat(...proof), sealed, padding: NOTHING }
  return FilePart.encode({ ...bare, padding: filling(FilePart.encode(bare).length) })
}

/** How many bytes all parts of a file have: each but the last is as large as the largest cell. */
export function partsSize({ size }: FileOffer): number {
  const count = chunkCount(size)
  const last = FilePart.encode({
    index: 0n,
    proof: new Uint8Array(proofPlaces(count, count - 1).length * HASH_SIZE),
    sealed: new Uint8Array(chunkSize(size, count - 1) + AEAD_TAG_SIZE),
    padding: NOTHING,
  }).length
  return (count - 1) * CELL_SIZES.at(-1)! + last + filling(last).length
}

/** The chunk, as it is in the file that was offered. Throws WireError, FILE_DAMAGED where it is not. */
export function openPart(offer: FileOffer, raw: Uint8Array): Verified {
  const { index: number, proof, sealed } = FilePart.decode(raw)
  const count = chunkCount(offer.size)
  const index = number < BigInt(count) ? Number(number) : -1
  const plain =
    index >= 0 && sealed.length <= CHUNK_SIZE + AEAD_TAG_SIZE
      ? openAead(contentKey(offer), nonceOf(index), sealed, LABEL)
      : null
  if (!plain || plain.length !== chunkSize(offer.size, index) || proof.length % HASH_SIZE !== 0)
    throw new BoxError('FILE_DAMAGED')
  const leaf = leafHash(plain)
  const hashes = Array.from({ length: proof.length / HASH_SIZE }, (_, i) =>
    proof.subarray(i * HASH_SIZE, (i + 1) * HASH_SIZE),
  )
  if (!isBelow(offer.root, leaf, { count, index, proof: hashes }))
    throw new BoxError('FILE_DAMAGED')
  return { index, plain, leaf }
}

/** Each key seals one file, and each number one chunk of it, always the same. */
function nonceOf(index: number): Uint8Array {
  const nonce = new Uint8Array(NONCE_SIZE)
  new DataView(nonce.buffer).setBigUint64(NONCE_SIZE - 8, BigInt(index))
  return nonce
}

const filling = (size: number): Uint8Array =>
  new Uint8Array(CELL_SIZES.find(one => one >= size)! - size)
