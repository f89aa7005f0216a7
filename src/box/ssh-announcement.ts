/**
 * What a controller says along with its proof when it opens an SSH channel (the handshake's payload): the
 * public key that its SSH client will use, and how it calls the device. The device takes this key, and no
 * other, on this channel; so SSH keys need no list of their own and can be changed at any time.
 */

import { BoxError } from '../base/errors.ts'
import { counted, lengthOf, message, rest, u16, WireError } from '../wire/layout.ts'

const Announcement = message('BOX_SSH_ANNOUNCEMENT', 0xbd18, {
  publicKeySize: lengthOf('publicKey', u16),
  publicKey: counted('publicKeySize'),
  deviceName: rest,
})

/** An RSA key of 4,096 bits has 535 bytes; anything longer is none that our server takes. */
const PUBLIC_KEY_MAX = 800
const NAME_SIZE_MAX = 63

export interface SshAnnouncement {
  /** The blob of RFC 4253 section 6.6, as ssh2 and `ssh-keygen` have it behind its base64. */
  readonly publicKey: Uint8Array
  /** How the owner calls the device: BOX_DEVICE in the shell. */
  readonly deviceName: string
}

/** The payload for `authenticate` with purpose `ssh`. Throws INPUT_INVALID. */
export function encodeSshAnnouncement({ publicKey, deviceName }: SshAnnouncement): Uint8Array {
  const name = new TextEncoder().encode(deviceName)
  if (publicKey.length === 0 || publicKey.length > PUBLIC_KEY_MAX)
    throw new BoxError('INPUT_INVALID', 'This SSH key cannot be used.')
  if (name.length > NAME_SIZE_MAX)
    throw new BoxError('NAME_INVALID', `A name has at most ${NAME_SIZE_MAX} bytes.`)
  return Announcement.encode({ publicKey, deviceName: name })
}

/** Reads the payload; null where it is none. */
export function decodeSshAnnouncement(payload: Uint8Array): SshAnnouncement | null {
  try {
    const { publicKey, deviceName } = Announcement.decode(payload)
    const name = new TextDecoder('utf-8', { fatal: true }).decode(deviceName)
    const fits = publicKey.length > 0 && deviceName.length <= NAME_SIZE_MAX
    return fits && !/[\p{C}\p{Z}]/u.test(name)
      ? { publicKey: publicKey.slice(), deviceName: name }
      : null
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError) return null
    throw error
  }
}
