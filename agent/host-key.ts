/** The SSH host key of the device: made at the first start, kept, and published as a fingerprint in GNS. */

import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import { generateSshKey, readSshKey, type SshKey } from '../src/box/ssh-key.ts'
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
  if (!stored) return makeHostKey(store, random)
  const key = readSshKey(new TextDecoder().decode(stored))
  if (!key) throw new BoxError('KEY_UNREADABLE', `Its file is ${FILE}.`)
  return hostKeyOf(key)
}

/** Another host key, in place of the one there is. Throws STATE_UNWRITABLE; then that stays. */
export function makeHostKey(store: Store, random: Random): HostKey {
  const key = generateSshKey(random, 'secushare-box')
  store.set(FILE, new TextEncoder().encode(key.secret))
  return hostKeyOf(key)
}

const hostKeyOf = ({ secret, publicKey }: SshKey): HostKey => ({
  ...{ secret, publicKey, fingerprint: sha256(publicKey) },
})
