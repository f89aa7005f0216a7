/**
 * Files that have no place but the state directory: what a program or the page has given us to hand out, and what was
 * fetched for one. Each has a hidden folder of its own, so that it is called there what it is called to others; the folder
 * goes with the file. No backup takes them.
 */

import { existsSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { FILE_BYTES_MAX } from '../../src/social/file-tree.ts'
import { attempt, makeDirectories, syncDirectory } from '../../src/sys/file-store.ts'
import { unusable } from '../file-side.ts'
import type { State } from '../state.ts'
import { mustHaveRoom } from './disk-room.ts'

const FOLDER = '.copies'
const OWNER_FILE = 0o600
/** No name of an offer begins with a dot. */
const ASIDE = '.part'
/** After so much more it is looked whether there is still room. */
const LOOK_EVERY_BYTES = 16 * 1_048_576

/** The folder for one file, made where there is none. Throws STATE_UNWRITABLE. */
export function copyFolder({ directory }: State, id: string): string {
  const folder = join(directory, FOLDER, id)
  return attempt('STATE_UNWRITABLE', folder, () => {
    makeDirectories(folder)
    return realpathSync(folder)
  })
}

/** Whether a file lies in a folder of these. */
export const isCopy = (state: State, path: string): boolean =>
  dirname(dirname(path)) === placeOf(state)

/** Removes a file with its folder, where it is one of these; any other stays. Throws STATE_UNWRITABLE. */
export function removeCopy(state: State, path: string): void {
  if (isCopy(state, path)) removeFolder(dirname(path))
}

/** Removes what a process has left that was killed: the folders in which none of these files is. Throws STATE_UNWRITABLE. */
export function sweepCopies(state: State, paths: readonly string[]): void {
  const place = placeOf(state)
  if (place === null) return
  const known = new Set(paths.map(path => dirname(path)))
  for (const name of readdirSync(place))
    if (!known.has(join(place, name))) removeFolder(join(place, name))
}

/**
 * Writes what comes to a file of this name, which has it only when all of it is there; how much that was. Fails with
 * FILE_UNUSABLE, also where the disk has no room, INPUT_INVALID where it is too long for a file, and as what comes.
 */
export async function writeCopy(
  path: string,
  body: AsyncIterable<Uint8Array>,
  announced: number,
): Promise<number> {
  const folder = dirname(path)
  const aside = join(folder, ASIDE)
  mustBeFile(announced)
  mustHaveRoom(folder, announced)
  const file = await open(aside, 'wx', OWNER_FILE).catch(unusable(path))
  let size = 0
  try {
    let looked = 0
    for await (const piece of body) {
      size += piece.length
      mustBeFile(size)
      if (size - looked > LOOK_EVERY_BYTES) {
        mustHaveRoom(folder, 0)
        looked = size
      }
      await file.writeFile(piece).catch(unusable(path))
    }
    await file.sync().catch(unusable(path))
  } finally {
    await file.close()
  }
  await rename(aside, path).catch(unusable(path))
  syncDirectory(folder)
  return size
}

function mustBeFile(size: number): void {
  if (size <= FILE_BYTES_MAX) return
  const why = `A file has at most ${FILE_BYTES_MAX} bytes.`
  throw Object.assign(new BoxError('INPUT_INVALID', why), { statusCode: 413 })
}

const removeFolder = (folder: string): void =>
  attempt('STATE_UNWRITABLE', folder, () => rmSync(folder, { recursive: true, force: true }))

/** Null where there never was one. */
function placeOf({ directory }: State): string | null {
  const place = join(directory, FOLDER)
  return existsSync(place) ? realpathSync(place) : null
}
