/**
 * SHA-512 and SHA-256 (FIPS 180-4), HMAC of both (RFC 2104) and the derivation of kdf.ts, as WebAssembly.
 * The property test of short-hmac.ts compares them with those of OpenSSL.
 *
 * The two hashes differ in the size of their words, in how far these are rotated, and in the number of rounds:
 * constants and first state of SHA-256 are the upper halves of those of SHA-512 (sections 4.2 and 5.3).
 */

import {
  add,
  and,
  type Code,
  call,
  constant,
  get,
  isBelow,
  type Machine,
  type Routine,
  repeatWhile,
  set,
  shiftLeft,
  store,
  subtract,
  WORDS_32,
  WORDS_64,
  type Words,
} from './assembly.ts'

/** Three of each, by which bits are rotated; of the small ones the third is shifted. */
interface Hash {
  readonly name: string
  readonly words: Words
  readonly rounds: number
  readonly bigA: readonly [number, number, number]
  readonly bigE: readonly [number, number, number]
  readonly smallEarly: readonly [number, number, number]
  readonly smallLate: readonly [number, number, number]
}

const SHA_512: Hash = {
  name: 'Sha512',
  words: WORDS_64,
  rounds: 80,
  bigA: [28, 34, 39],
  bigE: [14, 18, 41],
  smallEarly: [1, 8, 7],
  smallLate: [19, 61, 6],
}
const SHA_256: Hash = {
  name: 'Sha256',
  words: WORDS_32,
  rounds: 64,
  bigA: [2, 13, 22],
  bigE: [6, 11, 25],
  smallEarly: [7, 18, 3],
  smallLate: [17, 19, 10],
}

/** Bytes of the larger hash; those of SHA-256 are half of it. */
export const BLOCK_MAX = 128
const DIGEST_MAX = 64
const WIDE = 8
const EIGHT = [0, 1, 2, 3, 4, 5, 6, 7] as const

/** So many bytes may be authenticated, derived from, given as context; and derived. */
export const TEXT_MAX = 2_048
export const INFO_MAX = 512
export const DERIVED_MAX = 256

// The memory: constants, and all that is zero before and after.
const CONSTANTS = 0
const FIRST_STATE = CONSTANTS + 80 * WIDE
/** From here on everything is to be overwritten after use. */
export const SECRET = FIRST_STATE + 8 * WIDE
const STATE = SECRET
const SCHEDULE = STATE + DIGEST_MAX
const OUTER = SCHEDULE + 80 * WIDE
/** A key of at most a block. */
export const KEY = OUTER + 2 * BLOCK_MAX
/** What was authenticated, or derived. */
export const RESULT = KEY + BLOCK_MAX
/** The context of a derivation stands behind the step before it, and that behind the padded key. */
export const INFO = RESULT + DERIVED_MAX + BLOCK_MAX
/** The text stands behind the padded key; both have room for what ends them. */
export const TEXT = INFO + INFO_MAX + 3 * BLOCK_MAX
export const MEMORY_SIZE = TEXT + TEXT_MAX + 2 * BLOCK_MAX

const STEP = 32
const NOWHERE = constant(0)
const END_MARK = 0x80

/** Where each stands in the list. */
const [COMPRESS_512, COMPRESS_256, HMAC_512, HMAC_256] = [0, 1, 2, 3]

/** The two of HMAC are given what they begin before and where the text ends, and where the result goes; `derive` the three ends. */
export const sha2Routines = (): readonly Routine[] => [
  compress(SHA_512),
  compress(SHA_256),
  hmac(SHA_512, COMPRESS_512),
  hmac(SHA_256, COMPRESS_256),
  derive(),
]

/** Writes what the routines need to find in memory. */
export function placeConstants({ memory }: Machine): void {
  const view = new DataView(memory.buffer)
  const primes = firstPrimes(80)
  primes.forEach(
    (prime, i) => void view.setBigUint64(CONSTANTS + WIDE * i, fraction(prime, 3), true),
  )
  for (const i of EIGHT) view.setBigUint64(FIRST_STATE + WIDE * i, fraction(primes[i]!, 2), true)
}

function firstPrimes(count: number): readonly number[] {
  const primes: number[] = []
  const isPrime = (n: number) => {
    for (const prime of primes) {
      if (prime * prime > n) break
      if (n % prime === 0) return false
    }
    return true
  }
  for (let n = 2; primes.length < count; n++) if (isPrime(n)) primes.push(n)
  return primes
}

/** The first 64 bits behind the point of the root of a small number. */
function fraction(of: number, degree: 2 | 3): bigint {
  const [power, whole] = [BigInt(degree), BigInt(of) << BigInt(64 * degree)]
  // Sixteen of the bits are still to be found, and Newton's step doubles what is known.
  let root = BigInt(Math.floor(of ** (1 / degree) * 2 ** 48)) << 16n
  root -= (root ** power - whole) / (power * root ** (power - 1n))
  while (root ** power > whole) root--
  while ((root + 1n) ** power <= whole) root++
  return BigInt.asUintN(64, root)
}

/** Section 6.2.2 and 6.4.2: changes STATE by the blocks from `at` to `end`. */
function compress(hash: Hash): Routine {
  const { words, rounds, name } = hash
  const { size } = words
  const [at, end, place, scheduled] = [0, 1, 2, 3]
  const state = EIGHT.map(i => 4 + i)
  const one = 12
  return {
    name: `compress${name}`,
    parameters: 2,
    locals: size === WIDE ? 2 : 11,
    wideLocals: size === WIDE ? 9 : 0,
    code: repeatWhile(isBelow(get(at), get(end)), [
      overWords(place, 16, size, [
        set(one, words.load(add(get(at), get(place)), 0)),
        words.store(get(place), SCHEDULE, swapped(words, one)),
      ]),
      prepare(hash, place, one),
      EIGHT.map(i => set(state[i]!, words.load(NOWHERE, STATE + i * size))),
      set(scheduled, NOWHERE),
      overWords(place, rounds, WIDE, [
        EIGHT.map(i => round(hash, i, state, one, place, scheduled)),
        set(place, add(get(place), constant(7 * WIDE))),
        set(scheduled, add(get(scheduled), constant(8 * size))),
      ]),
      EIGHT.map(i => {
        const offset = STATE + i * size
        return words.store(NOWHERE, offset, words.add(words.load(NOWHERE, offset), get(state[i]!)))
      }),
      set(at, add(get(at), constant(16 * size))),
    ]),
  }
}

/** Does `body` with the offset of each of so many words of this size in the local. */
const overWords = (place: number, count: number, size: number, body: Code): Code => [
  set(place, NOWHERE),
  repeatWhile(isBelow(get(place), constant(count * size)), [
    body,
    set(place, add(get(place), constant(size))),
  ]),
]

/** The schedule behind its first sixteen words. */
function prepare({ words, rounds, smallEarly, smallLate }: Hash, place: number, one: number): Code {
  const word = (i: number) => words.load(get(place), SCHEDULE + i * words.size)
  const next = words.add(words.add(word(0), word(9)), small(words, smallEarly, one))
  const offset = SCHEDULE + 16 * words.size
  return overWords(place, rounds - 16, words.size, [
    set(one, word(1)),
    words.store(get(place), offset, next),
    set(one, word(14)),
    words.store(get(place), offset, words.add(word(16), small(words, smallLate, one))),
  ])
}

/** Instead of moving all words by one, each round takes them one place on. */
function round(
  { words, bigA, bigE }: Hash,
  index: number,
  state: readonly number[],
  one: number,
  place: number,
  scheduled: number,
): Code {
  const [a, b, c, d, e, f, g, h] = EIGHT.map(i => get(state[(i - index + 8) % 8]!)) as Code[]
  const [newD, newH] = [3, 7].map(i => state[(i - index + 8) % 8]!) as [number, number]
  const choice = words.xor(g!, words.and(e!, words.xor(f!, g!)))
  const majority = words.xor(words.and(a!, b!), words.and(c!, words.xor(a!, b!)))
  const half = words.size === WIDE ? 0 : 4
  const known = words.add(
    words.load(get(place), CONSTANTS + half + index * WIDE),
    words.load(get(scheduled), SCHEDULE + index * words.size),
  )
  return [
    set(one, words.add(words.add(words.add(h!, known), big(words, bigE, e!)), choice)),
    set(newD, words.add(d!, get(one))),
    set(newH, words.add(words.add(get(one), big(words, bigA, a!)), majority)),
  ]
}

const big = (words: Words, [i, j, k]: readonly [number, number, number], x: Code): Code =>
  words.xor(words.xor(words.rotateRight(x, i), words.rotateRight(x, j)), words.rotateRight(x, k))

function small(words: Words, [i, j, k]: readonly [number, number, number], local: number): Code {
  const x = get(local)
  return words.xor(
    words.xor(words.rotateRight(x, i), words.rotateRight(x, j)),
    words.shiftRight(x, k),
  )
}

/** A word of a local with its bytes in the opposite order; may change the local. */
function swapped(words: Words, local: number): Code {
  const exchanged = (bits: number, mask: bigint) =>
    words.xor(
      words.shiftLeft(words.and(get(local), words.constant(mask)), bits),
      words.and(words.shiftRight(get(local), bits), words.constant(mask)),
    )
  if (words.size === 4) return words.rotateRight(exchanged(8, 0x00ff00ffn), 16)
  return [
    set(local, exchanged(8, 0x00ff00ff00ff00ffn)),
    words.rotateRight(exchanged(16, 0x0000ffff0000ffffn), 32),
  ]
}

/**
 * RFC 2104: of what lies behind `at` and as much room as a block takes, to `end`; written to `to`. Behind the text there is
 * room, all zero, for two blocks.
 */
function hmac(hash: Hash, compressing: number): Routine {
  const { name, words } = hash
  const { size } = words
  const [at, end, to, padded, place, bits] = [0, 1, 2, 3, 4, 5]
  const one = 6
  const block = 16 * size
  // The length has the room of two words; it is small.
  const length = subtract(get(end), get(at))
  const rounded = and(add(length, constant(2 * size + block)), constant(-block))
  const lengthAt = subtract(get(padded), constant(4))
  const begin = EIGHT.map(i => {
    const first = FIRST_STATE + i * WIDE + (WIDE - size)
    return words.store(NOWHERE, STATE + i * size, words.load(NOWHERE, first))
  })
  const writeState = (address: Code, offset: number) =>
    overWords(place, 8, size, [
      set(one, words.load(get(place), STATE)),
      words.store(add(address, get(place)), offset, swapped(words, one)),
    ])
  const xorKey = (address: Code, offset: number, byte: bigint) => {
    const mask = WORDS_64.constant(byte * 0x0101010101010101n)
    const mixed = WORDS_64.xor(WORDS_64.load(get(place), KEY), mask)
    return overWords(place, block / WIDE, WIDE, [
      WORDS_64.store(add(address, get(place)), offset, mixed),
    ])
  }
  return {
    name: `hmac${name}`,
    parameters: 3,
    locals: size === WIDE ? 3 : 4,
    wideLocals: size === WIDE ? 1 : 0,
    code: [
      xorKey(get(at), 0, 0x36n),
      store(get(end), 0, constant(END_MARK)),
      set(padded, add(get(at), rounded)),
      set(bits, shiftLeft(length, constant(3))),
      store(lengthAt, 0, swapped(WORDS_32, bits)),
      begin,
      call(compressing, get(at), get(padded)),
      // Another step of a derivation may have its zeros there.
      store(lengthAt, 0, NOWHERE),
      xorKey(NOWHERE, OUTER, 0x5cn),
      writeState(NOWHERE, OUTER + block),
      endOuter(words),
      begin,
      call(compressing, constant(OUTER), constant(OUTER + 2 * block)),
      writeState(get(to), 0),
    ],
  }
}

/** What follows the padded key and a hash: it is of one length always, and ends with its second block. */
function endOuter({ size }: Words): Code {
  const [from, end] = [OUTER + 24 * size, OUTER + 32 * size]
  const bits = 8n * BigInt(from - OUTER)
  const last = ((bits & 0xffn) << 56n) | ((bits >> 8n) << 48n)
  return Array.from({ length: (end - from) / WIDE }, (_, i) => {
    const offset = from + i * WIDE
    const value = i === 0 ? BigInt(END_MARK) : offset + WIDE === end ? last : 0n
    return WORDS_64.store(NOWHERE, offset, WORDS_64.constant(value))
  })
}

/** RFC 5869 with both hashes: from the text, which ends there, and the context, which ends there; until RESULT is full to there. */
function derive(): Routine {
  const [textEnd, infoEnd, resultEnd, at, to, counter] = [0, 1, 2, 3, 4, 5]
  const key = BLOCK_MAX / 2
  return {
    name: 'derive',
    parameters: 3,
    locals: 3,
    code: [
      call(HMAC_512, constant(TEXT - BLOCK_MAX), get(textEnd), constant(KEY)),
      set(at, constant(INFO - key)),
      set(to, constant(RESULT)),
      repeatWhile(isBelow(get(to), get(resultEnd)), [
        set(counter, add(get(counter), constant(1))),
        store(get(infoEnd), 0, get(counter)),
        call(HMAC_256, get(at), add(get(infoEnd), constant(1)), constant(INFO - STEP)),
        Array.from({ length: STEP / WIDE }, (_, i) =>
          WORDS_64.store(get(to), i * WIDE, WORDS_64.load(NOWHERE, INFO - STEP + i * WIDE)),
        ),
        set(to, add(get(to), constant(STEP))),
        set(at, constant(INFO - STEP - key)),
      ]),
    ],
  }
}
