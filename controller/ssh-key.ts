/** The key that ssh logs in with; in a file of its own, as OpenSSH wants it. */

import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import { generateSshKey, readSshKey as parseKey } from '../src/box/ssh-key.ts'
import type { State } from './state.ts'

/** Also the name of the file, which the ssh configuration points to. */
export const SSH_KEY_FILE = 'ssh_key'

export interface SshKey {
  /** In OpenSSH's form. A secret. */
  readonly privateKey: string
  /** The blob of RFC 4253 section 6.6. */
  readonly publicKey: Uint8Array
}

/** Makes the key where there is none. */
export async function makeSshKey(state: State, random: Random): Promise<void> {
  const { secret: key } = generateSshKey(random, 'box')
  await state.exclusively(() => {
    if (state.readText(SSH_KEY_FILE) === null) state.writeText(SSH_KEY_FILE, key)
  })
}

/** Another key, in place of the one there is. Fails with NO_EGO where there is none, STATE_UNWRITABLE. */
export async function renewSshKey(state: State, random: Random): Promise<void> {
  const { secret: key } = generateSshKey(random, 'box')
  await state.exclusively(() => {
    if (state.readText(SSH_KEY_FILE) === null) throw new BoxError('NO_EGO')
    state.writeText(SSH_KEY_FILE, key)
  })
}

/** Fails with NO_EGO, KEY_UNREADABLE. */
export async function readSshKey(state: State): Promise<SshKey> {
  const unreadable = (cause?: unknown) =>
    new BoxError('KEY_UNREADABLE', `Its file is ${state.directory}/${SSH_KEY_FILE}.`, cause)
  let privateKey: string | null
  try {
    privateKey = state.readText(SSH_KEY_FILE)
  } catch (cause) {
    throw unreadable(cause)
  }
  if (privateKey === null) throw new BoxError('NO_EGO')
  const key = parseKey(privateKey)
  if (!key) throw unreadable()
  return { privateKey, publicKey: key.publicKey }
}
