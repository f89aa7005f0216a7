/**
 * The file system as a transaction over files sees it: each call is one step that either happened or threw.
 * An interface, so that tests can let any of these steps fail, or be the last one of the process.
 */

import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { BoxError } from '../base/errors.ts'
import { syncDirectory } from './file-store.ts'

export interface Entry {
  readonly is: 'file' | 'directory' | 'link' | 'other'
  readonly size: number
  /** The lower twelve bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

export interface Access {
  readonly mode: number
  readonly uid: number
  readonly gid: number
}

/** Errors are those of Node: with a `code`. */
export interface Disk {
  /** What is at a path, links not followed; null where nothing is. */
  look(path: string): Entry | null
  /** The content of a regular file of at most `sizeMax` bytes, links not followed. */
  read(path: string, sizeMax: number): Uint8Array
  /** Makes a file that was not there and brings it to the disk. `access` null: for the owner of the process only. */
  write(path: string, content: Uint8Array, access: Access | null): void
  /** A second name for a file; where the file system has no such thing, a copy with the same access. */
  link(from: string, to: string): void
  rename(from: string, to: string): void
  /** Removes a file; nothing happens where there is none. */
  remove(path: string): void
  makeDirectory(path: string, mode: number): void
  /** Removes a directory if it is empty. */
  removeDirectory(path: string): void
  /** Removes a directory and all below it. */
  removeTree(path: string): void
  /** Brings the names in a directory to the disk. */
  sync(directory: string): void
  list(directory: string): readonly string[]
}

const OWNER_FILE = 0o600
const MODE_BITS = 0o7777

export const realDisk: Disk = {
  look: path => {
    const stat = lstatSync(path, { throwIfNoEntry: false })
    return stat ? entryOf(stat) : null
  },
  read: (path, sizeMax) => {
    const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      return readWhole(file, path, sizeMax)
    } finally {
      closeSync(file)
    }
  },
  write: (path, content, access) => {
    const file = openSync(path, 'wx', OWNER_FILE)
    try {
      writeFileSync(file, content)
      if (access) {
        // The owner first: changing it takes the set-user-ID bits away.
        fchownSync(file, access.uid, access.gid)
        fchmodSync(file, access.mode)
      }
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
  },
  link: (from, to) => {
    try {
      linkSync(from, to)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (!['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'EMLINK', 'EXDEV'].includes(code ?? '')) throw cause
      copyWithAccess(from, to)
    }
  },
  rename: (from, to) => renameSync(from, to),
  remove: path => rmSync(path, { force: true }),
  makeDirectory: (path, mode) => {
    mkdirSync(path)
    chmodSync(path, mode)
  },
  removeDirectory: path => {
    try {
      rmdirSync(path)
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(code ?? '')) throw cause
    }
  },
  removeTree: path => rmSync(path, { recursive: true, force: true }),
  sync: syncDirectory,
  list: directory => readdirSync(directory),
}

/** Names of finished and unfinished files never meet: this one is only ever renamed. */
export function replaceOn(disk: Disk, path: string, content: Uint8Array): void {
  const aside = `${path}.new`
  disk.remove(aside)
  disk.write(aside, content, null)
  disk.rename(aside, path)
  disk.sync(path.slice(0, path.lastIndexOf('/')))
}

function entryOf(stat: Stats): Entry {
  const is = stat.isFile()
    ? 'file'
    : stat.isDirectory()
      ? 'directory'
      : stat.isSymbolicLink()
        ? 'link'
        : 'other'
  return { is, size: stat.size, mode: stat.mode & MODE_BITS, uid: stat.uid, gid: stat.gid }
}

function readWhole(file: number, path: string, sizeMax: number): Uint8Array {
  const stat = fstatSync(file)
  if (!stat.isFile()) throw new BoxError('STATE_UNREADABLE', `${path} is no file.`)
  if (stat.size > sizeMax)
    throw new BoxError('LIMIT_EXCEEDED', `${path} has ${stat.size} bytes, more than ${sizeMax}.`)
  const content = new Uint8Array(stat.size)
  let at = 0
  while (at < content.length) {
    const count = readSync(file, content, at, content.length - at, at)
    if (count === 0) return content.slice(0, at)
    at += count
  }
  return content
}

function copyWithAccess(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_EXCL)
  const { uid, gid, mode } = lstatSync(from)
  const file = openSync(to, 'r+')
  try {
    fchownSync(file, uid, gid)
    fchmodSync(file, mode & MODE_BITS)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
