/**
 * How a shell outlives its connection: what `box ssh` says and the device's SSH server understands. The client
 * names its shell with one variable when it opens it, with another when it comes back to it, and asks for the
 * list in a subsystem. Whoever sets none of them, as stock OpenSSH, has shells that end with their connection.
 */

import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import { encodeBase32 } from '../wire/base32.ts'

/** Its value names the shell that is opened. */
export const KEEP_VARIABLE = 'BOX_KEEP'
/** Its value names the shell that is wanted back. */
export const RESUME_VARIABLE = 'BOX_RESUME'
/**
 * What stands behind the version of a client in its first line (RFC 4253 section 4.2) that is about to open such a
 * shell: a device that understands it has ready what holds the shell before the client has logged in.
 */
export const SHELL_COMMENT = 'shell'
/** Answers with what `shellsText` makes. */
export const SHELLS_SUBSYSTEM = 'box-shells'

/** 8 characters; they need to differ among the shells of one person on one device. */
const ID_BYTES = 5
const ID = /^[0-9a-z]{8}$/

/** `kept` and `ended` wait for somebody; `open` is seen by somebody, or was until silence fell. */
export type ShellState = 'kept' | 'ended' | 'open'
const STATES: readonly unknown[] = ['kept', 'ended', 'open'] satisfies ShellState[]

/** One shell, as the device tells it to whoever opened it. */
export interface KeptShell {
  readonly id: string
  readonly state: ShellState
  /** What runs in it. */
  readonly program: string
  /** Milliseconds since 1970, by the clock of the device. */
  readonly startedAt: number
  /** How long ago its connection was lost; of an open one, how long nothing has come over it. */
  readonly silentMs: number
}

export interface KeptShells {
  /** For how long the device keeps a shell; 0: it keeps none. */
  readonly keepMs: number
  readonly shells: readonly KeptShell[]
}

export const newShellId = (random: Random): string =>
  encodeBase32(random.bytes(ID_BYTES)).toLowerCase()

export const isShellId = (text: string): boolean => ID.test(text)

export const shellsText = (kept: KeptShells): string => JSON.stringify(kept)

/** Reads the answer of a device. Throws STATE_UNEXPECTED. */
export function parseShells(text: string): KeptShells {
  try {
    const { keepMs, shells } = JSON.parse(text) as Record<keyof KeptShells, unknown>
    if (!isDuration(keepMs) || !Array.isArray(shells)) throw new TypeError('no list')
    return { keepMs, shells: shells.map(parseShell) }
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The device gives no list of shells.', cause)
  }
}

function parseShell(entry: unknown): KeptShell {
  const { id, state, program, startedAt, silentMs } = entry as Record<keyof KeptShell, unknown>
  if (typeof id !== 'string' || !isShellId(id)) throw new TypeError('no id')
  if (!STATES.includes(state) || typeof program !== 'string') throw new TypeError('no state')
  if (!isDuration(startedAt) || !isDuration(silentMs)) throw new TypeError('no time')
  // The name of a program may hold anything, and is shown on a terminal.
  const shown = program.replaceAll(/[\p{C}\p{Z}]+/gu, ' ').slice(0, 32)
  return { id, state: state as ShellState, program: shown, startedAt, silentMs }
}

const isDuration = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
