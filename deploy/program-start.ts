/**
 * What `box` and `box-agent` in dist/bin are themselves: this loads the parts of the program, each when it is asked
 * for, from a file of its own or from a pack of several (packs.ts).
 *
 * It never frees a large buffer: from the first one on, glibc keeps as much free memory at the end of each of its
 * arenas, twice over, and gives it back no more (mallopt(3), M_MMAP_THRESHOLD). A device that copied files stayed
 * larger by 6 MB.
 */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import type { Module, Part } from './part.ts'

/** Set by deploy/programs.ts: the part that starts, and of parts in packs in which one they are. */
declare const MAIN_PART: string
declare const PACKED: Readonly<Record<string, string>>

/** The types of Node leave it out. */
declare const WebAssembly: {
  readonly Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer }
}

/** Less than what glibc takes for large at first, 128 KiB. */
const PIECE_BYTES = 64 * 1_024
const PAGE_BYTES = 64 * 1_024

const modules = new Map<string, Module>()
const packs = new Map<string, Readonly<Record<string, Part>>>()
const bundleUrl = pathToFileURL(__filename).href

/** What a part requires: another part, or what Node finds. */
const required = (name: string): unknown =>
  name.startsWith('./') ? load(name.slice('./'.length)) : require(name)

function load(name: string): unknown {
  const known = modules.get(name)
  if (known) return known.exports
  const part = partOf(name)
  const module: Module = { exports: {} }
  // Before it runs: two parts may ask for one another.
  modules.set(name, module)
  part(module.exports, required, module, __filename, __dirname, bundleUrl)
  return module.exports
}

function partOf(name: string): Part {
  const pack = PACKED[name]
  if (pack === undefined) return run(join(__dirname, name)) as Part
  let parts = packs.get(pack)
  if (!parts) {
    parts = run(join(__dirname, `${pack}.js`), cacheOf(pack)) as Readonly<Record<string, Part>>
    packs.set(pack, parts)
  }
  return parts[name]!
}

/** Throws the error of the system where there is no such file. */
function withFile<T>(filename: string, use: (descriptor: number) => T): T {
  const descriptor = openSync(filename, 'r')
  try {
    return use(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** All texts are ASCII: V8 keeps a byte for each character. */
const textOf = (filename: string): string =>
  withFile(filename, descriptor => {
    const piece = Buffer.allocUnsafe(PIECE_BYTES)
    let text = ''
    for (let size = 1; size > 0; ) {
      size = readSync(descriptor, piece)
      text += piece.toString('latin1', 0, size)
    }
    return text
  })

/** The bytes of a file in memory that is not malloc's. */
const bytesOf = (filename: string): Uint8Array =>
  withFile(filename, descriptor => {
    const { size } = fstatSync(descriptor)
    const { buffer } = new WebAssembly.Memory({ initial: Math.ceil(size / PAGE_BYTES) })
    const bytes = new Uint8Array(buffer, 0, size)
    for (let at = 0; at < size; ) {
      const read = readSync(descriptor, bytes, at, size - at, null)
      if (read === 0) throw new Error(`${filename} ends early`)
      at += read
    }
    return bytes
  })

const run = (filename: string, cachedData?: Uint8Array): unknown =>
  new Script(textOf(filename), {
    filename,
    ...(cachedData && { cachedData }),
  }).runInThisContext()

/** What V8 made of it when it was built; it does without where that is not there, or of another V8. */
function cacheOf(pack: string): Uint8Array | undefined {
  try {
    return bytesOf(join(__dirname, `${pack}.cache`))
  } catch {
    return undefined
  }
}

load(MAIN_PART)
