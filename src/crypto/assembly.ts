/**
 * WebAssembly put together at run time: as much of its binary format as the ciphers here need
 * (WebAssembly Core Specification 2.0, chapter 5). What a function is given is i32, what it works with i32 or
 * i64; all functions of a module work on one memory. There is no compiler to trust and no binary to review: a
 * program is what its source says.
 */

/** The bytes of some instructions; put in a tree, so that nothing is copied before the end. */
export type Code = number | readonly Code[]

export interface Routine {
  readonly name: string
  /** The first locals are what the routine is given. */
  readonly parameters: number
  /** So many more, zero at the beginning. */
  readonly locals: number
  /** And so many of 64 bits behind those. */
  readonly wideLocals?: number
  readonly code: Code
}

/** What runs: each routine by its name, and the memory they share. */
export interface Machine {
  readonly memory: Uint8Array
  readonly run: Readonly<Record<string, (...values: number[]) => void>>
}

/** What Node has and its types leave out. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number; maximum: number }) => { buffer: ArrayBuffer }
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { exports: Machine['run'] }
}

/** Arithmetic on words of one size; shifts and rotations by a constant. */
export interface Words {
  /** In bytes. */
  readonly size: 4 | 8
  constant(value: bigint): Code
  load(address: Code, offset: number): Code
  store(address: Code, offset: number, value: Code): Code
  add(a: Code, b: Code): Code
  and(a: Code, b: Code): Code
  xor(a: Code, b: Code): Code
  shiftLeft(a: Code, bits: number): Code
  shiftRight(a: Code, bits: number): Code
  rotateRight(a: Code, bits: number): Code
}

const I32 = 0x7f
const I64 = 0x7e
const PAGE = 65_536

// Section 5.4: a number, a local, arithmetic; memory is at a constant distance from an address.
export const constant = (value: number): Code => [0x41, signed(value)]
export const get = (local: number): Code => [0x20, unsigned(local)]
export const set = (local: number, value: Code): Code => [value, 0x21, unsigned(local)]
const operation = (opcode: number) => (a: Code, b: Code) => [a, b, opcode]
export const subtract = operation(0x6b)
export const shiftLeft = operation(0x74)
export const shiftRight = operation(0x76)
export const rotateLeft = operation(0x77)
/** Whether the first is less than the second, both without sign. */
export const isBelow = operation(0x49)
/** Runs the routine at this place in the list. */
export const call = (routine: number, ...given: Code[]): Code => [given, 0x10, unsigned(routine)]
/** Does `body` again as long as `condition` holds at its end. */
export const repeatWhile = (condition: Code, body: Code): Code => [
  ...[0x03, 0x40, body, condition],
  ...[0x0d, 0, 0x0b],
]

/** Given the opcodes of a constant, of load, store, add and and; what else bits have follows the last in its order. */
function wordsOf(
  size: 4 | 8,
  align: number,
  [constantAt, loadAt, storeAt, addAt, andAt]: readonly number[],
): Words {
  const value = (bits: bigint): Code => [constantAt!, signedWide(BigInt.asIntN(8 * size, bits))]
  const by = (opcode: number) => (a: Code, bits: number) => [a, constantAt!, signed(bits), opcode]
  return {
    size,
    constant: value,
    load: (address, offset) => [address, loadAt!, align, unsigned(offset)],
    store: (address, offset, word) => [[address, word], storeAt!, align, unsigned(offset)],
    add: operation(addAt!),
    and: operation(andAt!),
    xor: operation(andAt! + 2),
    shiftLeft: by(andAt! + 3),
    shiftRight: by(andAt! + 5),
    rotateRight: by(andAt! + 7),
  }
}
export const WORDS_32 = wordsOf(4, 2, [0x41, 0x28, 0x36, 0x6a, 0x71])
export const { load, store, add, and, xor } = WORDS_32
export const WORDS_64 = wordsOf(8, 3, [0x42, 0x29, 0x37, 0x7c, 0x83])

/** The program of `routines`, with `size` bytes of memory. Null where this Node has no WebAssembly, or no room. */
export function assemble(routines: readonly Routine[], size: number): Machine | null {
  const pages = Math.ceil(size / PAGE)
  try {
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages })
    const instance = new WebAssembly.Instance(new WebAssembly.Module(binary(routines, pages)), {
      own: { memory },
    })
    return { memory: new Uint8Array(memory.buffer), run: instance.exports }
  } catch {
    return null // With --jitless there is none; with little address space no memory of it.
  }
}

/** Section 5.5: types, the imported memory, functions, exports, code. */
function binary(routines: readonly Routine[], pages: number): Uint8Array {
  const types = routines.map(({ parameters }) => [0x60, list(Array(parameters).fill(I32)), 0])
  const memory = [text('own'), text('memory'), 2, 1, unsigned(pages), unsigned(pages)]
  const exports = routines.map(({ name }, at) => [text(name), 0, unsigned(at)])
  const bodies = routines.map(({ locals, wideLocals = 0, code }) => {
    const kinds = [
      [unsigned(locals), I32],
      [unsigned(wideLocals), I64],
    ]
    return sized([list(kinds), code, 0x0b])
  })
  return Uint8Array.from(
    flat([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...[1, sized(list(types)), 2, sized(list([memory]))],
      ...[3, sized(list(routines.map((_, at) => unsigned(at)))), 7, sized(list(exports))],
      ...[10, sized(list(bodies))],
    ]),
  )
}

const list = (items: readonly Code[]): Code => [unsigned(items.length), items]
const text = (ascii: string): Code => list(Array.from(ascii, letter => letter.charCodeAt(0)))

function sized(content: Code): Code {
  const bytes = flat(content)
  return [unsigned(bytes.length), bytes]
}

function flat(code: Code, bytes: number[] = []): number[] {
  if (typeof code === 'number') bytes.push(code)
  else for (const part of code) flat(part, bytes)
  return bytes
}

/** LEB128, section 5.2.2. */
function unsigned(value: number): Code {
  return value < 128 ? value : [(value & 127) | 128, unsigned(value >>> 7)]
}

function signed(value: number): Code {
  return value >= -64 && value < 64 ? value & 127 : [(value & 127) | 128, signed(value >> 7)]
}

function signedWide(value: bigint): Code {
  const low = Number(value & 127n)
  return value >= -64n && value < 64n ? low : [low | 128, signedWide(value >> 7n)]
}
