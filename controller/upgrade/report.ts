/** How upgrades are told: a line a device, or JSON; and the exit code of all of them together. */

import { type BoxError, ERRORS, EXIT_CODES } from '../../src/base/errors.ts'
import type { Output } from '../output.ts'
import type { Verdict } from '../push/rollout.ts'
import type { Upgraded } from './delivery.ts'

export const verdictOf = ({ is }: Upgraded): Verdict => {
  if (is === 'offline' || is === 'stopped') return 'skipped'
  return is === 'upgraded' || is === 'unchanged' ? 'success' : 'failure'
}

/** One device's result. */
export function tell(output: Output, name: string, width: number, upgraded: Upgraded): void {
  output.result(`${name.padEnd(width)}  ${lineOf(upgraded)}`, upgradedValue(name, upgraded))
}

/** The same for programs. */
export const upgradedValue = (name: string, upgraded: Upgraded) => ({
  name,
  result: upgraded.is.replace(' ', '_'),
  version: 'version' in upgraded ? upgraded.version : null,
  before: 'before' in upgraded ? upgraded.before : null,
  error: 'error' in upgraded ? shownError(upgraded.error) : null,
})

export const shownError = ({ code, message }: BoxError) => ({ code, message })

function lineOf(upgraded: Upgraded): string {
  switch (upgraded.is) {
    case 'upgraded':
      return `${upgraded.version} has proven itself; before it was ${upgraded.before}`
    case 'unchanged':
      return `had ${upgraded.version} already`
    case 'gave way':
      return `${upgraded.version} did not prove itself; ${upgraded.before} is back`
    case 'stopped':
      return 'stopped: the next time it goes on where it was'
    case 'offline':
      return `off: ${upgraded.error.message}`
    default:
      return `${upgraded.is}: ${upgraded.error.message}`
  }
}

/** 0 where all is as it should be; else that of the gravest error, 77 where a version gave way. */
export function exitCode(all: readonly Upgraded[], untried: number): number {
  const codes = all.map(upgraded => {
    if (upgraded.is === 'gave way') return EXIT_CODES[ERRORS.RELEASE_GAVE_WAY[0]]
    return 'error' in upgraded ? EXIT_CODES[upgraded.error.family] : 0
  })
  return Math.max(0, ...codes, untried > 0 ? EXIT_CODES.refused : 0)
}
