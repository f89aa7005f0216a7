/**
 * Which keys can have to do with files: whoever hands one out and whoever fetches it prove themselves as in private talk
 * (src/box/zone-proof.ts), which keys of the kind PKEY, the older egos of GNUnet, cannot. That is said before anything
 * is read, written or told to others.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { zoneType } from '../../src/crypto/zone-key.ts'

/** Whether files can be fetched from, or by, whoever has this key. */
export const canHandFiles = (zone: ZoneKey): boolean => zoneType(zone) === 'EDKEY'

/** Throws INPUT_INVALID where we can neither send nor fetch files. */
export function mustHandFiles(own: ZoneKey): void {
  if (canHandFiles(own)) return
  throw new BoxError(
    'INPUT_INVALID',
    'Your identity is an ego of the kind PKEY, and such can neither send nor fetch files: it takes one of the kind EDKEY.',
  )
}

/** Throws INPUT_INVALID where they cannot fetch files. */
export function mustFetchFiles({
  name,
  zone,
}: {
  readonly name: string
  readonly zone: ZoneKey
}): void {
  if (canHandFiles(zone)) return
  throw new BoxError(
    'INPUT_INVALID',
    `The key of ${name} is an ego of the kind PKEY, and such cannot fetch files: it takes one of the kind EDKEY.`,
  )
}
