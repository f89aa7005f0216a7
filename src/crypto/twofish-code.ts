/**
 * The loops of twofish.ts over a message, as WebAssembly: the same rounds over the same tables. The property
 * test of symmetric.ts compares the two.
 *
 * Every look-up shifts its byte to where it is the offset of a word at once. Decryption does two blocks
 * beside each other, as in twofish.ts; three or four need more registers than there are, and are slower.
 */

import {
  add,
  and,
  type Code,
  constant,
  get,
  isBelow,
  load,
  type Routine,
  repeatWhile,
  rotateLeft,
  set,
  shiftLeft,
  shiftRight,
  store,
  xor,
} from './assembly.ts'
import { ROUND_KEYS, TABLE_WORDS, WHITENING } from './twofish.ts'

const WORD = 4
const BLOCK = 4 * WORD
const DATA_MAX = 65_536

/** The memory: the key's table from 0, the block before the first; then data, and what is mixed into it. */
export const STATE = TABLE_WORDS * WORD
/** Behind one block that the caller may use. */
export const AT = STATE + 2 * BLOCK
/** A message that ends with an odd block takes one more block of its place. */
export const MASK = AT + DATA_MAX + 2 * BLOCK
export const MEMORY_SIZE = MASK + DATA_MAX + 2 * BLOCK

const NOWHERE = constant(0)
const FOUR = [0, 1, 2, 3] as const

/** The locals of every routine: what it is given, the block before, the place of the round keys. */
const at = 0
const end = 1
const before = [2, 3, 4, 5] as const
const round = 6
/** Then those of each block that is worked on: its words, and two results. */
const lane = (index: number): Lane => {
  const first = 7 + 6 * index
  return { words: [first, first + 1, first + 2, first + 3], f: first + 4, g: first + 5 }
}
const LANE_LOCALS = 6

interface Lane {
  readonly words: readonly [number, number, number, number]
  readonly f: number
  readonly g: number
}

/** Encrypts from `at` to `end`, with the mask of each word mixed into it first. */
export function twofishEncrypt(): Routine {
  const only = lane(0)
  const mixed = (i: number) => xor(load(get(at), i * WORD), load(get(at), MASK - AT + i * WORD))
  return overBlocks('encrypt', 1, [
    whiten(only, i => get(before[i]!)),
    rounds([only]),
    FOUR.map(i => [
      set(before[i]!, xor(mixed(i), whitened(only, i))),
      store(get(at), i * WORD, get(before[i]!)),
    ]),
  ])
}

/** Decrypts from `at` to `end`. */
export function twofishDecrypt(): Routine {
  const [one, two] = [lane(0), lane(1)]
  const change = (from: Lane, offset: number) =>
    FOUR.map(i => {
      const place = offset + i * WORD
      return store(get(at), place, xor(load(get(at), place), whitened(from, i)))
    })
  return overBlocks('decrypt', 2, [
    whiten(one, i => get(before[i]!)),
    whiten(two, i => load(get(at), i * WORD)),
    FOUR.map(i => set(before[i]!, load(get(at), BLOCK + i * WORD))),
    rounds([one, two]),
    change(one, 0),
    change(two, BLOCK),
  ])
}

/** Mixes the mask into what lies from `at` to `end`. */
export function mix(): Routine {
  const word = (i: number) => {
    const mixed = xor(load(get(at), i * WORD), load(get(at), MASK - AT + i * WORD))
    return store(get(at), i * WORD, mixed)
  }
  return overBlocks('mix', 1, FOUR.map(word))
}

/** A routine that does `body` for each `blocks` blocks, and begins with the block at STATE. */
const overBlocks = (name: string, blocks: number, body: Code): Routine => ({
  name,
  parameters: 2,
  locals: 5 + LANE_LOCALS * blocks,
  code: [
    FOUR.map(i => set(before[i]!, load(NOWHERE, STATE + i * WORD))),
    repeatWhile(isBelow(get(at), get(end)), [
      body,
      set(at, add(get(at), constant(blocks * BLOCK))),
    ]),
  ],
})

const whiten = ({ words }: Lane, word: (i: number) => Code): Code =>
  FOUR.map(i => set(words[i]!, xor(word(i), load(NOWHERE, (WHITENING + i) * WORD))))

/** After the last round the halves stand crosswise. */
const whitened = ({ words }: Lane, i: number): Code =>
  xor(get(words[(i + 2) % 4]!), load(NOWHERE, (WHITENING + 4 + i) * WORD))

/** Sixteen rounds, two at a time, of all lanes in turn. */
function rounds(lanes: readonly Lane[]): Code {
  const pair = [0, 1].map(odd => lanes.map(each => oneRound(each, odd)))
  return [
    set(round, NOWHERE),
    repeatWhile(isBelow(get(round), constant(32 * WORD)), [
      pair,
      set(round, add(get(round), constant(4 * WORD))),
    ]),
  ]
}

function oneRound({ words, f, g }: Lane, odd: number): Code {
  const [a, b, c, d] = FOUR.map(i => words[(i + 2 * odd) % 4]!) as [number, number, number, number]
  const key = (i: number) => load(get(round), (ROUND_KEYS + 2 * odd + i) * WORD)
  return [
    set(g, lookUp(get(b), 1)),
    set(f, lookUp(get(a), 0)),
    set(c, rotateLeft(xor(get(c), add(add(get(g), key(0)), get(f))), constant(31))),
    set(d, xor(rotateLeft(get(d), constant(1)), add(add(add(get(g), get(g)), key(1)), get(f)))),
  ]
}

/** The function g of section 4.2; `from` is the table of the lowest byte: 1 as if rotated left by 8. */
function lookUp(x: Code, from: number): Code {
  const table = (i: number) => load(offsetOf(x, i), ((from + i) % 4) * 256 * WORD)
  return xor(xor(table(0), table(1)), xor(table(2), table(3)))
}

/** Byte `i` of a word, times the size of one. */
function offsetOf(x: Code, i: number): Code {
  const shifted = i === 0 ? shiftLeft(x, constant(2)) : shiftRight(x, constant(8 * i - 2))
  return and(shifted, constant(255 * WORD))
}
