/**
 * The three-way Diffie-Hellman of a tunnel (gnunet-service-cadet_tunnels.c: update_ax_by_kx): static
 * with ephemeral, ephemeral with static, ephemeral with ephemeral. Only the two peers can compute it.
 */

import { concat } from '../../base/bytes.ts'
import type { PeerId } from '../../base/ids.ts'
import { type AgreementKey, ecdh, ecdhEddsa, eddsaEcdh } from '../../crypto/agreement.ts'
import { sha512 } from '../../crypto/hash.ts'
import { hkdf } from '../../crypto/kdf.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { Ratchet, type RatchetMeans, type Role } from './ratchet.ts'

const SALT = new TextEncoder().encode('CADET Axolotl salt\0')
const KEY_SIZE = 64
const KEYS = 5

/** What one side says in a key exchange, with the private halves. */
export interface Offer {
  readonly ephemeral: AgreementKey
  readonly ratchet: AgreementKey
}

/** What the other side said. */
export interface Reply {
  readonly ephemeral: Uint8Array
  readonly ratchet: Uint8Array
}

/** A finished computation: nothing says yet that the other side came to the same. */
export interface Exchange {
  readonly own: Offer
  readonly theirs: Reply
  /** What shows the other side that we know the root key. */
  readonly proof: Uint8Array
  readonly ratchet: Ratchet
}

export interface Parties {
  readonly role: Role
  readonly key: SigningKey
  readonly peer: PeerId
}

/** Computes the keys of an exchange. Throws BoxError WIRE_MALFORMED where a key of theirs is unusable. */
export function agree(means: RatchetMeans, parties: Parties, own: Offer, said: Reply): Exchange {
  const theirs: Reply = { ephemeral: said.ephemeral.slice(), ratchet: said.ratchet.slice() }
  const { role, key, peer } = parties
  const withMyStatic = eddsaEcdh(key, theirs.ephemeral)
  const withTheirStatic = ecdhEddsa(own.ephemeral, peer)
  const shared = concat(
    role === 'alice' ? withMyStatic : withTheirStatic,
    role === 'alice' ? withTheirStatic : withMyStatic,
    ecdh(own.ephemeral, theirs.ephemeral),
  )
  const all = hkdf(KEYS * KEY_SIZE, SALT, shared)
  const part = (n: number) => all.subarray(n * KEY_SIZE, (n + 1) * KEY_SIZE)
  const root = part(0)
  const ratchet = new Ratchet(means, {
    role,
    root,
    keys: [part(1), part(2), part(3), part(4)],
    own: own.ratchet,
    theirs: theirs.ratchet,
  })
  return { own, theirs, proof: sha512(root), ratchet }
}
