/** Growing files in memory, with a disk that can be full. */

import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { GrowingFiles } from '../../src/sys/growing-files.ts'

export interface MemoryFiles extends GrowingFiles {
  readonly content: Map<string, Uint8Array>
  /** While true, nothing can be written. */
  isFull: boolean
}

export function memoryFiles(): MemoryFiles {
  const content = new Map<string, Uint8Array>()
  const mustFit = () => {
    if (files.isFull) throw new BoxError('STATE_UNWRITABLE', 'ENOSPC.')
  }
  const files: MemoryFiles = {
    content,
    isFull: false,
    list: () =>
      [...content]
        .map(([name, bytes]) => ({ name, size: bytes.length }))
        .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    create: name => {
      mustFit()
      content.set(name, new Uint8Array(0))
      return {
        append: bytes => {
          mustFit()
          content.set(name, concat(content.get(name)!, bytes))
        },
        close: () => {},
      }
    },
    read: (name, from, size) => content.get(name)!.subarray(from, from + size),
    remove: name => void content.delete(name),
  }
  return files
}
