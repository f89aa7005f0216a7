/**
 * OpenWrt's configuration files (`uci`), read and written so that what was not changed stays as it was, to the
 * byte: comments, order, quotes, blanks.
 *
 *     config interface 'lan'
 *             option proto 'static'
 *             list dns '192.0.2.1'
 *
 * Sections without a name are addressed as `@type[n]`, n counted from 0, or from the end below 0.
 */

import { BoxError } from '../../base/errors.ts'

/** A change, as `uci` names it: `network.lan.proto`. */
export type UciChange =
  | {
      readonly is: 'set'
      readonly section: string
      readonly option: string
      readonly value: string
    }
  | {
      readonly is: 'list'
      readonly section: string
      readonly option: string
      readonly values: readonly string[]
    }
  | { readonly is: 'delete'; readonly section: string; readonly option: string | null }
  /** Makes a named section of this type, or leaves the one that is there. */
  | { readonly is: 'section'; readonly section: string; readonly type: string }

type Line =
  | { readonly is: 'other'; readonly text: string }
  | { readonly is: 'config'; readonly text: string; readonly type: string; readonly name: string }
  | {
      readonly is: 'option' | 'list'
      readonly text: string
      readonly key: string
      readonly value: string
    }

const NAME = /^[A-Za-z0-9_]+$/
const INDENT = '\t'

/** Whether an option, a section or a type can be called so. */
export const isUciName = (text: string): boolean => NAME.test(text)

export class UciFile {
  private lines: Line[]

  /** Throws INPUT_INVALID with the line that is none of uci. */
  constructor(text: string) {
    let number = 0
    let inside = false
    this.lines = split(text).map(one => {
      const line = readLine(one, number)
      inside ||= line.is === 'config'
      if (line.is !== 'other' && !inside) throw invalid(number, 'belongs to no section')
      number += one.split('\n').length - 1
      return line
    })
  }

  /** The text; the same as was read where nothing was changed. */
  toString(): string {
    return this.lines.map(({ text }) => text).join('')
  }

  /** The value of an option; a list as its values; null where there is none. */
  get(section: string, option: string): string | readonly string[] | null {
    const range = this.find(section)
    if (!range) return null
    const found = this.within(range, option)
    if (found.length === 0) return null
    const values = found.map(at => this.lines[at] as Extract<Line, { key: string }>)
    return values[0]!.is === 'list' ? values.map(({ value }) => value) : values.at(-1)!.value
  }

  /** Throws INPUT_INVALID where the section is not there. */
  change(change: UciChange): void {
    if (change.is === 'section') {
      this.make(change.section, change.type)
      return
    }
    const range = this.find(change.section)
    if (!range) {
      if (change.is === 'delete') return
      throw new BoxError('INPUT_INVALID', `There is no section "${change.section}".`)
    }
    if (change.is === 'delete' && change.option === null) this.cut(range)
    else if (change.is === 'delete') this.replace(range, change.option!, [])
    else if (change.is === 'set')
      this.replace(range, change.option, [['option', change.value] as const])
    else
      this.replace(
        range,
        change.option,
        change.values.map(value => ['list', value] as const),
      )
  }

  private make(name: string, type: string): void {
    if (!NAME.test(name) || !NAME.test(type))
      throw new BoxError('INPUT_INVALID', `"${name}" of type "${type}" is no section.`)
    if (this.find(name)) return
    const last = this.lines.at(-1)
    if (last && !last.text.endsWith('\n'))
      this.lines[this.lines.length - 1] = { ...last, text: `${last.text}\n` }
    if (last) this.lines.push(readLine('\n', 0))
    this.lines.push(readLine(`config ${type} '${name}'\n`, 0))
  }

  /** From the line of a section to the next one. */
  private find(section: string): readonly [number, number] | null {
    const begins = this.lines.flatMap((line, at) => (line.is === 'config' ? [{ line, at }] : []))
    const [, type, index] = /^@([A-Za-z0-9_]+)\[(-?\d+)\]$/.exec(section) ?? []
    const found =
      type === undefined
        ? begins.find(({ line }) => line.name === section)
        : begins.filter(({ line }) => line.type === type).at(Number(index))
    if (!found) return null
    const next = begins.find(({ at }) => at > found.at)
    return [found.at, next?.at ?? this.lines.length]
  }

  private within([begin, end]: readonly [number, number], option: string): number[] {
    const found: number[] = []
    for (let at = begin + 1; at < end; at++) {
      const line = this.lines[at]!
      if ((line.is === 'option' || line.is === 'list') && line.key === option) found.push(at)
    }
    return found
  }

  /** The new lines stand where the first old one did, or after the last line of the section that says something. */
  private replace(
    range: readonly [number, number],
    option: string,
    wanted: readonly (readonly ['option' | 'list', string])[],
  ): void {
    if (!NAME.test(option)) throw new BoxError('INPUT_INVALID', `"${option}" is no option.`)
    const old = this.within(range, option)
    const same =
      old.length === wanted.length &&
      old.every((at, i) => {
        const line = this.lines[at]!
        return line.is === wanted[i]![0] && 'value' in line && line.value === wanted[i]![1]
      })
    if (same) return
    let into = old[0] ?? range[0] + 1
    if (old.length === 0)
      for (let at = range[0]; at < range[1]; at++) if (this.lines[at]!.is !== 'other') into = at + 1
    const before = this.lines[into - 1]!
    if (!before.text.endsWith('\n')) this.lines[into - 1] = { ...before, text: `${before.text}\n` }
    const fresh = wanted.map(([kind, value]) =>
      readLine(`${INDENT}${kind} ${option} ${quote(value)}\n`, 0),
    )
    const kept = this.lines.filter((_, at) => !old.includes(at))
    kept.splice(into, 0, ...fresh)
    this.lines = kept
  }

  /** What is said about the section that follows stays. */
  private cut([begin, end]: readonly [number, number]): void {
    let last = begin
    for (let at = begin; at < end; at++) if (this.lines[at]!.is !== 'other') last = at
    this.lines.splice(begin, last + 1 - begin)
  }
}

/** Lines with their ends; a quoted value may go on over several. */
function split(text: string): string[] {
  const lines: string[] = []
  let begin = 0
  let quoted: string | null = null
  let comment = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === '\n' && quoted === null) {
      lines.push(text.slice(begin, at + 1))
      begin = at + 1
      comment = false
    } else if (comment) continue
    else if (quoted !== null) {
      if (quoted === '"' && char === '\\') at++
      else if (char === quoted) quoted = null
    } else if (char === '"' || char === "'") quoted = char
    else if (char === '\\') at++
    else if (char === '#' && (at === 0 || /\s/.test(text[at - 1]!))) comment = true
  }
  if (quoted !== null)
    throw invalid(text.slice(0, begin).split('\n').length - 1, 'has a quote that is not closed')
  if (begin < text.length) lines.push(text.slice(begin))
  return lines
}

function readLine(text: string, index: number): Line {
  const words = wordsOf(text, index)
  const [kind, first, second] = words
  if (kind === undefined || kind === 'package') return { is: 'other', text }
  if (kind === 'config') {
    if (first === undefined || words.length > 3) throw invalid(index, 'is no "config TYPE NAME"')
    return { is: 'config', text, type: first, name: second ?? '' }
  }
  if (kind !== 'option' && kind !== 'list')
    throw invalid(index, `begins with "${kind}", not with config, option or list`)
  if (first === undefined || second === undefined || words.length > 3)
    throw invalid(index, `is no "${kind} NAME VALUE"`)
  return { is: kind, text, key: first, value: second }
}

/** As the shell would cut them: quotes join, a backslash keeps the next character, # begins a comment. */
function wordsOf(text: string, index: number): string[] {
  const words: string[] = []
  let word: string | null = null
  for (let at = 0; at < text.length; at++) {
    const char = text[at]!
    if (char === "'" || char === '"') {
      word ??= ''
      for (at++; text[at] !== char; at++) {
        if (at >= text.length) throw invalid(index, 'has a quote that is not closed')
        if (char === '"' && text[at] === '\\') at++
        word += text[at]!
      }
    } else if (char === '\\' && at + 1 < text.length) word = (word ?? '') + text[++at]!
    else if (char === '#' && word === null) break
    else if (/\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else word = (word ?? '') + char
  }
  if (word !== null) words.push(word)
  return words
}

/** In single quotes, as uci itself writes. */
const quote = (value: string): string => `'${value.replaceAll("'", "'\\''")}'`

const invalid = (index: number, wrong: string) =>
  new BoxError('INPUT_INVALID', `Line ${index + 1} ${wrong}.`)
