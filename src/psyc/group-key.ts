/**
 * The keys of a group: one a generation, a new one at every change of who is in it.
 *
 * Where somebody joined, the new key is sealed under the old one, which the newcomer does not get; where
 * somebody left, it is sealed to each that stays. Where history is open, the old key is sealed under the
 * new. All of it is in the chain, so that whoever was away finds the way to today's key by reading on.
 */

import { concat } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { openAead, sealAead } from '../crypto/aead.ts'
import { AgreementKey, x25519 } from '../crypto/agreement.ts'
import { sha256 } from '../crypto/hash.ts'
import { hkdf } from '../crypto/kdf.ts'
import { fragmentContext } from './fragment.ts'
import { PlaceRekey } from './messages.ts'

const KEY_SIZE = 32
const HINT_SIZE = 8
const LABEL = new TextEncoder().encode('secushare-box place 1')
const NOTHING = new Uint8Array(0)
/** Each derived key seals one thing. */
const NONCE = new Uint8Array(12)
/** Keys of the past that are kept; the history reaches back as far. */
export const GENERATIONS_MAX = 1_024

export class KeyRing {
  private readonly keys = new Map<number, Uint8Array>()

  /** The newest generation; 0 where there is none. */
  get current(): number {
    return Math.max(0, ...this.keys.keys())
  }

  get(generation: number): Uint8Array | null {
    return this.keys.get(generation) ?? null
  }

  set(generation: number, key: Uint8Array): void {
    this.keys.set(generation, key.slice())
    if (this.keys.size > GENERATIONS_MAX) this.keys.delete(Math.min(...this.keys.keys()))
  }

  entries(): [number, Uint8Array][] {
    return [...this.keys]
  }
}

type Place = Uint8Array
type Headed = Parameters<typeof fragmentContext>[1]

/** Encrypts the content of a fragment. Its number is never used again, so neither is the nonce. */
export const sealContent = (
  key: Uint8Array,
  place: Place,
  head: Headed,
  plain: Uint8Array,
): Uint8Array => sealAead(contentKey(key), nonceOf(head.id), plain, fragmentContext(place, head))

/** The content of a fragment; null where the key is not the one. */
export const openContent = (
  key: Uint8Array,
  place: Place,
  head: Headed,
  sealed: Uint8Array,
): Uint8Array | null =>
  openAead(contentKey(key), nonceOf(head.id), sealed, fragmentContext(place, head))

const contentKey = (key: Uint8Array): Uint8Array => hkdf(KEY_SIZE, LABEL, key, 'content')

function nonceOf(id: bigint): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(4, id)
  return nonce
}

/** The same member in each generation has another hint: whoever reads along learns a number of members. */
const hintOf = (agreement: Uint8Array, ephemeral: Uint8Array): Uint8Array =>
  sha256(LABEL, agreement, ephemeral).subarray(0, HINT_SIZE)

export interface RekeyOptions {
  readonly random: Random
  readonly place: Place
  /** The generation of `key`. */
  readonly generation: number
  readonly key: Uint8Array
  readonly old: Uint8Array | null
  /** Whom it is sealed to; null: nobody left, and those who have the old key may have this one. */
  readonly members: readonly Uint8Array[] | null
  readonly isHistoryOpen: boolean
  readonly revoked: readonly bigint[]
}

/** The body of the fragment that brings a new key. */
export function sealRekey(options: RekeyOptions): Uint8Array {
  const { random, place, generation, key, old, members, isHistoryOpen, revoked } = options
  const ephemeral = AgreementKey.fromSecret(random.bytes(KEY_SIZE))
  const aad = contextOf(place, generation)
  const keys = (members ?? []).map(agreement => {
    const secret = x25519(ephemeral, agreement)
    const memberKey = hkdf(KEY_SIZE, LABEL, secret, 'member', ephemeral.publicKey, agreement)
    return {
      hint: hintOf(agreement, ephemeral.publicKey),
      sealed: sealAead(memberKey, NONCE, key, aad),
    }
  })
  const forward =
    old && !members ? sealAead(hkdf(KEY_SIZE, LABEL, old, 'forward'), NONCE, key, aad) : NOTHING
  const back =
    old && isHistoryOpen ? sealAead(hkdf(KEY_SIZE, LABEL, key, 'back'), NONCE, old, aad) : NOTHING
  return PlaceRekey.encode({ ephemeral: ephemeral.publicKey, revoked, forward, back, keys })
}

/** The new key, by the old one or by our own; null where we are not to have it. Throws WireError. */
export function openRekey(
  body: Uint8Array,
  place: Place,
  generation: number,
  { old, agreement }: { readonly old: Uint8Array | null; readonly agreement: AgreementKey },
): Uint8Array | null {
  const { ephemeral, forward, keys } = PlaceRekey.decode(body)
  const aad = contextOf(place, generation)
  if (old && forward.length > 0)
    return openAead(hkdf(KEY_SIZE, LABEL, old, 'forward'), NONCE, forward, aad)
  const hint = hintOf(agreement.publicKey, ephemeral)
  const mine = keys.find(entry => entry.hint.every((byte, at) => byte === hint[at]))
  if (!mine) return null
  const secret = x25519(agreement, ephemeral)
  const memberKey = hkdf(KEY_SIZE, LABEL, secret, 'member', ephemeral, agreement.publicKey)
  return openAead(memberKey, NONCE, mine.sealed, aad)
}

/** The key of the generation before, by the new one; null where history is not open. Throws WireError. */
export function openBack(
  body: Uint8Array,
  place: Place,
  generation: number,
  key: Uint8Array,
): Uint8Array | null {
  const { back } = PlaceRekey.decode(body)
  if (back.length === 0) return null
  return openAead(hkdf(KEY_SIZE, LABEL, key, 'back'), NONCE, back, contextOf(place, generation))
}

function contextOf(place: Place, generation: number): Uint8Array {
  const number = new Uint8Array(4)
  new DataView(number.buffer).setUint32(0, generation)
  return concat(LABEL, place, number)
}
