/**
 * A rule of an alert as a person writes it, `{ "name": "disk", "when": "disk_used_ratio > 90 %", "for": "5m" }`,
 * read and checked. Every complaint names the rule and the field, and in a condition the column.
 */

import { BoxError } from '../../base/errors.ts'
import { type Condition, parseCondition } from './condition.ts'

export interface AlertRule {
  readonly name: string
  readonly when: Condition
  /** How long it must hold before it is an alert, and not hold before it is none any more. */
  readonly forMs: number
  /** What must hold for it to be over; null: that `when` does not. */
  readonly until: Condition | null
  /** As it was written, with how long: for people. */
  readonly text: string
}

/** Fields that a rule may have beside these; what they mean is for their reader. */
export type Extra<F extends string> = Readonly<Partial<Record<F, unknown>>>

/** Names of rules are said with devices on command lines, and are keys of dicts and labels of metrics. */
export const RULE_NAME = /^[a-z0-9](?:[a-z0-9_-]{0,30}[a-z0-9])?$/
/** A fleet has some; each is looked at on each device every ten seconds. */
export const RULES_MAX = 32
const FOR_MS = 60_000
/** Longer ones would hardly ever be: the time begins anew with the program. */
const FOR_MS_MAX = 7 * 86_400_000
const FIELDS = ['name', 'when', 'for', 'until']
const UNITS_MS: Readonly<Record<string, number>> = {
  ...{ s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 },
}

/** Rules of different names, each with the extra fields it has. Throws ALERT_INVALID. */
export function readRules<F extends string = never>(
  value: unknown,
  extras: readonly F[] = [],
): (AlertRule & { readonly extra: Extra<F> })[] {
  if (!Array.isArray(value)) throw new BoxError('ALERT_INVALID', 'There is no list of rules.')
  if (value.length > RULES_MAX)
    throw new BoxError('ALERT_INVALID', `There are more than ${RULES_MAX} rules.`)
  const rules = value.map((one, at) => readRule(one, at, extras))
  const twice = rules.find(({ name }, at) => rules.findIndex(one => one.name === name) !== at)
  if (twice) throw new BoxError('ALERT_INVALID', `Two rules are called "${twice.name}".`)
  return rules
}

function readRule<F extends string>(
  value: unknown,
  at: number,
  extras: readonly F[],
): AlertRule & { readonly extra: Extra<F> } {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new BoxError('ALERT_INVALID', `Rule ${at + 1} is no { … }.`)
  const fields = value as Record<string, unknown>
  const { name, when, until } = fields
  if (typeof name !== 'string' || !RULE_NAME.test(name))
    throw new BoxError(
      'ALERT_INVALID',
      `Rule ${at + 1} has no name of small letters, digits, - and _, 32 at most.`,
    )
  const known = [...FIELDS, ...extras]
  const unknown = Object.keys(fields).find(field => !known.includes(field))
  if (unknown !== undefined)
    throw misfit(name, unknown, `is nothing that a rule has: there are ${known.join(', ')}`)
  if (when === undefined) throw misfit(name, 'when', 'is missing')
  const forMs = fields.for === undefined ? FOR_MS : lengthOf(fields.for, name)
  const extra: Partial<Record<F, unknown>> = {}
  for (const field of extras) if (fields[field] !== undefined) extra[field] = fields[field]
  return {
    ...{ name, forMs, extra },
    when: conditionOf(when, name, 'when'),
    until: until === undefined ? null : conditionOf(until, name, 'until'),
    text: `${when} for ${lengthText(forMs)}`,
  }
}

function conditionOf(value: unknown, rule: string, field: string): Condition {
  if (typeof value !== 'string') throw misfit(rule, field, 'is no text')
  try {
    return parseCondition(value)
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    throw new BoxError('ALERT_INVALID', `"${field}" of the rule "${rule}": ${error.detail}`)
  }
}

function lengthOf(value: unknown, rule: string): number {
  const [, count, unit] =
    /^(\d{1,5}) ?(s|m|min|h|d|w)$/.exec(typeof value === 'string' ? value : '') ?? []
  const ms = Number(count) * UNITS_MS[unit ?? '']!
  if (ms <= FOR_MS_MAX) return ms
  throw misfit(rule, 'for', 'is no time like 30s, 5m or 2h, a week at most')
}

/** A length of time as rules have it. */
export function lengthText(ms: number): string {
  for (const [unit, size] of [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const)
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`
  return `${Math.round(ms / 1_000)}s`
}

const misfit = (rule: string, field: string, what: string): BoxError =>
  new BoxError('ALERT_INVALID', `"${field}" of the rule "${rule}" ${what}.`)
