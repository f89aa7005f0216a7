/** The zones that are known here to be revoked in GNS, kept in the state. */

import { BoxError } from '../src/base/errors.ts'
import type { Store } from '../src/base/store.ts'
import { Revocations, type RevocationsOptions } from '../src/gns/revocations.ts'

/** In the store. */
const REVOKED_ZONES = 'revoked-zones'

export interface RevokedZonesParts extends Omit<RevocationsOptions, 'shelf' | 'difficulty'> {
  readonly store: Store
  /** The work that a revocation needs; that of the network where it is not said. */
  readonly bits: number | undefined
}

/** Where what was kept is damaged, it begins anew: whoever mends the device must get in, and it is heard again. */
export function revocationsOf({ store, bits, ...parts }: RevokedZonesParts): Revocations {
  const shelf = {
    read: () => store.get(REVOKED_ZONES),
    write: (value: Uint8Array) => store.set(REVOKED_ZONES, value),
  }
  const options = { ...parts, ...(bits !== undefined && { difficulty: bits }) }
  try {
    return new Revocations({ ...options, shelf })
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    parts.log.note('error', 'revocation', 'begins anew', { code: error.code, why: error.detail })
    return new Revocations({ ...options, shelf: { ...shelf, read: () => null } })
  }
}
