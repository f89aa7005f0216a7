/**
 * The chain of fragments that a place is: numbered from 1 without a gap, each with the hash of the one
 * before, signed by the place. Whoever has the place's key can check what is handed on, and read nothing.
 *
 * In a deniable place keys of a while sign, one an epoch (host-epochs.ts), and the chain is cut where one follows the
 * other: what comes after names the new key and nothing of what was said before, or its signature would hold that up.
 */

import { equalBytes } from '../base/bytes.ts'
import { sha512 } from '../crypto/hash.ts'
import { signPurpose, verifyPurpose } from '../crypto/purposes.ts'
import type { SigningKey } from '../crypto/signing.ts'
import { WireError } from '../wire/layout.ts'
import { PlaceEpoch, PlaceFragment } from './messages.ts'

/** Numbers of our own, as that of the handshake (src/box). */
const FRAGMENT_SIGNATURE = 0xb0c5_0010
/** By the key of an epoch. */
const EPOCH_SIGNATURE = 0xb0c5_0012
const HASH_SIZE = 32
const ANCHOR = new TextEncoder().encode('secushare-box epoch 1')

/** The last two are of deniable places alone. */
export const KIND = { content: 0, rekey: 1, epoch: 2, published: 3 } as const

export interface Fragment {
  readonly id: bigint
  /** One of KIND. */
  readonly kind: number
  readonly generation: number
  readonly previous: Uint8Array
  readonly body: Uint8Array
  /** Of all that is signed. */
  readonly digest: Uint8Array
  /** What the next one names as its previous: the digest, unless an epoch ends here. */
  readonly hash: Uint8Array
  /** As it travels. */
  readonly raw: Uint8Array
}

/** Where a chain stands: its last fragment. */
export interface Head {
  readonly id: bigint
  readonly hash: Uint8Array
}

/** Before the first fragment. */
export const BEGINNING: Head = { id: 0n, hash: new Uint8Array(HASH_SIZE) }

type Content = Pick<Fragment, 'id' | 'kind' | 'generation' | 'previous' | 'body'>

/** What is authenticated along with an encrypted body: everything else. */
export function fragmentContext(
  place: Uint8Array,
  { id, kind, generation, previous }: Omit<Content, 'body'>,
): Uint8Array {
  const context = new Uint8Array(place.length + 13 + HASH_SIZE)
  const view = new DataView(context.buffer)
  context.set(place)
  view.setBigUint64(place.length, id)
  view.setUint8(place.length + 8, kind)
  view.setUint32(place.length + 9, generation)
  context.set(previous, place.length + 13)
  return context
}

/** The digest, and what the next one names. Throws WireError on the end of an epoch that names no key. */
function hashesOf(place: Uint8Array, content: Content): Pick<Fragment, 'digest' | 'hash'> {
  const digest = sha512(fragmentContext(place, content), content.body).slice(0, HASH_SIZE)
  if (content.kind !== KIND.epoch) return { digest, hash: digest }
  const id = new Uint8Array(8)
  new DataView(id.buffer).setBigUint64(0, content.id)
  const { key } = PlaceEpoch.decode(content.body)
  return { digest, hash: sha512(ANCHOR, place, key, id).slice(0, HASH_SIZE) }
}

const purposeOf = (place: Uint8Array, signer: Uint8Array): number =>
  equalBytes(place, signer) ? FRAGMENT_SIGNATURE : EPOCH_SIGNATURE

/** Signed by the key of the place, or of an epoch of it. */
export function makeFragment(
  signer: SigningKey,
  content: Content,
  place: Uint8Array = signer.publicKey,
): Fragment {
  const hashes = hashesOf(place, content)
  const signature = signPurpose(signer, purposeOf(place, signer.publicKey), hashes.digest)
  return { ...content, ...hashes, raw: PlaceFragment.encode({ ...content, signature }) }
}

/** Reads a fragment; its bytes are copied. Throws WireError where it is none, or not signed by that key. */
export function readFragment(
  place: Uint8Array,
  bytes: Uint8Array,
  signer: Uint8Array = place,
): Fragment {
  const raw = bytes.slice()
  const { signature, ...content } = PlaceFragment.decode(raw)
  const hashes = hashesOf(place, content)
  const purpose = purposeOf(place, signer)
  if (!verifyPurpose(signer, purpose, hashes.digest, signature))
    throw new WireError('PLACE_FRAGMENT', 'signature', 0, 'is not by the place')
  // A place that is provable has no epochs: nothing cuts its chain.
  if (purpose === FRAGMENT_SIGNATURE && content.kind >= KIND.epoch)
    throw new WireError('PLACE_FRAGMENT', 'kind', 0, 'is of a deniable place')
  return { ...content, ...hashes, raw }
}

/** Reads a fragment without a look at who signed it: that was done, or something else vouches. Throws WireError. */
export function rereadFragment(place: Uint8Array, raw: Uint8Array): Fragment {
  const { signature: _, ...content } = PlaceFragment.decode(raw)
  return { ...content, ...hashesOf(place, content), raw }
}

/** The number of a fragment, without a look at the rest. Throws WireError. */
export const fragmentId = (raw: Uint8Array): bigint => PlaceFragment.decode(raw).id

/** Whether it is the one after `head`. */
export const follows = (head: Head, { id, previous }: Fragment): boolean =>
  id === head.id + 1n && equalBytes(previous, head.hash)
