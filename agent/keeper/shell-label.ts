/** What the keeper remembers for the agent of a shell: how it is called, and who opened it with which SSH key. */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { isShellId } from '../../src/box/kept-shells.ts'
import { isUserName } from '../../src/box/ssh-announcement.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'

export interface ShellLabel {
  readonly id: string
  readonly zone: ZoneKey
  /** Of the SSH key, as the audit journal has it. */
  readonly key: string
  /** Whose of the machine it is; null: of whoever the agent runs as. */
  readonly user: string | null
}

/** Versions after this one may add to it, and must read it. */
export const formatShellLabel = ({ id, zone, key, user }: ShellLabel): string =>
  JSON.stringify({ id, zone: zoneToText(zone), key, ...(user !== null && { user }) })

/** Throws STATE_UNEXPECTED, or what is wrong with the key of the zone. */
export function parseShellLabel(text: string): ShellLabel {
  const { id, zone, key, user = null } = fieldsOf(text)
  if (typeof id !== 'string' || !isShellId(id)) throw unreadable()
  if (typeof zone !== 'string' || typeof key !== 'string') throw unreadable()
  if (!/^[0-9A-Z]{0,64}$/i.test(key)) throw unreadable()
  if (user !== null && !(typeof user === 'string' && isUserName(user))) throw unreadable()
  return { id, zone: zoneFromText(zone), key, user }
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(text) ?? {}) as Readonly<Record<string, unknown>>
  } catch {
    throw unreadable()
  }
}

const unreadable = (): BoxError =>
  new BoxError('STATE_UNEXPECTED', 'It is not said whose shell that is.')
