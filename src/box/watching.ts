/**
 * Watching a shell of somebody else, as `box watch` says it and the device's SSH server understands: two subsystems.
 * What is shown comes as asciicast v2 does: a line about the shell, then a line for each event, as it happens.
 */

import { BoxError } from '../base/errors.ts'

/** Answers with a line of JSON for each shell that is open. */
export const WATCH_SUBSYSTEM = 'box-watch'
/** With a number behind it: answers with the shell of that number. */
export const WATCH_ONE_SUBSYSTEM = 'box-watch:'

/** An open shell, as the device tells it to whoever may watch. */
export interface OpenShell {
  /** Counted from 1 since the agent was started. */
  readonly number: number
  /** Whose it is, by the name the device has for them. */
  readonly who: string
  /** What runs in it. */
  readonly program: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly columns: number
  readonly rows: number
  /** How many watch it. */
  readonly watchers: number
}

/** A line of the list, or the first line of a shell. Throws STATE_UNEXPECTED. */
export function parseOpenShell(line: string): OpenShell {
  try {
    const said = JSON.parse(line) as Record<keyof OpenShell, unknown>
    const { who, program } = said
    if (typeof who !== 'string' || typeof program !== 'string') throw new TypeError('no text')
    const count = (name: keyof OpenShell): number => {
      const given = said[name]
      if (typeof given === 'number' && Number.isSafeInteger(given) && given >= 0) return given
      throw new TypeError(`no ${name}`)
    }
    return {
      ...{ number: count('number'), who, program, startedAt: count('startedAt') },
      ...{ columns: count('columns'), rows: count('rows'), watchers: count('watchers') },
    }
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The device does not tell of its shells.', cause)
  }
}
