/** Sets what a client wants of a file: size, mode, owner, times, in the order in which that works. */

import { constants } from 'node:fs'
import { chmod, chown, type FileHandle, lchown, lutimes, open, utimes } from 'node:fs/promises'
import type { Attributes } from './packets.ts'

const MODE_BITS = 0o7777
/**
 * How any file is opened: a pipe without a writer would keep the whole session waiting, and ^C on a terminal that became
 * ours would end the agent.
 */
export const CAUTIOUS = constants.O_NONBLOCK | constants.O_NOCTTY

/** How each is set. */
interface Setters {
  size(size: number): Promise<void>
  mode(mode: number): Promise<void>
  owner(uid: number, gid: number): Promise<void>
  times(accessed: number, modified: number): Promise<void>
}

/** Of what a path leads to. */
export const setObject = (path: Buffer, attributes: Attributes): Promise<void> =>
  set(attributes, {
    size: size => truncate(path, size),
    mode: mode => chmod(path, mode),
    owner: (uid, gid) => chown(path, uid, gid),
    times: (accessed, modified) => utimes(path, accessed, modified),
  })

async function truncate(path: Buffer, size: number): Promise<void> {
  const file = await open(path, constants.O_WRONLY | CAUTIOUS)
  try {
    await file.truncate(size)
  } finally {
    await file.close()
  }
}

/** Of a symbolic link itself. Linux has no mode for these. */
export const setLink = (path: Buffer, attributes: Attributes): Promise<void> =>
  set(attributes, {
    size: unsupported,
    mode: unsupported,
    owner: (uid, gid) => lchown(path, uid, gid),
    times: (accessed, modified) => lutimes(path, accessed, modified),
  })

/** Of an open file. */
export const setFile = (file: FileHandle, attributes: Attributes): Promise<void> =>
  set(attributes, {
    size: size => file.truncate(size),
    mode: mode => file.chmod(mode),
    owner: (uid, gid) => file.chown(uid, gid),
    times: (accessed, modified) => file.utimes(accessed, modified),
  })

async function set({ size, mode, owner, times }: Attributes, setters: Setters): Promise<void> {
  if (size !== null) await setters.size(Number(size))
  // A change of owner takes the set-uid bit away, so the mode comes after it.
  if (owner) await setters.owner(owner.uid, owner.gid)
  if (mode !== null) await setters.mode(mode & MODE_BITS)
  if (times) await setters.times(times.accessed, times.modified)
}

const unsupported = async (): Promise<void> => {
  throw Object.assign(new Error('not of a symbolic link'), { code: 'EOPNOTSUPP' })
}
