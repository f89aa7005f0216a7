/**
 * The tree of hashes of a file (src/social/file-tree.ts) on the disk, level by level, the leaves first: whoever hands the
 * file out reads the few hashes of each proof there, and nothing grows in memory with the file.
 */

import { closeSync, constants, fstatSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs'
import { equalBytes } from '../../src/base/bytes.ts'
import { type Clock, pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  CHUNK_SIZE,
  chunkCount,
  chunkSize,
  HASH_SIZE,
  leafHash,
  levelSizes,
  nodeHash,
  proofPlaces,
} from '../../src/social/file-tree.ts'

/** Of a level, at once: an even number. */
const HASHES_AT_ONCE = 4_096
/** A megabyte or two: then whatever else the process does has its turn. */
const CHUNKS_AT_ONCE = 32
const OWNER_FILE = 0o600

export interface Reading {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** So many bytes are through. */
  readonly step?: (done: number) => void
}

/**
 * Reads a file of this size to its end and writes its tree; the root. Fails with FILE_UNUSABLE where the file is shorter,
 * with what the disk says, and with the reason of the signal.
 */
export async function plantTree(
  file: number,
  size: number,
  treePath: string,
  reading: Reading,
): Promise<Uint8Array> {
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC
  const tree = openSync(treePath, flags, OWNER_FILE)
  try {
    await eachChunk(file, size, reading, (chunk, index) => {
      writeAt(tree, leafHash(chunk), index * HASH_SIZE)
      return true
    })
    let at = 0
    for (const count of levelSizes(chunkCount(size)).slice(0, -1)) at = plantLevel(tree, at, count)
    fsyncSync(tree)
    return hashesAt(tree, at, 1)
  } finally {
    closeSync(tree)
  }
}

/** Hands over one chunk after the other, until one is not taken. Fails as plantTree. */
export async function eachChunk(
  file: number,
  size: number,
  { clock, signal, step }: Reading,
  take: (chunk: Uint8Array, index: number) => boolean,
): Promise<void> {
  const chunk = new Uint8Array(CHUNK_SIZE)
  for (let i = 0; i < chunkCount(size); i++) {
    if (i % CHUNKS_AT_ONCE === 0) {
      signal.throwIfAborted()
      await pause(clock, 0, signal)
    }
    const wanted = chunk.subarray(0, chunkSize(size, i))
    if (!isRead(file, wanted, i * CHUNK_SIZE))
      throw new BoxError('FILE_UNUSABLE', 'The file became shorter while it was read.')
    if (!take(wanted, i)) return
    step?.(i * CHUNK_SIZE + wanted.length)
  }
}

/** Writes the level above the one that begins at `from`; where it begins. */
function plantLevel(tree: number, from: number, count: number): number {
  const above = from + count * HASH_SIZE
  let to = above
  for (let i = 0; i < count; i += HASHES_AT_ONCE) {
    const number = Math.min(HASHES_AT_ONCE, count - i)
    const hashes = hashesAt(tree, from + i * HASH_SIZE, number)
    const nodes = new Uint8Array(Math.ceil(number / 2) * HASH_SIZE)
    for (let at = 0; at < hashes.length; at += 2 * HASH_SIZE) {
      const left = hashes.subarray(at, at + HASH_SIZE)
      const right = hashes.subarray(at + HASH_SIZE, at + 2 * HASH_SIZE)
      nodes.set(right.length === 0 ? left : nodeHash(left, right), at / 2)
    }
    writeAt(tree, nodes, to)
    to += nodes.length
  }
  return above
}

function hashesAt(tree: number, at: number, count: number): Uint8Array {
  const hashes = new Uint8Array(count * HASH_SIZE)
  if (isRead(tree, hashes, at)) return hashes
  throw new BoxError('FILE_UNUSABLE', 'The tree of hashes is shorter than what was written.')
}

/** False where there is less. */
export function isRead(file: number, into: Uint8Array, at: number): boolean {
  for (let done = 0; done < into.length; ) {
    const got = readSync(file, into, done, into.length - done, at + done)
    if (got === 0) return false
    done += got
  }
  return true
}

export function writeAt(file: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length; )
    done += writeSync(file, bytes, done, bytes.length - done, at + done)
}

/** A file and its tree, opened to be handed out. */
export class PlantedFile {
  private readonly size: number
  private readonly file: number
  private readonly tree: number
  /** Where the levels begin. */
  private readonly starts: readonly number[]

  /** Throws FILE_UNUSABLE where the file is another one by now, and what the disk says. */
  constructor(path: string, treePath: string, size: number) {
    this.size = size
    this.file = openSync(path, 'r')
    try {
      this.tree = openSync(treePath, 'r')
    } catch (error) {
      closeSync(this.file)
      throw error
    }
    let at = 0
    this.starts = levelSizes(chunkCount(size)).map(count => {
      const start = at
      at += count * HASH_SIZE
      return start
    })
    if (fstatSync(this.tree).size === at && fstatSync(this.file).size === size) return
    this.close()
    throw new BoxError('FILE_UNUSABLE', `${path} is another file by now.`)
  }

  /** The chunk with its proof; null where it is not what it was when the tree was made. */
  chunk(
    index: number,
  ): { readonly plain: Uint8Array; readonly proof: readonly Uint8Array[] } | null {
    const plain = read(this.file, index * CHUNK_SIZE, chunkSize(this.size, index))
    const leaf = this.hash(0, index)
    if (!plain || !leaf || !equalBytes(leafHash(plain), leaf)) return null
    const proof = proofPlaces(chunkCount(this.size), index).flatMap(
      ({ level, at }) => this.hash(level, at) ?? [],
    )
    return { plain, proof }
  }

  close(): void {
    closeSync(this.file)
    closeSync(this.tree)
  }

  private hash(level: number, at: number): Uint8Array | null {
    return read(this.tree, this.starts[level]! + at * HASH_SIZE, HASH_SIZE)
  }
}

function read(file: number, at: number, size: number): Uint8Array | null {
  const bytes = new Uint8Array(size)
  return isRead(file, bytes, at) ? bytes : null
}
