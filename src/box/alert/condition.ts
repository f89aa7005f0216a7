/**
 * What the rules of alerts say, `disk_used_ratio > 90 % and uptime > 10 min`, read into a tree.
 * A small language of comparisons, with a place in every complaint; nothing of it is ever run as a program.
 *
 *     condition  = both *( "or" both )
 *     both       = term *( "and" term )
 *     term       = "not" term / "missing" "(" variable ")" / "(" condition ")" / sum comparator sum
 *     sum        = product *( ( "+" / "-" ) product )
 *     product    = value *( ( "*" / "/" ) value )
 *     value      = number [ unit ] / text / variable / "-" value / "(" sum ")"
 *     variable   = name [ "_*" ] [ "[" text "]" ]
 */

import { BoxError } from '../../base/errors.ts'
import { domainOf } from './facts.ts'
import { type Token, tokensOf } from './tokens.ts'

export const COMPARATORS = ['<', '<=', '>', '>=', '==', '!='] as const
export type Comparator = (typeof COMPARATORS)[number]

export interface Variable {
  readonly is: 'variable'
  /** With its first underscore; of a family, what all of it inherit from. */
  readonly name: string
  /** `_disk_*`: whatever inherits from the name. */
  readonly isFamily: boolean
  /** `disk_used["/var"]`: only this one; null: each. */
  readonly key: string | null
}

export type Sum =
  | { readonly is: 'number'; readonly value: number }
  | { readonly is: 'text'; readonly value: string }
  | Variable
  | {
      readonly is: 'sum'
      readonly operator: '+' | '-' | '*' | '/'
      readonly left: Sum
      readonly right: Sum
    }

export type Condition =
  | { readonly is: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly is: 'not'; readonly of: Condition }
  | { readonly is: 'missing'; readonly variable: Variable }
  | {
      readonly is: 'comparison'
      readonly comparator: Comparator
      readonly left: Sum
      readonly right: Sum
    }

/** More is for a program, not for a rule. */
export const CONDITION_SIZE_MAX = 512
/** Parentheses in parentheses: nobody reads more. */
const DEPTH_MAX = 16
/** Each entry of one list is looked at with each of the other: of three lists it would be too many. */
const DOMAINS_MAX = 2

/** Throws ALERT_INVALID, which says at which column what is wrong. */
export function parseCondition(text: string): Condition {
  if (text.length > CONDITION_SIZE_MAX)
    throw new BoxError(
      'ALERT_INVALID',
      `The condition has more than ${CONDITION_SIZE_MAX} characters.`,
    )
  const parser = new Parser(tokensOf(text))
  const condition = parser.condition()
  parser.end()
  const domains = new Set(variablesIn(condition).flatMap(one => domainIn(one) ?? []))
  if (domains.size > DOMAINS_MAX)
    throw new BoxError('ALERT_INVALID', 'The condition is about more than two lists of things.')
  return condition
}

/** All variables that a condition has. */
export function variablesIn(condition: Condition): Variable[] {
  switch (condition.is) {
    case 'and':
    case 'or':
      return [...variablesIn(condition.left), ...variablesIn(condition.right)]
    case 'not':
      return variablesIn(condition.of)
    case 'missing':
      return [condition.variable]
    case 'comparison':
      return [...variablesOfSum(condition.left), ...variablesOfSum(condition.right)]
  }
}

function variablesOfSum(sum: Sum): Variable[] {
  if (sum.is === 'variable') return [sum]
  return sum.is === 'sum' ? [...variablesOfSum(sum.left), ...variablesOfSum(sum.right)] : []
}

/** Of what it has one value each; null where it is one value. */
export function domainIn({ name, isFamily, key }: Variable): string | null {
  if (isFamily) return `${name}_*`
  return key === null ? domainOf(name) : null
}

/** Either half of the language: what has a value, and what is so or is not. */
type Part = { readonly sum: Sum } | { readonly condition: Condition }

class Parser {
  private readonly tokens: readonly Token[]
  private at = 0
  private depth = 0

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens
  }

  condition(): Condition {
    return this.truth(() => this.either())
  }

  end(): void {
    if (this.next.is !== 'end') throw this.unexpected('"and", "or" or the end')
  }

  private either(): Part {
    return this.chain('or', () => this.both())
  }

  private both(): Part {
    return this.chain('and', () => this.term())
  }

  /** One, or several with the same word between; only conditions can be joined. */
  private chain(word: 'and' | 'or', part: () => Part): Part {
    let left = part()
    while (this.takes('word', word)) {
      const one = this.asCondition(left)
      left = { condition: { is: word, left: one, right: this.truth(part) } }
    }
    return left
  }

  private term(): Part {
    if (this.takes('word', 'not'))
      return { condition: { is: 'not', of: this.deeper(() => this.truth(() => this.term())) } }
    if (this.takes('word', 'missing')) return { condition: this.missing() }
    const left = this.sum()
    if (!('sum' in left) || this.next.is !== 'comparator') return left
    const comparator = this.take().text as Comparator
    const right = this.asSum(this.sum())
    return { condition: { is: 'comparison', comparator, left: left.sum, right } }
  }

  private missing(): Condition {
    this.expect('(')
    const { next } = this
    const part = this.value()
    if (!('sum' in part && part.sum.is === 'variable'))
      throw complaint(next.at, '"missing" takes a variable')
    this.expect(')')
    return { is: 'missing', variable: part.sum }
  }

  private sum(): Part {
    return this.operations(['+', '-'], () => this.operations(['*', '/'], () => this.value()))
  }

  private operations(operators: readonly ('+' | '-' | '*' | '/')[], part: () => Part): Part {
    let left = part()
    for (;;) {
      const operator = operators.find(one => this.takes('mark', one))
      if (!operator) return left
      left = { sum: { is: 'sum', operator, left: this.asSum(left), right: this.asSum(part()) } }
    }
  }

  private value(): Part {
    if (this.takes('mark', '-')) {
      const of = this.deeper(() => this.asSum(this.value()))
      const zero: Sum = { is: 'number', value: 0 }
      return { sum: { is: 'sum', operator: '-', left: zero, right: of } }
    }
    if (this.takes('mark', '(')) {
      const inside = this.deeper(() => this.either())
      this.expect(')')
      return inside
    }
    if (this.next.is === 'number') return { sum: { is: 'number', value: this.take().number } }
    if (this.next.is === 'text') return { sum: { is: 'text', value: this.take().text } }
    if (this.next.is === 'name') return { sum: this.variable(this.take()) }
    throw this.unexpected('a variable, a number or a text')
  }

  private variable({ text, at }: Token): Variable {
    const isFamily = text.endsWith('_*')
    const plain = isFamily ? text.slice(0, -2) : text
    const name = plain.startsWith('_') ? plain : `_${plain}`
    if (!/^(_[a-z0-9]+)+$/.test(name))
      throw complaint(at, `"${text}" is no name of a variable: small letters, digits and _`)
    if (!this.takes('mark', '[')) return { is: 'variable', name, isFamily, key: null }
    if (this.next.is !== 'text') throw this.unexpected('a text like "/var"')
    const key = this.take().text
    this.expect(']')
    return { is: 'variable', name, isFamily, key }
  }

  private truth(part: () => Part): Condition {
    return this.asCondition(part())
  }

  private asCondition(part: Part): Condition {
    if ('condition' in part) return part.condition
    throw this.unexpected('a comparison like "> 5"')
  }

  private asSum(part: Part): Sum {
    if ('sum' in part) return part.sum
    throw this.unexpected('a value, not a comparison,')
  }

  private deeper<T>(run: () => T): T {
    if (++this.depth > DEPTH_MAX) throw complaint(this.next.at, 'it is nested too deeply')
    const result = run()
    this.depth--
    return result
  }

  private get next(): Token {
    return this.tokens[this.at]!
  }

  private take(): Token {
    return this.tokens[this.at++]!
  }

  private takes(is: Token['is'], text: string): boolean {
    const found = this.next.is === is && this.next.text === text
    if (found) this.at++
    return found
  }

  private expect(mark: string): void {
    if (!this.takes('mark', mark)) throw this.unexpected(`"${mark}"`)
  }

  private unexpected(wanted: string): BoxError {
    const { is, at, text } = this.next
    const found = is === 'end' ? 'the end' : `"${text}"`
    return complaint(at, `${wanted} is expected, not ${found}`)
  }
}

/** `at` counts from 0, people from 1. */
const complaint = (at: number, what: string): BoxError =>
  new BoxError('ALERT_INVALID', `Column ${at + 1} of the condition: ${what}.`)
