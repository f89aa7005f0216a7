/** What is written to a disk for others leaves some of it to everybody else. */

import { statfsSync } from 'node:fs'
import { BoxError } from '../../src/base/errors.ts'

/** So much is left. */
const FREE_BYTES_MIN = 16 * 1_048_576

/** Throws FILE_UNUSABLE where there is no room for so many bytes more. */
export function mustHaveRoom(directory: string, wanted: number): void {
  const { bavail, bsize } = statfsSync(directory)
  const free = bavail * bsize
  if (wanted + FREE_BYTES_MIN <= free) return
  throw new BoxError('FILE_UNUSABLE', `${directory} has no room: ${free} bytes are free.`)
}
