/** The alerts of a device as variables of its status, and read from there: those that fire, and the last that did. */

import { BoxError } from '../../base/errors.ts'
import { fromPsycDate, toPsycDate } from '../../psyc/keyword.ts'
import { dictOfValues, listOfValues } from '../../psyc/list.ts'
import { elementTexts, entryTexts } from '../../psyc/texts.ts'
import { VALUE_SIZE_MAX } from './judgement.ts'
import { type AlertRecord, OVER_MAX } from './keeper.ts'
import { RULE_NAME, RULES_MAX } from './rule.ts'

/** What a device says of its alerts. */
export interface AlertReport {
  readonly records: readonly AlertRecord[]
  /** The names of all rules that hold. */
  readonly rules: readonly string[]
  /** What is wrong with its rules; null: nothing. */
  readonly fault: string | null
}

export const NO_ALERTS: AlertReport = { records: [], rules: [], fault: null }

/** The variables in which they are told. */
export const ALERT_VARIABLES = {
  rules: '_list_alerts_rules',
  fault: '_alerts_fault',
  since: '_dict_alerts_since',
  value: '_dict_alerts_value',
  when: '_dict_alerts_when',
  over: '_list_alerts_over',
} as const

const WHEN_SIZE_MAX = 600
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** None where there are no rules and nothing is wrong. */
export function alertVariables({ records, rules, fault }: AlertReport): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>()
  if (rules.length > 0) all.set(ALERT_VARIABLES.rules, listOfValues(rules))
  if (fault !== null) all.set(ALERT_VARIABLES.fault, encoder.encode(fault))
  const firing = records.filter(({ until }) => until === null)
  const dict = (name: string, read: (record: AlertRecord) => string) => {
    if (firing.length > 0) all.set(name, dictOfValues(firing.map(one => [one.rule, read(one)])))
  }
  dict(ALERT_VARIABLES.since, ({ since }) => toPsycDate(since))
  dict(ALERT_VARIABLES.value, ({ value }) => value)
  dict(ALERT_VARIABLES.when, ({ when }) => when)
  const over = records
    .filter(({ until }) => until !== null)
    .map(({ rule, since, until, value }) =>
      [rule, toPsycDate(since), toPsycDate(until!), value].join(' '),
    )
  if (over.length > 0) all.set(ALERT_VARIABLES.over, listOfValues(over))
  return all
}

/** What a status says of alerts; what makes no sense is left out. */
export function readAlerts(values: ReadonlyMap<string, Uint8Array>): AlertReport {
  const text = (name: string) => {
    const value = values.get(name)
    return value ? decoder.decode(value) : null
  }
  const [value, when] = [
    textsOf(values, ALERT_VARIABLES.value),
    textsOf(values, ALERT_VARIABLES.when),
  ]
  const firing = [...textsOf(values, ALERT_VARIABLES.since)]
    .slice(0, RULES_MAX)
    .flatMap(([rule, since]): AlertRecord[] => {
      const at = fromPsycDate(since)
      if (at === null || !RULE_NAME.test(rule)) return []
      const about = { value: cut(value.get(rule)), when: cut(when.get(rule), WHEN_SIZE_MAX) }
      return [{ ...{ rule, since: at, until: null }, ...about }]
    })
  return {
    records: [...firing, ...overIn(values.get(ALERT_VARIABLES.over))],
    rules: elementsOf(values.get(ALERT_VARIABLES.rules))
      .filter(name => RULE_NAME.test(name))
      .slice(0, RULES_MAX),
    fault: text(ALERT_VARIABLES.fault),
  }
}

function overIn(value: Uint8Array | undefined): AlertRecord[] {
  return elementsOf(value)
    .slice(0, OVER_MAX)
    .flatMap((text): AlertRecord[] => {
      const [, rule = '', from = '', to = '', last] = /^(\S+) (\S+) (\S+) (.*)$/s.exec(text) ?? []
      const [since, until] = [fromPsycDate(from), fromPsycDate(to)]
      if (since === null || until === null || !RULE_NAME.test(rule)) return []
      return [{ ...{ rule, since, until }, value: cut(last), when: '' }]
    })
}

const elementsOf = (value: Uint8Array | undefined): string[] =>
  elementTexts(value).map(text => text ?? '')

/** Records as they are kept on disk. Throws STATE_UNREADABLE. */
export function readRecords(value: unknown): AlertRecord[] {
  if (!Array.isArray(value)) throw new BoxError('STATE_UNREADABLE', 'There is no list of alerts.')
  return value.map(one => {
    const { rule, when, value: last, since, until } = (one ?? {}) as Record<string, unknown>
    const isRight =
      typeof rule === 'string' &&
      RULE_NAME.test(rule) &&
      typeof when === 'string' &&
      typeof last === 'string' &&
      typeof since === 'number' &&
      (until === null || typeof until === 'number')
    if (!isRight) throw new BoxError('STATE_UNREADABLE', 'What is kept of an alert is damaged.')
    return { rule, when, value: last, since, until }
  })
}

const cut = (text: string | undefined, sizeMax = VALUE_SIZE_MAX): string =>
  (text ?? '').slice(0, sizeMax)

const textsOf = (values: ReadonlyMap<string, Uint8Array>, name: string): Map<string, string> =>
  new Map(entryTexts(values.get(name)).map(([key, text]) => [key, text ?? '']))
