/** The SSH host key of the device: made at the first start, kept, and published as a fingerprint in GNS. */

import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import { generateSshKey, readSshKey } from '../src/box/ssh-key.ts'
import { sha256 } from '../src/crypto/hash.ts'

const FILE = 'ssh-host-key'

export interface HostKey {
  /** In OpenSSH's format. A secret. */
  readonly secret: string
  /** The blob of RFC 4253 section 6.6. */
  readonly publicKey: Uint8Array
  /** SHA-256 of the public key's blob, as SSHFP has it. */
  readonly fingerprint: Uint8Array
}

/** The host key of this state; a new one where there is none yet. Throws KEY_UNREADABLE. */
export function openHostKey(store: Store, random: Random): HostKey {
  const stored = store.get(FILE)
  const key = stored
    ? readSshKey(new TextDecoder().decode(stored))
    : generateSshKey(random, 'secushare-box')
  if (!key) throw new BoxError('KEY_UNREADABLE', `Its file is ${FILE}.`)
  if (!stored) store.set(FILE, new TextEncoder().encode(key.secret))
  const { secret, publicKey } = key
  return { secret, publicKey, fingerprint: sha256(publicKey) }
}
