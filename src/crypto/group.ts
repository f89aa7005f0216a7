/**
 * Points of the Edwards curve, for what node:crypto cannot do: GNS key blinding and ECDSA. Loaded when
 * first used, since many processes never need it; and only the arithmetic, since all that @noble/curves
 * has for Ed25519 takes twice the time and two more megabytes.
 */

import { createRequire } from 'node:module'
import { ORDER, PRIME } from './field.ts'

type Edwards = typeof import('@noble/curves/abstract/edwards.js')
type Group = ReturnType<Edwards['edwards']>
type EdwardsPoint = Group['BASE']

/** RFC 8032 section 5.1: −x² + y² = 1 + d x² y², eight times as many points as the order, the base point. */
const CURVE = {
  p: PRIME,
  n: ORDER,
  h: 8n,
  a: PRIME - 1n,
  d: 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n,
  Gx: 0x216936d3cd6e53fec0a4e231fdd6dc5c692cc7609525a7b2c9562d608f25d51an,
  Gy: 0x6666666666666666666666666666666666666666666666666666666666666658n,
}

const require = createRequire(import.meta.url)
let loaded: Group | null = null

function group(): Group {
  loaded ??= (require('@noble/curves/abstract/edwards.js') as Edwards).edwards(CURVE)
  return loaded
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
