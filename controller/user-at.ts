/** `USER@NAME`: a device, or a selector of devices, and as which of its users. */

import { BoxError } from '../src/base/errors.ts'
import { isUserName } from '../src/box/ssh-announcement.ts'

export interface UserAt {
  /** Null: as whoever the agent there runs as. */
  readonly user: string | null
  readonly name: string
}

/** `@tag` names no user, `USER@@tag` does. Throws INPUT_INVALID. */
export function userAt(text: string): UserAt {
  const [, user = null, name = text] = /^(?:(.+?)@)?(@?[^@]+)$/s.exec(text) ?? []
  if (user !== null && !isUserName(user))
    throw new BoxError('INPUT_INVALID', `"${user}" is no name of a user.`)
  return { user, name }
}

export const textOf = ({ user, name }: UserAt): string => (user === null ? name : `${user}@${name}`)
