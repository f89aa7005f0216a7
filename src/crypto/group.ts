/**
 * Points of the Edwards curve, for what node:crypto cannot do: GNS key blinding and ECDSA. Loaded
 * when first used, since @noble/curves takes 9 MiB and most processes never need it.
 */

import { createRequire } from 'node:module'

type Curves = typeof import('@noble/curves/ed25519.js')
type EdwardsPoint = InstanceType<Curves['ed25519']['Point']>

const require = createRequire(import.meta.url)
let curves: Curves | null = null

function group(): Curves['ed25519']['Point'] {
  curves ??= require('@noble/curves/ed25519.js') as Curves
  return curves.ed25519.Point
}

/** `scalar` times the base point. The scalar, 1 up to the order, may be secret. */
export const multiplyBase = (scalar: bigint): EdwardsPoint => group().BASE.multiply(scalar)

/** The point of 32 bytes; throws where there is none. */
export const pointFromBytes = (bytes: Uint8Array): EdwardsPoint => group().fromBytes(bytes)

/** `scalar`·`point`, in a time that tells the scalar: for public ones only. */
export const multiplyPoint = (scalar: bigint, point: EdwardsPoint): EdwardsPoint =>
  point.multiplyUnsafe(scalar)

/** `a`·B + `b`·`point`, in a time that tells the scalars: for public ones only. */
export const multiplyPublic = (a: bigint, b: bigint, point: EdwardsPoint): EdwardsPoint =>
  group().BASE.multiplyUnsafe(a).add(point.multiplyUnsafe(b))
