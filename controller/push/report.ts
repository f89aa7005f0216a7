/** How deliveries are told: a line a device, or JSON; and the exit code of all of them together. */

import { ERRORS, EXIT_CODES } from '../../src/base/errors.ts'
import type { Output } from '../output.ts'
import type { Delivered } from './delivery.ts'
import type { Verdict } from './rollout.ts'

export const verdictOf = ({ is }: Delivered): Verdict => {
  if (is === 'offline') return 'skipped'
  return is === 'confirmed' || is === 'unchanged' ? 'success' : 'failure'
}

export const deliveredLine = (delivered: Delivered): string => {
  switch (delivered.is) {
    case 'confirmed':
      return `confirmed, generation ${delivered.generation}`
    case 'unchanged':
      return `had it already, generation ${delivered.generation}`
    case 'put back': {
      const { reason, complaints } = delivered
      const more = complaints.map(one => ` Then: ${one}`).join('')
      return `put everything back: ${reason}${more}`
    }
    case 'offline':
      return `off: ${delivered.error.message}${keptBy(delivered.relays ?? [])}`
    default:
      return `${delivered.is}: ${delivered.error.message}`
  }
}

const keptBy = (relays: readonly string[]): string =>
  relays.length === 0 ? '' : ` ${relays.join(', ')} will hand it over.`

/** One device's result. */
export function tell(output: Output, name: string, width: number, delivered: Delivered): void {
  const line = `${name.padEnd(width)}  ${deliveredLine(delivered)}`
  output.result(line, deliveredValue(name, delivered))
}

/** For programs. */
export const deliveredValue = (name: string, delivered: Delivered): object => ({
  name,
  result: delivered.is.replace(' ', '_'),
  generation: 'generation' in delivered ? delivered.generation : null,
  reason: 'reason' in delivered ? delivered.reason : null,
  relays: delivered.is === 'offline' ? (delivered.relays ?? []) : [],
  complaints: 'complaints' in delivered ? delivered.complaints : [],
  error:
    'error' in delivered ? { code: delivered.error.code, message: delivered.error.message } : null,
})

/** 0 where all is as it should be; else that of the gravest error, 77 where a device put it back. */
export function exitCode(all: readonly Delivered[], untried: number): number {
  const codes = all.map(delivered => {
    if (delivered.is === 'put back') return EXIT_CODES[ERRORS.PUSH_PUT_BACK[0]]
    return 'error' in delivered ? EXIT_CODES[delivered.error.family] : 0
  })
  return Math.max(0, ...codes, untried > 0 ? EXIT_CODES.refused : 0)
}

export const widest = (devices: readonly { readonly name: string }[]): number =>
  Math.max(...devices.map(({ name }) => name.length))
