/**
 * A folder of files that only grow: each is appended to, read in pieces, and removed as a whole. What could not
 * be appended as a whole is not there. For its owner only.
 */

import {
  closeSync,
  constants,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { attempt, makeDirectory, syncDirectory } from './file-store.ts'

export interface GrowingFiles {
  /** Name and size of each, in the order of the names. Throws STATE_UNREADABLE. */
  list(): readonly GrownFile[]
  /** A file to append to; it must not be there yet. Throws STATE_UNWRITABLE. */
  create(name: string): GrowingFile
  /** One that is there, to append to behind its first `size` bytes; what it has beyond them goes. Throws STATE_UNWRITABLE. */
  goOn(name: string, size: number): GrowingFile
  /** At most `size` bytes from `from` on; fewer only at the end. Throws STATE_UNREADABLE. */
  read(name: string, from: number, size: number): Uint8Array
  /** Throws STATE_UNWRITABLE. Nothing happens where there is none. */
  remove(name: string): void
  /** Bytes that can still be written on this disk. Throws STATE_UNREADABLE. */
  free(): number
}

export interface GrownFile {
  readonly name: string
  readonly size: number
}

export interface GrowingFile {
  /** Throws STATE_UNWRITABLE, and then nothing of it is there. */
  append(bytes: Uint8Array): void
  /** Brings it to the disk, where it can. */
  sync(): void
  /** Brings it to the disk, where it can. */
  close(): void
}

const OWNER_FILE = 0o600

/** The folder is made when the first file is. */
export function growingFiles(directory: string): GrowingFiles {
  const pathOf = (name: string) => join(directory, name)
  return {
    list: () => attempt('STATE_UNREADABLE', directory, () => listed(directory)),
    create: name =>
      attempt('STATE_UNWRITABLE', pathOf(name), () => {
        makeDirectory(directory)
        const file = openSync(pathOf(name), 'ax', OWNER_FILE)
        try {
          syncDirectory(directory)
        } catch (cause) {
          closeSync(file)
          rmSync(pathOf(name), { force: true })
          throw cause
        }
        return growing(file, pathOf(name), 0)
      }),
    goOn: (name, size) =>
      attempt('STATE_UNWRITABLE', pathOf(name), () => {
        const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants
        const file = openSync(pathOf(name), O_WRONLY | O_APPEND | O_NOFOLLOW)
        try {
          ftruncateSync(file, size)
        } catch (cause) {
          closeSync(file)
          throw cause
        }
        return growing(file, pathOf(name), size)
      }),
    read: (name, from, size) =>
      attempt('STATE_UNREADABLE', pathOf(name), () => readPiece(pathOf(name), from, size)),
    remove: name =>
      attempt('STATE_UNWRITABLE', pathOf(name), () => rmSync(pathOf(name), { force: true })),
    free: () =>
      attempt('STATE_UNREADABLE', directory, () => {
        const isMade = statSync(directory, { throwIfNoEntry: false }) !== undefined
        const { bavail, bsize } = statfsSync(isMade ? directory : dirname(directory))
        return bavail * bsize
      }),
  }
}

function listed(directory: string): GrownFile[] {
  const stat = statSync(directory, { throwIfNoEntry: false })
  if (!stat) return []
  return readdirSync(directory)
    .toSorted()
    .flatMap(name => {
      const found = statSync(join(directory, name), { throwIfNoEntry: false })
      return found?.isFile() ? [{ name, size: found.size }] : []
    })
}

function growing(file: number, path: string, from: number): GrowingFile {
  let size = from
  let isOpen = true
  const sync = () => {
    try {
      fsyncSync(file)
    } catch {
      // What was written stays as good as it is.
    }
  }
  return {
    append: bytes =>
      attempt('STATE_UNWRITABLE', path, () => {
        try {
          writeFileSync(file, bytes)
        } catch (cause) {
          ftruncateSync(file, size)
          throw cause
        }
        size += bytes.length
      }),
    sync,
    close: () => {
      if (!isOpen) return
      isOpen = false
      sync()
      closeSync(file)
    },
  }
}

function readPiece(path: string, from: number, size: number): Uint8Array {
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  try {
    const piece = new Uint8Array(size)
    let count = 0
    while (count < size) {
      const more = readSync(file, piece, count, size - count, from + count)
      if (more === 0) break
      count += more
    }
    return piece.subarray(0, count)
  } finally {
    closeSync(file)
  }
}
