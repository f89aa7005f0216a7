/**
 * Keys that wait for letters: made by whoever will read them, left with a relay as a card for one person, used once
 * and then deleted, so that what was written is read by nobody later. When all are used, the last one serves on until
 * there is a new card.
 *
 * The card is sealed with a key that both people have (bond.ts). It is not signed: it shows to nobody who made it.
 */

import { concat } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { openAead, sealAead } from '../crypto/aead.ts'
import { sha256 } from '../crypto/hash.ts'
import { items, struct } from '../wire/fields.ts'
import { bytes, u64, WireError } from '../wire/layout.ts'

/** Of all cards, so that their size tells nothing. One person seldom leaves more before the other one looks. */
export const PREKEYS = 12
export const HINT_SIZE = 8
const KEY_SIZE = 32
const NONCE_SIZE = 12
const LABEL = new TextEncoder().encode('secushare-box card 1')
/** A card as it lies at a relay, and one of a later version. */
export const CARD_BYTES_MAX = 1_024

const Card = struct('BOX_CARD', { serial: u64, keys: items(bytes(KEY_SIZE)) })

export interface Prekeys {
  /** Newer cards have higher numbers: a relay that hands over an old one is noticed. */
  readonly serial: number
  /** The public halves; the last one may be used more than once. */
  readonly keys: readonly Uint8Array[]
}

/** Names a prekey in a letter, to whoever made it. */
export const prekeyHint = (publicKey: Uint8Array): Uint8Array =>
  sha256(publicKey).slice(0, HINT_SIZE)

export function sealCard({ serial, keys }: Prekeys, key: Uint8Array, random: Random): Uint8Array {
  const nonce = random.bytes(NONCE_SIZE)
  return concat(nonce, sealAead(key, nonce, Card.encode({ serial: BigInt(serial), keys }), LABEL))
}

/** Null where it was not sealed with this key, or has no keys. */
export function openCard(card: Uint8Array, key: Uint8Array): Prekeys | null {
  if (card.length < NONCE_SIZE || card.length > CARD_BYTES_MAX) return null
  const plain = openAead(key, card.subarray(0, NONCE_SIZE), card.subarray(NONCE_SIZE), LABEL)
  if (!plain) return null
  try {
    const { serial, keys } = Card.decode(plain)
    if (keys.length === 0 || serial > BigInt(Number.MAX_SAFE_INTEGER)) return null
    return { serial: Number(serial), keys: keys.map(one => one.slice()) }
  } catch (error) {
    if (error instanceof WireError) return null
    throw error
  }
}
