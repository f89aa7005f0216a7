/** Numbers modulo the prime of Curve25519 and modulo the order of its group; and as bytes. */

/** 2^255 − 19 (RFC 7748 section 4.1). */
export const PRIME = 2n ** 255n - 19n
/** The order of the base point (RFC 8032 section 5.1). */
export const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n

/** The remainder, never negative. */
export function mod(value: bigint, modulus: bigint): bigint {
  const remainder = value % modulus
  return remainder < 0n ? remainder + modulus : remainder
}

/** The inverse by Euclid's algorithm; 0 for 0. */
export function invert(value: bigint, modulus: bigint): bigint {
  let [a, b, x, y] = [mod(value, modulus), modulus, 1n, 0n]
  while (a > 1n) {
    const quotient = b / a
    ;[a, b] = [b - quotient * a, a]
    ;[x, y] = [y - quotient * x, x]
  }
  return a === 0n ? 0n : mod(x, modulus)
}

/** Bytes as a number, most significant first. */
export const fromBigEndian = (bytes: Uint8Array): bigint => BigInt(`0x0${hexOf(bytes)}`)

/** Bytes as a number, least significant first. */
export const fromLittleEndian = (bytes: Uint8Array): bigint => fromBigEndian(bytes.toReversed())

/** 32 bytes, most significant first. */
export const toBigEndian = (value: bigint): Uint8Array =>
  Uint8Array.from(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))

/** 32 bytes, least significant first. */
export const toLittleEndian = (value: bigint): Uint8Array => toBigEndian(value).reverse()

/** The X25519 form of an Ed25519 public key, u = (1 + y) / (1 − y); null for the one without. */
export function edwardsToMontgomery(edwards: Uint8Array): Uint8Array | null {
  const y = fromLittleEndian(edwards) & (2n ** 255n - 1n)
  const below = invert(1n - y, PRIME)
  return below === 0n ? null : toLittleEndian(mod((1n + y) * below, PRIME))
}

const hexOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')
