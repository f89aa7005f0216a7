/**
 * Exchanges files as a whole: everything that needs room on the disk is done before the first file changes;
 * from then on names are moved only, forwards or back, which needs none.
 *
 * Beside each file lie, for as long as the change is open, `.NAME.box-new` (what it is to be) and
 * `.NAME.box-old` (a second name of what it was, with all that belongs to it).
 */

import { basename, dirname, join } from 'node:path'
import type { Disk } from '../../src/sys/disk.ts'
import type { Journal } from './push-state.ts'
import { type FileState, type Place, refused, sameState, stateAt } from './state-of-files.ts'

const DIRECTORY_MODE = 0o755

/** The bytes of a state. */
export type ContentOf = (state: Extract<FileState, { is: 'file' }>) => Uint8Array

type Change = Pick<Journal, 'places' | 'directories'>

const newName = (path: string) => join(dirname(path), `.${basename(path)}.box-new`)
const oldName = (path: string) => join(dirname(path), `.${basename(path)}.box-old`)

/** Puts all that is new, and second names of all that is old, beside the files. */
export function prepare(disk: Disk, { places, directories }: Change, content: ContentOf): void {
  for (const directory of directories) {
    if (!disk.look(directory)) disk.makeDirectory(directory, DIRECTORY_MODE)
    disk.sync(dirname(directory))
  }
  for (const { path, was, now } of places) {
    disk.remove(newName(path))
    disk.remove(oldName(path))
    if (now.is === 'file') disk.write(newName(path), content(now), now)
    if (was.is === 'file') disk.link(path, oldName(path))
  }
  syncAll(disk, places)
}

/** Moves all that is new to its place. Throws PUSH_REFUSED where a file is no longer what it was. */
export function swap(disk: Disk, { places }: Change): void {
  for (const { path, was, now } of places) {
    if (!sameState(stateAt(disk, path), was)) throw refused(`${path} was changed meanwhile.`)
    if (now.is === 'file') disk.rename(newName(path), path)
    else disk.remove(path)
  }
  syncAll(disk, places)
}

/** Everything as it was, however far the change had come. May be repeated. */
export function restore(disk: Disk, { places, directories }: Change, content: ContentOf): void {
  for (const { path, was } of places.toReversed()) {
    if (!disk.look(dirname(path))) continue
    disk.remove(newName(path))
    if (was.is === 'absent') {
      // A command of the bundle may have made a directory of it: that is not ours to remove.
      if (disk.look(path)?.is !== 'directory') disk.remove(path)
      continue
    }
    if (disk.look(oldName(path))) {
      disk.rename(oldName(path), path)
      // Renaming one name of a file to another of the same file does nothing.
      disk.remove(oldName(path))
    } else if (!isStill(disk, path, was)) {
      disk.write(newName(path), content(was), was)
      disk.rename(newName(path), path)
    }
  }
  syncAll(disk, places)
  for (const directory of directories.toReversed()) disk.removeDirectory(directory)
}

/** Takes away what would have led back. */
export function settle(disk: Disk, { places }: Change): void {
  for (const { path } of places) {
    disk.remove(oldName(path))
    disk.remove(newName(path))
  }
  syncAll(disk, places)
}

function isStill(disk: Disk, path: string, was: FileState): boolean {
  try {
    return sameState(stateAt(disk, path), was)
  } catch {
    return false
  }
}

function syncAll(disk: Disk, places: readonly Place[]): void {
  for (const directory of new Set(places.map(({ path }) => dirname(path))))
    if (disk.look(directory)) disk.sync(directory)
}
