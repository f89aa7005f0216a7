/** What the keeper remembers for the agent of a shell: how it is called, and who opened it with which SSH key. */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { isShellId } from '../../src/box/kept-shells.ts'
import { isRecordingId } from '../../src/box/recording.ts'
import { isUserName } from '../../src/box/ssh-announcement.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'

export interface ShellLabel {
  readonly id: string
  readonly zone: ZoneKey
  /** Of the SSH key, as the audit journal has it. */
  readonly key: string
  /** Whose of the machine it is; null: of whoever the agent runs as. */
  readonly user: string | null
  /** Null of one that is not recorded. */
  readonly recorded: RecordedShell | null
}

/** What the next agent has to know to go on recording it. */
export interface RecordedShell {
  /** The recording so far. */
  readonly recording: string
  /** The program, and the kind of its terminal. */
  readonly shell: string
  readonly term: string
}

/** Longer ones would not fit into what the keeper remembers of a shell. */
const WORD_MAX = 128

/**
 * Versions after this one may add to it, and must read it. One before it that would not go on recording must not read
 * it: it gives up what it does not know, so those that are recorded are written in another way.
 */
export function formatShellLabel({ id, zone, key, user, recorded }: ShellLabel): string {
  const label = { id, zone: zoneToText(zone), key, ...(user !== null && { user }) }
  if (!recorded) return JSON.stringify(label)
  const { recording, shell, term } = recorded
  const words = { recording, shell: shell.slice(0, WORD_MAX), term: term.slice(0, WORD_MAX) }
  return JSON.stringify({ recorded: { ...label, ...words } })
}

/** Throws STATE_UNEXPECTED, or what is wrong with the key of the zone. */
export function parseShellLabel(text: string): ShellLabel {
  const fields = fieldsOf(parsed(text))
  if (!('recorded' in fields)) return { ...labelIn(fields), recorded: null }
  const inner = fieldsOf(fields.recorded)
  const { recording, shell, term } = inner
  if (typeof recording !== 'string' || !isRecordingId(recording)) throw unreadable()
  if (typeof shell !== 'string' || typeof term !== 'string') throw unreadable()
  if (shell.length > WORD_MAX || term.length > WORD_MAX) throw unreadable()
  return { ...labelIn(inner), recorded: { recording, shell, term } }
}

function labelIn({ id, zone, key, user = null }: Fields): Omit<ShellLabel, 'recorded'> {
  if (typeof id !== 'string' || !isShellId(id)) throw unreadable()
  if (typeof zone !== 'string' || typeof key !== 'string') throw unreadable()
  if (!/^[0-9A-Z]{0,64}$/i.test(key)) throw unreadable()
  if (user !== null && !(typeof user === 'string' && isUserName(user))) throw unreadable()
  return { id, zone: zoneFromText(zone), key, user }
}

type Fields = Readonly<Record<string, unknown>>

const fieldsOf = (value: unknown): Fields => {
  if (value === null || typeof value !== 'object') throw unreadable()
  return value as Fields
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw unreadable()
  }
}

const unreadable = (): BoxError =>
  new BoxError('STATE_UNEXPECTED', 'It is not said whose shell that is.')
