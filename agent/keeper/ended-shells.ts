/**
 * The shells that ended while there was no agent to note it: written down by the keeper, one a line, and taken over
 * into the audit journal by the next agent.
 */

import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import type { Exit } from '../program.ts'
import { LABEL_MAX } from './words.ts'

/** In the state directory. */
export const ENDED_FILE = 'shells-ended'
/** More than the shells of one keeper; what was written by anybody else is not read for ever. */
const SIZE_MAX = 256 * 1024

export interface EndedShell {
  readonly label: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** How its program ended; null where it was let go. */
  readonly exit: Exit | null
}

/** A full disk ends no keeper: then the journal lacks a line. */
export function noteEndedShell(path: string, ended: EndedShell): void {
  try {
    appendFileSync(path, `${JSON.stringify(ended)}\n`, { mode: 0o600 })
  } catch {
    // Nobody is there to be told.
  }
}

/** What was noted; what makes no sense is left out, as is a line that was cut off. */
export function readEndedShells(text: string): readonly EndedShell[] {
  return text
    .slice(0, SIZE_MAX)
    .split('\n')
    .flatMap(line => endedShell(line) ?? [])
}

/** All that is noted in this file; nothing where there is none. */
export function endedShellsIn(path: string): readonly EndedShell[] {
  try {
    return readEndedShells(readFileSync(path, 'utf8'))
  } catch {
    return []
  }
}

export const forgetEndedShells = (path: string): void => {
  try {
    rmSync(path, { force: true })
  } catch {
    // A disk that cannot be written: they are noted twice.
  }
}

function endedShell(line: string): EndedShell | null {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    return null
  }
  const { label, at, exit } = (value ?? {}) as Record<keyof EndedShell, unknown>
  if (typeof label !== 'string' || label.length > LABEL_MAX) return null
  if (typeof at !== 'number' || !Number.isSafeInteger(at) || at < 0) return null
  if (exit === null) return { label, at, exit }
  const { code, signal } = (exit ?? {}) as Record<string, unknown>
  if (typeof code === 'number' && Number.isInteger(code)) return { label, at, exit: { code } }
  if (typeof signal === 'string' && /^[A-Z0-9]{1,16}$/.test(signal))
    return { label, at, exit: { signal } }
  return null
}
