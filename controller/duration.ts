/** How long something lasts, as people write it: 30m, 12h, 7d, 4w. */

import { BoxError } from '../src/base/errors.ts'

const UNITS_MS = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 } as const

/** Milliseconds. Throws INPUT_INVALID. */
export function durationMs(text: string, option: string): number {
  const [, count, unit] = /^(\d{1,5})([mhdw])$/.exec(text) ?? []
  const ms = Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
  if (ms > 0) return ms
  throw new BoxError('INPUT_INVALID', `--${option} takes a time like 12h, 7d or 4w.`)
}
