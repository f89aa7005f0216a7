/**
 * What a controller says along with its proof when it opens an SSH channel (the handshake's payload): the
 * public key that its SSH client will use, how it calls the device, and which user of the device it wants to be.
 * The device takes this key, and no other, on this channel; so SSH keys need no list of their own and can be
 * changed at any time. The name that SSH itself carries counts for nothing: stock clients always send one.
 *
 * A user is told by a message of its own: a device that does not know it lets nobody in, in place of running
 * things as whoever its agent runs as.
 */

import { BoxError } from '../base/errors.ts'
import { counted, lengthOf, message, rest, u8, u16, WireError } from '../wire/layout.ts'

const Announcement = message('BOX_SSH_ANNOUNCEMENT', 0xbd18, {
  publicKeySize: lengthOf('publicKey', u16),
  publicKey: counted('publicKeySize'),
  deviceName: rest,
})

const UserAnnouncement = message('BOX_SSH_ANNOUNCEMENT_OF_USER', 0xbd19, {
  publicKeySize: lengthOf('publicKey', u16),
  publicKey: counted('publicKeySize'),
  userSize: lengthOf('user', u8),
  user: counted('userSize'),
  deviceName: rest,
})

/** An RSA key of 4,096 bits has 535 bytes; anything longer is none that our server takes. */
const PUBLIC_KEY_MAX = 800
const NAME_SIZE_MAX = 63
/** useradd(8) takes no longer ones. */
const USER_SIZE_MAX = 32
/** What Linux calls its users; no file, option or line of a table can be made of it. */
const USER = /^[A-Za-z0-9_][A-Za-z0-9_.@-]*\$?$/

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

export interface SshAnnouncement {
  /** The blob of RFC 4253 section 6.6, as ssh2 and `ssh-keygen` have it behind its base64. */
  readonly publicKey: Uint8Array
  /** How the owner calls the device: BOX_DEVICE in the shell. */
  readonly deviceName: string
  /** Which user of the device it wants to be; null: whoever the agent runs as. */
  readonly user: string | null
}

export const isUserName = (name: string): boolean => name.length <= USER_SIZE_MAX && USER.test(name)

/** The payload for `authenticate` with purpose `ssh`. Throws INPUT_INVALID, NAME_INVALID. */
export function encodeSshAnnouncement({
  publicKey,
  deviceName,
  user,
}: SshAnnouncement): Uint8Array {
  const name = encoder.encode(deviceName)
  if (publicKey.length === 0 || publicKey.length > PUBLIC_KEY_MAX)
    throw new BoxError('INPUT_INVALID', 'This SSH key cannot be used.')
  if (name.length > NAME_SIZE_MAX)
    throw new BoxError('NAME_INVALID', `A name has at most ${NAME_SIZE_MAX} bytes.`)
  if (user === null) return Announcement.encode({ publicKey, deviceName: name })
  if (!isUserName(user)) throw new BoxError('INPUT_INVALID', `"${user}" is no name of a user.`)
  return UserAnnouncement.encode({ publicKey, user: encoder.encode(user), deviceName: name })
}

/** Reads the payload; null where it is none. */
export function decodeSshAnnouncement(payload: Uint8Array): SshAnnouncement | null {
  try {
    const isOfUser = ((payload[2] ?? 0) << 8) + (payload[3] ?? 0) === UserAnnouncement.type
    const said = isOfUser
      ? UserAnnouncement.decode(payload)
      : { ...Announcement.decode(payload), user: null }
    const { publicKey, deviceName } = said
    const name = decoder.decode(deviceName)
    const user = said.user && decoder.decode(said.user)
    const fits = publicKey.length > 0 && deviceName.length <= NAME_SIZE_MAX
    if (!fits || /[\p{C}\p{Z}]/u.test(name) || (user !== null && !isUserName(user))) return null
    return { publicKey: publicKey.slice(), deviceName: name, user }
  } catch (error) {
    if (error instanceof WireError || error instanceof TypeError) return null
    throw error
  }
}
