/** The words of a condition (condition.ts): names, numbers with their units, texts, marks, each with its place. */

import { BoxError } from '../../base/errors.ts'

export interface Token {
  readonly is: 'name' | 'word' | 'number' | 'text' | 'comparator' | 'mark' | 'end'
  /** As it stands there; of a text, what is between its quotes. */
  readonly text: string
  /** Of a number, its unit included; else 0. */
  readonly number: number
  /** From 0. */
  readonly at: number
}

const WORDS = new Set(['and', 'or', 'not', 'missing'])

/** Shares are of 1, times are seconds, sizes are bytes. */
const UNITS: Readonly<Record<string, number>> = {
  '%': 0.01,
  ...{ s: 1, m: 60, min: 60, h: 3_600, d: 86_400, w: 7 * 86_400 },
  ...{ k: 1e3, M: 1e6, G: 1e9, T: 1e12, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
  ...{ KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 },
}

const BLANKS = /[ \t\r\n]*/y
const NAME = /_?[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*(?:_\*)?/y
const NUMBER = /(\d{1,15}(?:\.\d{1,15})?)[ \t]*(%|[A-Za-z]+)?/y
const TEXT = /"([^"\\\p{Cc}]*)"/uy
const COMPARATOR = /[<>]=?|[=!]=/y
const MARK = /[()[\]+\-*/]/y

/** The last one is the end. Throws ALERT_INVALID. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    return pattern.exec(text)
  }
  for (;;) {
    at += match(BLANKS)![0].length
    if (at === text.length) break
    const [token, size] = tokenAt(text, at, match)
    tokens.push(token)
    at += size
  }
  return [...tokens, { is: 'end', text: '', number: 0, at }]
}

function tokenAt(
  text: string,
  at: number,
  match: (pattern: RegExp) => RegExpExecArray | null,
): readonly [Token, number] {
  const [name] = match(NAME) ?? []
  if (name !== undefined)
    return [{ is: WORDS.has(name) ? 'word' : 'name', text: name, number: 0, at }, name.length]
  const number = match(NUMBER)
  if (number) return numberAt(at, number)
  const quoted = match(TEXT)
  if (quoted) return [{ is: 'text', text: quoted[1]!, number: 0, at }, quoted[0].length]
  const [comparator] = match(COMPARATOR) ?? []
  if (comparator !== undefined)
    return [{ is: 'comparator', text: comparator, number: 0, at }, comparator.length]
  const [mark] = match(MARK) ?? []
  if (mark !== undefined) return [{ is: 'mark', text: mark, number: 0, at }, 1]
  const found = [...text.slice(at)][0]!
  throw misplaced(at, found === '"' ? 'the text has no end' : whatIs(found))
}

function numberAt(at: number, found: RegExpExecArray): readonly [Token, number] {
  const [all, digits, unit] = found
  // `5 and …`: the word behind it is none of its own.
  if (unit === undefined || WORDS.has(unit)) {
    const number = Number(digits)
    return [{ is: 'number', text: digits!, number, at }, digits!.length]
  }
  if (!Object.hasOwn(UNITS, unit))
    throw misplaced(
      at + all.length - unit.length,
      `"${unit}" is no unit: there are ${Object.keys(UNITS).join(', ')}`,
    )
  const number = Number(digits) * UNITS[unit]!
  return [{ is: 'number', text: all, number, at }, all.length]
}

function whatIs(found: string): string {
  if (found === '=') return 'it is compared with "=="'
  if (found === '!') return 'it is "not" or "!="'
  if (found === '&' || found === '|') return 'it is joined with "and" or "or"'
  return `${JSON.stringify(found)} means nothing here`
}

const misplaced = (at: number, what: string): BoxError =>
  new BoxError('ALERT_INVALID', `Column ${at + 1} of the condition: ${what}.`)
