/** Where parts of a file come from, whoever that is. */

import { BoxError } from '../../src/base/errors.ts'
import type { FileOffer } from '../../src/social/file-offer.ts'
import { openPart, type Verified } from '../../src/social/file-part.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { PartFile } from './part-file.ts'

/** Of a holder that sends nothing for so long another one is asked. */
export const STALL_MS = 30_000

export interface Receiving {
  readonly offer: FileOffer
  readonly part: PartFile
  readonly step: (done: number) => void
}

export interface Source {
  /**
   * Takes what it has, from the first part that is missing on. Resolves when nothing more comes; fails with FILE_DAMAGED,
   * FILE_UNKNOWN, FILE_UNUSABLE, and how it was lost.
   */
  receive(receiving: Receiving): Promise<void>
  /** Says that all of it is here, and closes. */
  thank(): Promise<void>
  close(): void
}

/** Fails with FILE_DAMAGED where it is no part of the file that was offered. */
export function openedPart(offer: FileOffer, raw: Uint8Array): Verified {
  try {
    return openPart(offer, raw)
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause
    throw new BoxError('FILE_DAMAGED', undefined, cause)
  }
}
