/** The constants of Twofish as tables, computed once from their short definitions in the paper. */

/** Section 4.3.5: the nibble tables t0 to t3 of the permutations q0 and q1. */
const NIBBLES_Q0 = ['817d6f320b59eca4', 'ecb81235f4a6709d', 'ba5e6d90c8f32471', 'd7f4126e9b3085ca']
const NIBBLES_Q1 = ['28bdf76e31940ac5', '1e2b4c376da5f908', '4c75169a0ed82b3f', 'b951c3de647f208a']

/** Section 4.2: the primitive polynomials of the two fields. */
const MDS_POLYNOMIAL = 0x169
const RS_POLYNOMIAL = 0x14d

/** Section 4.2, row by row. */
const MDS_MATRIX = [
  [0x01, 0xef, 0x5b, 0x5b],
  [0x5b, 0xef, 0xef, 0x01],
  [0xef, 0x5b, 0x01, 0xef],
  [0xef, 0x01, 0xef, 0x5b],
]
/** Section 4.3, row by row. */
const RS_MATRIX = [
  [0x01, 0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e],
  [0xa4, 0x56, 0x82, 0xf3, 0x1e, 0xc6, 0x68, 0xe5],
  [0x02, 0xa1, 0xfc, 0xc1, 0x47, 0xae, 0x3d, 0x19],
  [0xa4, 0x55, 0x87, 0x5a, 0x58, 0xdb, 0x9e, 0x03],
]

/** The permutations of a byte. */
export const Q0 = permutation(NIBBLES_Q0)
export const Q1 = permutation(NIBBLES_Q1)

/** For each column of the MDS matrix: what a byte becomes by the last permutation and that column. */
export const MDS_Q = [
  column(MDS_MATRIX, 0, MDS_POLYNOMIAL, Q1),
  column(MDS_MATRIX, 1, MDS_POLYNOMIAL, Q0),
  column(MDS_MATRIX, 2, MDS_POLYNOMIAL, Q1),
  column(MDS_MATRIX, 3, MDS_POLYNOMIAL, Q0),
] as const

/** For each column of the RS matrix: what a byte of the key contributes to its word S. */
export const RS = Array.from({ length: 8 }, (_, index) => column(RS_MATRIX, index, RS_POLYNOMIAL))

function permutation(nibbles: readonly string[]): Uint8Array {
  const [t0, t1, t2, t3] = nibbles.map(row => Array.from(row, digit => Number.parseInt(digit, 16)))
  const stir = (a: number, b: number) => a ^ (((b >> 1) | (b << 3)) & 15) ^ ((a << 3) & 15)
  return Uint8Array.from({ length: 256 }, (_, x) => {
    const [a0, b0] = [x >> 4, x & 15]
    const [a1, b1] = [t0![a0 ^ b0]!, t1![stir(a0, b0)]!]
    return (t3![stir(a1, b1)]! << 4) | t2![a1 ^ b1]!
  })
}

function column(
  matrix: readonly (readonly number[])[],
  index: number,
  polynomial: number,
  first?: Uint8Array,
): Int32Array {
  const table = new Int32Array(256)
  for (const [r, row] of matrix.entries()) {
    const products = multiples(row[index]!, polynomial)
    for (let x = 0; x < 256; x++) table[x]! |= products[first ? first[x]! : x]! << (8 * r)
  }
  return table
}

/** All products of `factor` in GF(2^8) modulo `polynomial`: each bit of x adds one doubling of it. */
function multiples(factor: number, polynomial: number): Uint8Array {
  const products = new Uint8Array(256)
  for (let bit = 1, power = factor; bit < 256; bit <<= 1) {
    for (let x = bit; x < 2 * bit; x++) products[x] = products[x - bit]! ^ power
    power <<= 1
    if (power & 256) power ^= polynomial
  }
  return products
}
