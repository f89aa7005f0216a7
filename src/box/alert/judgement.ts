/**
 * Whether a condition holds on what is known. What is not known makes it neither true nor false; of what there
 * are several of, disks or sensors, one is enough, and it is named.
 */

import {
  type Comparator,
  type Condition,
  domainIn,
  type Sum,
  type Variable,
  variablesIn,
} from './condition.ts'
import type { Fact, Facts } from './facts.ts'

export interface Verdict {
  /** Null: what would decide it is not known. */
  readonly holds: boolean | null
  /** What it is decided by, for people: `disk_used_ratio 93 % (/var)`. Empty where it does not hold. */
  readonly value: string
}

/** Each key of one domain with each of the other: so many are tried. */
const BINDINGS_MAX = 4_096
/** For whom it holds is named up to here. */
const NAMED_MAX = 3
export const VALUE_SIZE_MAX = 160

/** What a variable is in one try: its domain's key, or that of a family its name and key. */
type Binding = ReadonlyMap<string, string>

export function judge(condition: Condition, facts: Facts): Verdict {
  const variables = variablesIn(condition)
  let isUnknown = false
  const found: string[] = []
  for (const binding of bindingsOf(variables, facts)) {
    const truth = truthOf(condition, facts, binding)
    if (truth === null) isUnknown = true
    if (truth) found.push(valueText(variables, facts, binding))
  }
  const named = [...new Set(found)]
  const more = named.length > NAMED_MAX ? `, and ${named.length - NAMED_MAX} more` : ''
  const value = `${named.slice(0, NAMED_MAX).join(', ')}${more}`.slice(0, VALUE_SIZE_MAX)
  if (found.length > 0) return { holds: true, value }
  return { holds: isUnknown ? null : false, value: '' }
}

function bindingsOf(variables: readonly Variable[], facts: Facts): Binding[] {
  const domains = new Map<string, Set<string>>()
  for (const variable of variables) {
    const domain = domainIn(variable)
    if (domain === null) continue
    const keys = domains.get(domain) ?? new Set()
    for (const label of labelsOf(variable, facts)) keys.add(label)
    domains.set(domain, keys)
  }
  let all: Binding[] = [new Map()]
  // Where there is none of something, what is said of it is unknown, and the rest may decide.
  for (const [domain, keys] of domains)
    if (keys.size > 0)
      all = all
        .flatMap(binding => [...keys].map(key => new Map([...binding, [domain, key]])))
        .slice(0, BINDINGS_MAX)
  return all
}

const labelsOf = (variable: Variable, facts: Facts): string[] =>
  variable.isFamily
    ? familyOf(variable, facts).map(([label]) => label)
    : facts.of(variable.name).flatMap(({ key }) => key ?? [])

/** All of a family, by what tells them apart. */
const familyOf = ({ name, key }: Variable, facts: Facts): [string, Fact][] =>
  facts
    .under(name)
    .flatMap(([one, all]) =>
      all
        .filter(fact => key === null || fact.key === key)
        .map((fact): [string, Fact] => [labelOf(one, fact.key), fact]),
    )

const labelOf = (name: string, key: string | null): string =>
  key === null ? name.slice(1) : `${name.slice(1)}[${key}]`

function factIn(variable: Variable, facts: Facts, binding: Binding): Fact | null {
  const domain = domainIn(variable)
  const key = domain === null ? variable.key : (binding.get(domain) ?? null)
  if (!variable.isFamily) return facts.of(variable.name).find(one => one.key === key) ?? null
  return familyOf(variable, facts).find(([label]) => label === key)?.[1] ?? null
}

function truthOf(condition: Condition, facts: Facts, binding: Binding): boolean | null {
  switch (condition.is) {
    case 'and':
    case 'or': {
      const decisive = condition.is === 'or'
      const left = truthOf(condition.left, facts, binding)
      if (left === decisive) return left
      const right = truthOf(condition.right, facts, binding)
      if (right === decisive) return right
      return left === null || right === null ? null : !decisive
    }
    case 'not': {
      const of = truthOf(condition.of, facts, binding)
      return of === null ? null : !of
    }
    case 'missing':
      return factIn(condition.variable, facts, binding) === null
    case 'comparison': {
      const of = (sum: Sum) => worthOf(sum, facts, binding)
      return compare(of(condition.left), condition.comparator, of(condition.right))
    }
  }
}

type Value = Pick<Fact, 'number' | 'text'>

function worthOf(sum: Sum, facts: Facts, binding: Binding): Value | null {
  switch (sum.is) {
    case 'number':
      return { number: sum.value, text: '' }
    case 'text':
      return { number: null, text: sum.value }
    case 'variable':
      return factIn(sum, facts, binding)
    case 'sum': {
      const left = worthOf(sum.left, facts, binding)?.number ?? null
      const right = worthOf(sum.right, facts, binding)?.number ?? null
      if (left === null || right === null) return null
      const number = calculate(left, sum.operator, right)
      return Number.isFinite(number) ? { number, text: '' } : null
    }
  }
}

function calculate(left: number, operator: '+' | '-' | '*' | '/', right: number): number {
  switch (operator) {
    case '+':
      return left + right
    case '-':
      return left - right
    case '*':
      return left * right
    case '/':
      return left / right
  }
}

/** Numbers as numbers; texts are equal or not, and have no order. */
function compare(left: Value | null, comparator: Comparator, right: Value | null): boolean | null {
  if (!(left && right)) return null
  if (left.number !== null && right.number !== null)
    return ordered(left.number, comparator, right.number)
  if (comparator === '==') return left.text === right.text
  if (comparator === '!=') return left.text !== right.text
  return null
}

function ordered(left: number, comparator: Comparator, right: number): boolean {
  switch (comparator) {
    case '<':
      return left < right
    case '<=':
      return left <= right
    case '>':
      return left > right
    case '>=':
      return left >= right
    case '==':
      return left === right
    case '!=':
      return left !== right
  }
}

function valueText(variables: readonly Variable[], facts: Facts, binding: Binding): string {
  const texts = variables.flatMap(variable => {
    const fact = factIn(variable, facts, binding)
    if (!fact) return []
    const domain = domainIn(variable)
    const name = variable.isFamily
      ? (binding.get(domain ?? '') ?? variable.name.slice(1))
      : variable.name.slice(1)
    const key = variable.isFamily || fact.key === null ? '' : ` (${fact.key})`
    return `${name} ${shown(name, fact)}${key}`
  })
  if (texts.length > 0) return [...new Set(texts)].join(', ')
  return variables.map(({ name }) => `${name.slice(1)} is missing`).join(', ')
}

/** Shares as people say them; of long numbers, what counts. */
function shown(name: string, { number, text }: Fact): string {
  if (number === null) return text
  if (/_ratio(\[|$)/.test(name)) return `${Number((100 * number).toFixed(1))} %`
  return Number.isInteger(number) ? `${number}` : `${Number(number.toPrecision(4))}`
}
