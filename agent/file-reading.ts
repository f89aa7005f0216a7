/** Files of the machine for `box diff` and `box pull`: below the roots that bundles may write to, links not followed. */

import { BoxError } from '../src/base/errors.ts'
import { pathFault, rootOf } from '../src/box/bundle/file-path.ts'
import { LIMITS } from '../src/box/bundle/limits.ts'
import type { ListedFile } from '../src/box/push-report.ts'
import type { Disk } from '../src/sys/disk.ts'

/** The file, or all files below the directory. Throws PUSH_REFUSED. */
export function listFiles(disk: Disk, path: string, roots: readonly string[]): ListedFile[] {
  check(path, roots)
  const files: ListedFile[] = []
  const walk = (at: string) => {
    const entry = disk.look(at)
    if (entry?.is === 'directory')
      for (const name of disk.list(at).toSorted()) walk(`${at}/${name}`)
    if (entry?.is !== 'file') return
    if (files.length >= LIMITS.files)
      throw new BoxError('PUSH_REFUSED', `${path} has more than ${LIMITS.files} files in it.`)
    const { size, mode, uid, gid } = entry
    files.push({ path: at, size, mode, uid, gid })
  }
  attempt(path, () => walk(path))
  if (files.length === 0) throw new BoxError('PUSH_REFUSED', `There is no file at ${path}.`)
  return files
}

/** The content of a file. Throws PUSH_REFUSED. */
export function readFileFor(disk: Disk, path: string, roots: readonly string[]): Uint8Array {
  check(path, roots)
  const entry = attempt(path, () => disk.look(path))
  if (entry?.is !== 'file') throw new BoxError('PUSH_REFUSED', `There is no file at ${path}.`)
  if (entry.size > LIMITS.fileBytes)
    throw new BoxError('PUSH_REFUSED', `${path} has more than ${LIMITS.fileBytes} bytes.`)
  return attempt(path, () => disk.read(path, LIMITS.fileBytes))
}

/** A file that goes while we look, or that we may not read, is no fault of ours. */
function attempt<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    const { code } = cause as NodeJS.ErrnoException
    throw new BoxError('PUSH_REFUSED', `${path} cannot be read: ${code}.`, cause)
  }
}

function check(path: string, roots: readonly string[]): void {
  const fault = pathFault(path)
  if (fault) throw new BoxError('PUSH_REFUSED', `The path ${JSON.stringify(path)} ${fault}.`)
  if (!rootOf(path, roots) && !roots.includes(path))
    throw new BoxError('PUSH_REFUSED', `${path} lies outside of ${roots.join(', ')}.`)
}
