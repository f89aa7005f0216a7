/**
 * ECDSA over the group of Ed25519, as PKEY zones sign (RFC 9498 section 5.1.1): SHA-512 of which the
 * leftmost 253 bits count, r from the x coordinate of the Edwards point, nonces by RFC 6979.
 */

import { concat } from '../base/bytes.ts'
import {
  fromBigEndian,
  fromLittleEndian,
  invert,
  mod,
  ORDER,
  toBigEndian,
  toLittleEndian,
} from './field.ts'
import { multiplyBase, multiplyPublic, pointFromBytes } from './group.ts'
import { hmacSha512, sha512 } from './hash.ts'

const HASH_BITS = 512n
const ORDER_BITS = 253n
const INTEGER_SIZE = 32
const SIGNATURE_SIZE = 2 * INTEGER_SIZE
/** A nonce or an r of zero comes with probability 2^-252; more than a few mean a broken hash. */
const TRIES_MAX = 8

/** The compressed public point of a secret scalar, which is not clamped here. */
export const ecdsaPublicKey = (secret: bigint): Uint8Array =>
  multiplyBase(mod(secret, ORDER)).toBytes()

/** Signs `message`: r and s, 32 bytes each, most significant byte first. */
export function ecdsaSign(secret: bigint, message: Uint8Array): Uint8Array {
  const hash = sha512(message)
  const e = leftmostBits(hash)
  const nonces = nonceGenerator(secret, mod(e, ORDER))
  for (let tries = 0; tries < TRIES_MAX; tries++) {
    const k = nonces()
    const r = mod(multiplyBase(k).toAffine().x, ORDER)
    const s = mod(invert(k, ORDER) * (e + r * secret), ORDER)
    if (r !== 0n && s !== 0n) return concat(toBigEndian(r), toBigEndian(s))
  }
  throw new Error('internal error: no nonce gave a signature')
}

/** Whether `signature` over `message` is by `publicKey`. Never throws. */
export function ecdsaVerify(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== INTEGER_SIZE || signature.length !== SIGNATURE_SIZE) return false
  const r = fromBigEndian(signature.subarray(0, INTEGER_SIZE))
  const s = fromBigEndian(signature.subarray(INTEGER_SIZE))
  if (r === 0n || s === 0n || r >= ORDER || s >= ORDER) return false
  try {
    const w = invert(s, ORDER)
    const e = leftmostBits(sha512(message))
    const point = pointFromBytes(publicKey)
    if (point.isSmallOrder()) return false
    const sum = multiplyPublic(mod(e * w, ORDER), mod(r * w, ORDER), point)
    return mod(sum.toAffine().x, ORDER) === r
  } catch {
    return false // The key is no point of the curve.
  }
}

/** RFC 6979 section 2.3.2: bits2int. */
const leftmostBits = (hash: Uint8Array): bigint => fromBigEndian(hash) >> (HASH_BITS - ORDER_BITS)

/** RFC 6979 section 3.2, with HMAC-SHA512. */
function nonceGenerator(secret: bigint, e: bigint): () => bigint {
  const seed = concat(toBigEndian(secret), toBigEndian(e))
  let v: Uint8Array = new Uint8Array(64).fill(1)
  let k = hmacSha512(new Uint8Array(64), v, Uint8Array.of(0), seed)
  v = hmacSha512(k, v)
  k = hmacSha512(k, v, Uint8Array.of(1), seed)
  v = hmacSha512(k, v)
  return () => {
    for (;;) {
      v = hmacSha512(k, v)
      const nonce = leftmostBits(v)
      const usable = nonce > 0n && nonce < ORDER
      const used = nonce
      k = hmacSha512(k, v, Uint8Array.of(0))
      v = hmacSha512(k, v)
      if (usable) return used
    }
  }
}

/** A scalar from the 32 bytes GNUnet keeps, least significant first. */
export const scalarFromBytes = (bytes: Uint8Array): bigint => fromLittleEndian(bytes)
/** A scalar as the 32 bytes GNUnet keeps. */
export const scalarToBytes = (scalar: bigint): Uint8Array => toLittleEndian(scalar)
