/**
 * A file that is being fetched: what has come lies beside where it shall be, under a hidden name, with the hash of each
 * chunk in a second file. After whatever death, what lies there is looked at again, and what is right counts. It takes
 * its place only when all of it is what was offered, and never the place of another file.
 */

import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  openSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { type FileOffer, offerId } from '../../src/social/file-offer.ts'
import type { Verified } from '../../src/social/file-part.ts'
import { CHUNK_SIZE, chunkCount, HASH_SIZE, leafHash } from '../../src/social/file-tree.ts'
import { syncDirectory } from '../../src/sys/file-store.ts'
import { unusable } from '../file-side.ts'
import { mustHaveRoom } from './disk-room.ts'
import { eachChunk, isRead, plantTree, type Reading, writeAt } from './tree-file.ts'

const OWNER_FILE = 0o600

export class PartFile {
  /** The first chunk that is missing. */
  next = 0
  private readonly offer: FileOffer
  private readonly directory: string
  private readonly part: number
  private readonly hashes: number
  private isOpen = true

  /**
   * Goes on with what lies in the directory, or begins. Fails with FILE_UNUSABLE, also where the disk has no room for it,
   * and with the reason of the signal.
   */
  static async open(directory: string, offer: FileOffer, reading: Reading): Promise<PartFile> {
    const one = new PartFile(directory, offer)
    try {
      await one.lookAgain(reading)
      one.mustFit()
      return one
    } catch (error) {
      one.close()
      throw error
    }
  }

  private constructor(directory: string, offer: FileOffer) {
    const { part, hashes } = partPaths(directory, offer)
    this.directory = directory
    this.offer = offer
    this.part = openOwn(part)
    try {
      this.hashes = openOwn(hashes)
    } catch (error) {
      closeSync(this.part)
      throw error
    }
  }

  get isWhole(): boolean {
    return this.next === chunkCount(this.offer.size)
  }

  /** How much of it there is. */
  get bytes(): number {
    return Math.min(this.next * CHUNK_SIZE, this.offer.size)
  }

  /** Takes the next chunk; another one is none of ours. Throws FILE_UNUSABLE. */
  take({ index, plain, leaf }: Verified): void {
    if (index !== this.next) return
    disk(this.directory, () => {
      writeAt(this.part, plain, index * CHUNK_SIZE)
      writeAt(this.hashes, leaf, index * HASH_SIZE)
    })
    this.next++
  }

  /**
   * Puts it where it belongs, and its tree beside the others; `placed` writes that down. Fails with FILE_EXISTS where something is there already,
   * FILE_DAMAGED where the disk has lost something: then that is fetched again.
   */
  async finish(
    target: string,
    treePath: string,
    reading: Reading,
    placed: () => Promise<void>,
  ): Promise<void> {
    const { part } = partPaths(this.directory, this.offer)
    disk(part, () => fsyncSync(this.part))
    const root = await plantTree(this.part, this.offer.size, treePath, reading)
    if (!equalBytes(root, this.offer.root)) {
      await this.lookAgain(reading)
      throw new BoxError('FILE_DAMAGED', 'The disk does not give back what was written to it.')
    }
    if (!isSameFile(part, target)) place(part, target)
    disk(this.directory, () => syncDirectory(this.directory))
    await placed()
    this.discard()
  }

  /** Deletes what has come, but for what has taken its place. */
  discard(): void {
    this.close()
    removeParts(this.directory, this.offer)
  }

  /** Leaves it for the next time; where nothing has come, nothing stays. */
  leave(): void {
    if (this.next === 0 && this.isOpen) this.discard()
    else this.close()
  }

  private close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    closeSync(this.part)
    closeSync(this.hashes)
  }

  /** Counts what is there and right, and drops the rest. */
  private async lookAgain(reading: Reading): Promise<void> {
    const { size } = this.offer
    const there = Math.min(fstatSync(this.part).size, size)
    const leaf = new Uint8Array(HASH_SIZE)
    this.next = 0
    // Only chunks that can be whole are read: an empty file has none that is.
    const whole = there === size ? chunkCount(size) : Math.floor(there / CHUNK_SIZE)
    if (whole > 0)
      await eachChunk(this.part, Math.min(size, whole * CHUNK_SIZE), reading, (chunk, index) => {
        const isThere = isRead(this.hashes, leaf, index * HASH_SIZE)
        if (!isThere || !equalBytes(leafHash(chunk), leaf)) return false
        this.next = index + 1
        return true
      })
    ftruncateSync(this.part, this.bytes)
    ftruncateSync(this.hashes, this.next * HASH_SIZE)
  }

  private mustFit(): void {
    if (!this.isWhole) mustHaveRoom(this.directory, this.offer.size - this.bytes)
  }
}

/** What a process has left that was killed when the file was in its place already. */
export function removeParts(directory: string, offer: FileOffer): void {
  for (const path of Object.values(partPaths(directory, offer))) rmSync(path, { force: true })
}

/** Where what has come of a file lies while the rest is fetched. */
export const partPath = (directory: string, offer: FileOffer): string =>
  partPaths(directory, offer).part

const partPaths = (directory: string, offer: FileOffer) => {
  const path = join(directory, `.${offer.name}.${offerId(offer)}`)
  return { part: `${path}.part`, hashes: `${path}.hashes` }
}

/** Ours, or a new one; never what a link leads to. */
const openOwn = (path: string): number =>
  disk(path, () =>
    openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, OWNER_FILE),
  )

/** A link fails where something is there: nothing is ever replaced. */
function place(part: string, target: string): void {
  try {
    linkSync(part, target)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new BoxError('FILE_EXISTS', `${target} is there: say where to with --out.`)
    unusable(target)(cause)
  }
}

/** Whether a process died after it had put the file in its place. */
function isSameFile(part: string, target: string): boolean {
  const [one, other] = [part, target].map(path => lstatSync(path, { throwIfNoEntry: false }))
  return one !== undefined && other !== undefined && one.ino === other.ino && one.dev === other.dev
}

/** Makes what the disk says an error that names the file. */
function disk<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    return unusable(path)(cause)
  }
}
