/**
 * What SHA-256 and SHA-512 do with one block (FIPS 180-4, sections 6.2.2 and 6.4.2), as WebAssembly: one
 * description for both, which differ in the width of their words, in rounds and in distances only.
 */

import {
  type Arithmetic,
  type Code,
  get,
  i32,
  i64,
  isBelow,
  type Routine,
  repeatWhile,
  set,
  widen,
} from './assembly.ts'

type Three = readonly [number, number, number]

/** One of the two, and where its constants are in memory. */
export interface Sha2 {
  readonly name: 'sha256' | 'sha512'
  readonly words: Arithmetic
  readonly blockSize: number
  readonly digestSize: number
  readonly rounds: number
  /** Sections 4.1.2 and 4.1.3: by how much the four functions rotate; the small ones shift, at last. */
  readonly bigA: Three
  readonly bigE: Three
  readonly smallEarly: Three
  readonly smallLate: Three
  /** Section 5.3: what every hash begins with; section 4.2: a word for each round. */
  readonly startAt: number
  readonly constantsAt: number
}

const ROUNDS_MAX = 80
/** The message schedule of the block that is being worked on. */
const SCHEDULE_AT = 0

export const SHA512: Sha2 = {
  name: 'sha512',
  words: i64,
  ...{ blockSize: 128, digestSize: 64, rounds: ROUNDS_MAX },
  ...{ bigA: [28, 34, 39], bigE: [14, 18, 41], smallEarly: [1, 8, 7], smallLate: [19, 61, 6] },
  ...{ startAt: 640, constantsAt: 704 },
}
export const SHA256: Sha2 = {
  name: 'sha256',
  words: i32,
  ...{ blockSize: 64, digestSize: 32, rounds: 64 },
  ...{ bigA: [2, 13, 22], bigE: [6, 11, 25], smallEarly: [7, 18, 3], smallLate: [17, 19, 10] },
  ...{ startAt: 1_344, constantsAt: 1_376 },
}
/** Behind schedule and constants. */
export const FREE_AT = 1_632

const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7] as const
const SIXTEEN = Array.from({ length: 16 }, (_, i) => i)
const NOWHERE = i32.constant(0)

/** The locals of a routine: three addresses, a distance; then a to h, and a sum. */
const from = 0
const to = 1
const block = 2
const at = 3
const letters = EIGHT.map(i => 4 + i)
const sum = 12

/** Takes the hash at `from` and a block, leaves the next hash at `to`: `sha256` or `sha512`. */
export function compression(sha: Sha2): Routine {
  const { words, rounds } = sha
  const { width, add, load, store } = words
  const wide = width === 8
  return {
    name: sha.name,
    parameters: 3,
    locals: wide ? 1 : 10,
    wideLocals: wide ? 9 : 0,
    code: [
      SIXTEEN.map(i => store(NOWHERE, SCHEDULE_AT + i * width, bigEndian(sha, i * width))),
      counted(16 * width, rounds * width, width, scheduled(sha)),
      letters.map((letter, i) => set(letter, load(get(from), i * width))),
      counted(
        0,
        rounds * width,
        8 * width,
        EIGHT.map(i => round(sha, i)),
      ),
      letters.map((letter, i) =>
        store(get(to), i * width, add(load(get(from), i * width), get(letter))),
      ),
    ],
  }
}

/** Writes the hash at `from` as bytes to `to`: `sha256Digest` or `sha512Digest`. */
export function digestion({ name, words, digestSize }: Sha2): Routine {
  const halves = Array.from({ length: digestSize / 4 }, (_, i) => i)
  // The memory is little-endian: of a word of 64 bits the lower half comes first.
  const place = (i: number) => (words.width === 8 ? i ^ 1 : i) * 4
  const code = halves.map(i => i32.store(get(to), i * 4, swapped(i32.load(get(from), place(i)))))
  return { name: `${name}Digest`, parameters: 2, locals: 0, code }
}

/** Both kinds of constants, for the beginning of the memory. */
export function sha2Constants(): Uint8Array {
  const memory = new Uint8Array(FREE_AT)
  const view = new DataView(memory.buffer)
  const primes = firstPrimes(ROUNDS_MAX)
  for (const [i, prime] of primes.entries()) {
    const constant = rootFraction(prime, 3)
    view.setBigUint64(SHA512.constantsAt + 8 * i, constant, true)
    if (i < SHA256.rounds) view.setUint32(SHA256.constantsAt + 4 * i, Number(constant >> 32n), true)
  }
  for (const [i, prime] of primes.slice(0, 8).entries()) {
    const start = rootFraction(prime, 2)
    view.setBigUint64(SHA512.startAt + 8 * i, start, true)
    view.setUint32(SHA256.startAt + 4 * i, Number(start >> 32n), true)
  }
  return memory
}

/** Does `body` with `at` from `first` to below `end`. */
const counted = (first: number, end: number, step: number, body: Code): Code => [
  set(at, i32.constant(first)),
  repeatWhile(isBelow(get(at), i32.constant(end)), [
    body,
    set(at, i32.add(get(at), i32.constant(step))),
  ]),
]

/** Step 1: a word of the schedule from those before it. */
function scheduled(sha: Sha2): Code {
  const { words, smallEarly, smallLate } = sha
  const { width, add, load } = words
  const before = (count: number) =>
    load(i32.add(get(at), i32.constant(-count * width)), SCHEDULE_AT)
  const early = small(words, before(15), smallEarly)
  const late = small(words, before(2), smallLate)
  return words.store(get(at), SCHEDULE_AT, add(add(before(16), early), add(before(7), late)))
}

/** Step 3: instead of moving all letters on by one, each of eight rounds calls them by other names. */
function round({ words, bigA, bigE, constantsAt }: Sha2, turn: number): Code {
  const { width, add, and, or, xor, load } = words
  const named = (i: number) => letters[(i - turn + 8) % 8]!
  const value = (i: number) => get(named(i))
  const [a, b, c, d, e, f, g, h] = [
    value(0),
    value(1),
    value(2),
    named(3),
    value(4),
    value(5),
    value(6),
    named(7),
  ] as const
  const choice = xor(g, and(e, xor(f, g)))
  const majority = or(and(a, b), and(c, or(a, b)))
  const given = add(
    load(get(at), constantsAt + turn * width),
    load(get(at), SCHEDULE_AT + turn * width),
  )
  return [
    set(sum, add(add(get(h), given), add(big(words, e, bigE), choice))),
    set(d, add(get(d), get(sum))),
    set(h, add(get(sum), add(big(words, a, bigA), majority))),
  ]
}

function big({ xor, rotateRight, constant }: Arithmetic, x: Code, [one, two, three]: Three): Code {
  const rotated = xor(rotateRight(x, constant(one)), rotateRight(x, constant(two)))
  return xor(rotated, rotateRight(x, constant(three)))
}

function small(words: Arithmetic, x: Code, [one, two, three]: Three): Code {
  const { xor, rotateRight, shiftRight, constant } = words
  const rotated = xor(rotateRight(x, constant(one)), rotateRight(x, constant(two)))
  return xor(rotated, shiftRight(x, constant(three)))
}

/** A word of the block. */
function bigEndian({ words }: Sha2, offset: number): Code {
  const half = (place: number) => swapped(i32.load(get(block), place))
  if (words.width === 4) return half(offset)
  const high = i64.shiftLeft(widen(half(offset)), i64.constant(32))
  return i64.or(high, widen(half(offset + 4)))
}

/** The four bytes the other way round. */
function swapped(x: Code): Code {
  const outer = i32.and(i32.rotateLeft(x, i32.constant(8)), i32.constant(0x00ff00ff))
  return i32.or(outer, i32.and(i32.rotateRight(x, i32.constant(8)), i32.constant(0xff00ff00 | 0)))
}

/** Sections 4.2 and 5.3: the first 64 bits behind the point of the square or cube root of a prime. */
function rootFraction(prime: number, degree: 2 | 3): bigint {
  const wanted = BigInt(prime) << BigInt(64 * degree)
  // A little less than the root, as far as a double goes; then bit by bit.
  let root = BigInt(Math.floor(prime ** (1 / degree) * 2 ** 40) - 1) << 24n
  for (let bit = 1n << 26n; bit > 0n; bit >>= 1n)
    if ((root + bit) ** BigInt(degree) <= wanted) root += bit
  return BigInt.asUintN(64, root)
}

function firstPrimes(count: number): number[] {
  const primes: number[] = []
  for (let n = 2; primes.length < count; n++) if (primes.every(p => n % p > 0)) primes.push(n)
  return primes
}
