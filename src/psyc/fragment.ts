/**
 * The chain of fragments that a place is: numbered from 1 without a gap, each with the hash of the one
 * before, signed by the place. Whoever has the place's key can check what is handed on, and read nothing.
 */

import { equalBytes } from '../base/bytes.ts'
import { sha512 } from '../crypto/hash.ts'
import { signPurpose, verifyPurpose } from '../crypto/purposes.ts'
import type { SigningKey } from '../crypto/signing.ts'
import { WireError } from '../wire/layout.ts'
import { PlaceFragment } from './messages.ts'

/** Numbers of our own, as that of the handshake (src/box). */
const FRAGMENT_SIGNATURE = 0xb0c5_0010
const HASH_SIZE = 32

export const KIND = { content: 0, rekey: 1 } as const

export interface Fragment {
  readonly id: bigint
  /** One of KIND. */
  readonly kind: number
  readonly generation: number
  readonly previous: Uint8Array
  readonly body: Uint8Array
  /** What the next one names as its previous. */
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

const hashOf = (place: Uint8Array, content: Content): Uint8Array =>
  sha512(fragmentContext(place, content), content.body).slice(0, HASH_SIZE)

export function makeFragment(key: SigningKey, content: Content): Fragment {
  const hash = hashOf(key.publicKey, content)
  const signature = signPurpose(key, FRAGMENT_SIGNATURE, hash)
  return { ...content, hash, raw: PlaceFragment.encode({ ...content, signature }) }
}

/** Reads a fragment; its bytes are copied. Throws WireError where it is none, or not signed by the place. */
export function readFragment(place: Uint8Array, bytes: Uint8Array): Fragment {
  const raw = bytes.slice()
  const { signature, ...content } = PlaceFragment.decode(raw)
  const hash = hashOf(place, content)
  if (!verifyPurpose(place, FRAGMENT_SIGNATURE, hash, signature))
    throw new WireError('PLACE_FRAGMENT', 'signature', 0, 'is not by the place')
  return { ...content, hash, raw }
}

/** Reads a fragment that was checked before it was kept. Throws WireError. */
export function rereadFragment(place: Uint8Array, raw: Uint8Array): Fragment {
  const { signature: _, ...content } = PlaceFragment.decode(raw)
  return { ...content, hash: hashOf(place, content), raw }
}

/** The number of a fragment, without a look at the rest. Throws WireError. */
export const fragmentId = (raw: Uint8Array): bigint => PlaceFragment.decode(raw).id

/** Whether it is the one after `head`. */
export const follows = (head: Head, { id, previous }: Fragment): boolean =>
  id === head.id + 1n && equalBytes(previous, head.hash)
