/** How much work a revocation of a zone needs: what the network agrees on, and GNUnet calls WORKBITS. */

import { BoxError } from '../base/errors.ts'
import { DIFFICULTY } from '../gns/revocation.ts'

/** More zeros than anybody will ever find. */
const BITS_MAX = 64

/** 22, unless BOX_REVOCATION_BITS names another network's. Throws CONFIG_INVALID. */
export function revocationBits(env: Readonly<Record<string, string | undefined>>): number {
  const text = env.BOX_REVOCATION_BITS ?? ''
  if (text === '') return DIFFICULTY
  const bits = /^\d{1,2}$/.test(text) ? Number(text) : Number.NaN
  if (bits <= BITS_MAX) return bits
  throw new BoxError(
    'CONFIG_INVALID',
    `BOX_REVOCATION_BITS is ${JSON.stringify(text)}, no number of bits.`,
  )
}
