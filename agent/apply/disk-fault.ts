/** What the disk could not do, told apart from mistakes of ours. */

import { BoxError } from '../../src/base/errors.ts'

export const isDiskFault = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'

/** What went wrong, as a sentence. */
export function faultText(error: unknown): string {
  if (!isDiskFault(error)) return error instanceof BoxError ? error.detail : String(error)
  const where = error.path ? `${error.path}: ` : ''
  return error.code === 'ENOSPC' ? `${where}the disk is full.` : `${where}${error.code}.`
}

/** Writes what may be missing. */
export function ifPossible(write: () => void): void {
  try {
    write()
  } catch (error) {
    if (!isDiskFault(error)) throw error
  }
}
