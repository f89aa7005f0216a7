/** Growing files in memory, with a disk that can be full. */

import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { GrowingFiles } from '../../src/sys/growing-files.ts'

export interface MemoryFiles extends GrowingFiles {
  readonly content: Map<string, Uint8Array>
  /** While true, nothing can be written. */
  isFull: boolean
  /** What the disk says is free. */
  freeBytes: number
  /** The size of a file each time that it was brought to the disk before its end. */
  readonly synced: number[]
}

export function memoryFiles(): MemoryFiles {
  const content = new Map<string, Uint8Array>()
  const mustFit = () => {
    if (files.isFull) throw new BoxError('STATE_UNWRITABLE', 'ENOSPC.')
  }
  const growing = (name: string) => ({
    append: (bytes: Uint8Array) => {
      mustFit()
      content.set(name, concat(content.get(name)!, bytes))
    },
    sync: () => void files.synced.push(content.get(name)!.length),
    close: () => {},
  })
  const files: MemoryFiles = {
    content,
    isFull: false,
    synced: [],
    freeBytes: Number.POSITIVE_INFINITY,
    list: () =>
      [...content]
        .map(([name, bytes]) => ({ name, size: bytes.length }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    create: name => {
      mustFit()
      content.set(name, new Uint8Array(0))
      return growing(name)
    },
    goOn: (name, size) => {
      content.set(name, content.get(name)!.slice(0, size))
      return growing(name)
    },
    free: () => files.freeBytes,
    read: (name, from, size) => {
      const bytes = content.get(name)
      if (!bytes) throw new BoxError('STATE_UNREADABLE', 'ENOENT.')
      return bytes.subarray(from, from + size)
    },
    remove: name => void content.delete(name),
  }
  return files
}
