/**
 * What differs between wire classes in the encryption of a tunnel (gnunet-service-cadet_tunnels.c):
 * nothing negotiates it, so the profile of the whole peer says which one is spoken.
 */

import { hkdf } from '../../crypto/kdf.ts'
import { deriveIv, SYMMETRIC_IV_SIZE } from '../../crypto/symmetric.ts'

export interface TunnelCipher {
  readonly name: string
  /** The key of the MACs of messages under a header key. */
  macKey(headerKey: Uint8Array): Uint8Array
  /** The initialisation vector that belongs to a key. */
  iv(key: Uint8Array): Uint8Array
}

const MAC_KEY_SIZE = 64
const ZERO_SALT = new Uint8Array(4)
const NO_SALT = new Uint8Array(0)

/** GNUnet up to 0.26.2. */
export const TUNNEL_CIPHER_T1: TunnelCipher = {
  name: 'T1',
  macKey: key => hkdf(MAC_KEY_SIZE, ZERO_SALT, key, key, 'cadet authentication key\0'),
  iv: key => deriveIv(key, NO_SALT),
}

/** GNUnet 0.27.0: the label lost its NUL, the vector has a derivation of its own. */
export const TUNNEL_CIPHER_T2: TunnelCipher = {
  name: 'T2',
  macKey: key => hkdf(MAC_KEY_SIZE, ZERO_SALT, key, key, 'cadet authentication key'),
  iv: key => hkdf(SYMMETRIC_IV_SIZE, NO_SALT, key),
}
