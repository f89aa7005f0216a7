/**
 * Raw Curve25519 keys as the objects node:crypto wants. The detour over JWK takes 5 to 25 µs where
 * DER takes 100 to 340, as long as the operation itself, so the caches matter too.
 */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { keyOf } from '../base/bytes.ts'

export type Curve = 'Ed25519' | 'X25519'

/** Public keys kept ready of each curve: more than the neighbours and tunnels a busy hub has; some 2 kB each. */
const CACHED_MAX = 512

const RAW_SIZE = 32

/** Node wants some `x` beside a private key but computes the real one from `d`. */
const ANY_X = Buffer.alloc(RAW_SIZE).toString('base64url')

/** The private key of a 32-byte seed (Ed25519) or secret (X25519). */
export const privateKeyObject = (curve: Curve, raw: Uint8Array): KeyObject =>
  createPrivateKey({
    key: { kty: 'OKP', crv: curve, d: base64(sized(raw)), x: ANY_X },
    format: 'jwk',
  })

/** The 32 bytes of the public key that belongs to a private one. */
export const publicBytes = (key: KeyObject): Uint8Array => {
  const { x } = createPublicKey(key).export({ format: 'jwk' })
  return Uint8Array.from(Buffer.from(x!, 'base64url'))
}

/** The public keys used last, by curve; a Map keeps them in the order of use. */
const caches: Record<Curve, Map<string, KeyObject>> = { Ed25519: new Map(), X25519: new Map() }

/** The object of a raw public key, from the cache where it was used before. */
export function publicKeyObject(curve: Curve, raw: Uint8Array): KeyObject {
  const cache = caches[curve]
  const name = keyOf(sized(raw))
  const known = cache.get(name)
  if (known) {
    cache.delete(name)
    cache.set(name, known)
    return known
  }
  const made = createPublicKey({
    key: { kty: 'OKP', crv: curve, x: base64(raw) },
    format: 'jwk',
  })
  if (cache.size >= CACHED_MAX) cache.delete(cache.keys().next().value!)
  cache.set(name, made)
  return made
}

const base64 = (raw: Uint8Array): string =>
  Buffer.from(raw.buffer, raw.byteOffset, raw.length).toString('base64url')

function sized(raw: Uint8Array): Uint8Array {
  if (raw.length !== RAW_SIZE) throw new RangeError(`a key has 32 bytes, not ${raw.length}`)
  return raw
}
