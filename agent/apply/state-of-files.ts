/** What a path is, was or shall be: a file with content, mode and owner, or nothing. */

import { BoxError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import { contentId } from '../../src/box/bundle/release.ts'
import type { Disk } from '../../src/sys/disk.ts'

export type FileState =
  | { readonly is: 'absent' }
  | {
      readonly is: 'file'
      /** SHA-256 of what is in the file, in hexadecimal digits. */
      readonly content: string
      /** Under which name the store of contents has it; another one where it is kept encrypted. */
      readonly stored: string
      readonly mode: number
      readonly uid: number
      readonly gid: number
    }

export const ABSENT: FileState = { is: 'absent' }

/** One path in a change: what it was, and what it is to be. */
export interface Place {
  readonly path: string
  readonly was: FileState
  readonly now: FileState
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export const sameState = (a: FileState, b: FileState): boolean =>
  a.is === 'absent' || b.is === 'absent'
    ? a.is === b.is
    : a.content === b.content && a.mode === b.mode && a.uid === b.uid && a.gid === b.gid

/** What is at a path now. Throws PUSH_REFUSED where that is nothing a bundle could replace. */
export function stateAt(disk: Disk, path: string): FileState {
  const entry = disk.look(path)
  if (!entry) return ABSENT
  if (entry.is === 'link') throw refused(`${path} is a symbolic link.`)
  if (entry.is !== 'file') throw refused(`${path} is there and is no file.`)
  if (entry.size > LIMITS.fileBytes)
    throw refused(`${path} is there and has ${entry.size} bytes, more than ${LIMITS.fileBytes}.`)
  const content = hex(contentId(disk.read(path, LIMITS.fileBytes)))
  const { mode, uid, gid } = entry
  return { is: 'file', content, stored: content, mode, uid, gid }
}

export const refused = (detail: string, cause?: unknown): BoxError =>
  new BoxError('PUSH_REFUSED', detail, cause)
