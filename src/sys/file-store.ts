/**
 * A Store in a directory: a file a value, readable for its owner only. A value is written aside,
 * brought to the disk, and renamed into place, so that a crash at any moment leaves the old or the new.
 */

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { BoxError } from '../base/errors.ts'
import type { Store } from '../base/store.ts'

const OWNER_DIRECTORY = 0o700
const OWNER_FILE = 0o600
const WRITABLE_BY_OTHERS = 0o022
/** Values are keys, settings, lists of peers: more is no value of ours, and a router has 64 MB. */
const VALUE_BYTES_MAX = 16 * 1_024 * 1_024
/** File systems allow 255 bytes; the rest is for the mark of an unfinished file. */
const FILE_NAME_BYTES_MAX = 240
/** Begins the names of unfinished files, and no others: a value's name never begins with a dot. */
const UNFINISHED = '.new-'

/**
 * Opens a directory as a store; makes it where there is none, and tidies up after a crash.
 * Throws BoxError STATE_UNWRITABLE where that is not possible. One process at a time: see state-lock.ts.
 */
export function fileStore(directory: string): Store {
  attempt('STATE_UNWRITABLE', directory, () => prepare(directory))
  const pathOf = (name: string) => join(directory, fileName(name))
  return {
    get: name => attempt('STATE_UNREADABLE', pathOf(name), () => read(pathOf(name))),
    set: (name, value) => {
      const aside = join(directory, UNFINISHED + fileName(name))
      attempt('STATE_UNWRITABLE', pathOf(name), () => {
        replaceFile(pathOf(name), aside, value)
        syncDirectory(directory)
      })
    },
    delete: name =>
      attempt('STATE_UNWRITABLE', pathOf(name), () => {
        rmSync(pathOf(name), { force: true })
        syncDirectory(directory)
      }),
    names: () =>
      attempt('STATE_UNREADABLE', directory, () =>
        readdirSync(directory, { withFileTypes: true }).flatMap(entry =>
          entry.isFile() ? valueName(entry.name) : [],
        ),
      ),
  }
}

/** Makes a directory for its owner only; refuses one in which others could replace our files. */
export function makeDirectory(directory: string): void {
  makeDirectories(resolve(directory))
  if ((statSync(directory).mode & WRITABLE_BY_OTHERS) !== 0)
    throw new BoxError(
      'STATE_UNWRITABLE',
      `Others can write in ${directory}: chmod 700 it, or name another directory.`,
    )
}

/**
 * Makes a directory and those above it that are missing. Node's own recursive mkdir never returns where
 * the kernel says ENOENT for a name in a directory that exists, as in /proc.
 */
export function makeDirectories(directory: string): void {
  if (existsSync(directory)) return
  makeDirectories(dirname(directory))
  try {
    mkdirSync(directory, { mode: OWNER_DIRECTORY })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
  }
}

/** Writes a whole file so that after a crash either it is there, or what was there before. */
export function replaceFile(path: string, aside: string, content: Uint8Array): void {
  try {
    const file = openSync(aside, 'w', OWNER_FILE)
    try {
      writeFileSync(file, content)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(aside, path)
  } catch (cause) {
    rmSync(aside, { force: true })
    throw cause
  }
}

/** Brings the names in a directory to the disk. */
export function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r')
  try {
    fsyncSync(handle)
  } catch (cause) {
    // Some network and FUSE file systems cannot do this; they have no better way either.
    if (!['EINVAL', 'ENOTSUP'].includes((cause as NodeJS.ErrnoException).code ?? '')) throw cause
  } finally {
    closeSync(handle)
  }
}

/** Makes what is wrong with a file into an error that names it. */
export function attempt<T>(
  code: 'STATE_UNREADABLE' | 'STATE_UNWRITABLE',
  path: string,
  run: () => T,
): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    const { code: reason, message } = cause as NodeJS.ErrnoException
    throw new BoxError(code, `${path}: ${reason ?? message}.`, cause)
  }
}

function prepare(directory: string): void {
  makeDirectory(directory)
  for (const name of readdirSync(directory))
    if (name.startsWith(UNFINISHED)) unlinkSync(join(directory, name))
}

function read(path: string): Uint8Array | null {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return null
  if (!stat.isFile()) throw new BoxError('STATE_UNREADABLE', `${path} is no file.`)
  if (stat.size > VALUE_BYTES_MAX)
    throw new BoxError('STATE_UNREADABLE', `${path} has ${stat.size} bytes, too many for a value.`)
  return new Uint8Array(readFileSync(path))
}

/** Any name as a file name: letters, digits, `-`, `_` and inner dots as they are, the rest as %XX. */
function fileName(name: string): string {
  const file = encodeURIComponent(name)
    .replace(/[!'()*~]/g, char => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/^\./, '%2E')
  if (file.length === 0 || file.length > FILE_NAME_BYTES_MAX)
    throw new RangeError(`a name of ${file.length} bytes is no name of a value`)
  return file
}

/** The name of the value in a file; nothing for a file that is none of ours. */
function valueName(file: string): string[] {
  try {
    const name = decodeURIComponent(file)
    return fileName(name) === file ? [name] : []
  } catch {
    return []
  }
}
