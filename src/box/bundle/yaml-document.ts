/**
 * YAML as a tree of nodes that know their line: the only file that imports `yaml`.
 *
 * YAML 1.2, core schema. Aliases are refused (a few lines of them unfold to gigabytes), and so are keys
 * that stand twice.
 */

import { isAlias, isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument } from 'yaml'

/** Where something stands in a file; both count from 1. */
export interface Place {
  readonly line: number
  readonly column: number
}

/** What is wrong, and where. */
export interface Problem extends Place {
  /** Relative to the bundle. */
  readonly file: string
  readonly message: string
}

export type YamlNode = Place &
  (
    | {
        readonly is: 'scalar'
        readonly value: string | number | boolean | null
        /** As it was written: `0644` is no number to us. */
        readonly text: string
      }
    | { readonly is: 'list'; readonly items: readonly YamlNode[] }
    | { readonly is: 'map'; readonly entries: readonly YamlEntry[] }
  )

export interface YamlEntry extends Place {
  readonly key: string
  readonly value: YamlNode
}

/** A manifest nests four deep. */
const DEPTH_MAX = 16

/** The tree of a document; null where the text is no YAML, or says nothing. `problem` hears of each fault. */
export function readYaml(
  text: string,
  problem: (at: Place, message: string) => void,
): YamlNode | null {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const place = (offset: number): Place => {
    const { line, col } = lines.linePos(offset)
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }
  for (const { pos, message } of [...document.errors, ...document.warnings])
    problem(place(pos[0]), sentence(message))
  if (document.errors.length > 0) return null

  const read = (node: unknown, around: Place, depth: number): YamlNode | null => {
    const offset = (node as { range?: readonly number[] | null } | null)?.range?.[0]
    const at = offset === undefined ? around : place(offset)
    if (depth > DEPTH_MAX) {
      problem(at, 'This is nested too deeply.')
      return null
    }
    if (node === null || node === undefined) return { ...at, is: 'scalar', value: null, text: '' }
    if (isAlias(node)) {
      problem(at, 'Aliases are not allowed.')
      return null
    }
    // "\ud800" is YAML, and nothing that could be written to a file.
    if (isScalar(node) && /\p{Surrogate}/u.test(String(node.value))) {
      problem(at, 'This is half a character.')
      return null
    }
    if (isScalar(node)) return readScalar(node.value, node.source, at)
    if (isSeq(node)) {
      const items = node.items.map(item => read(item, at, depth + 1))
      return { ...at, is: 'list', items: items.filter(item => item !== null) }
    }
    if (!isMap(node)) return null
    const entries = (node.items as Pair[]).map(pair => entry(pair, at, depth))
    return { ...at, is: 'map', entries: entries.filter(one => one !== null) }
  }

  const entry = ({ key, value }: Pair, around: Place, depth: number): YamlEntry | null => {
    const name = read(key, around, depth + 1)
    if (name?.is !== 'scalar' || name.text === '') {
      problem(name ?? around, 'A key must be a word.')
      return null
    }
    const at = { line: name.line, column: name.column }
    const read_ = read(value, at, depth + 1)
    return read_ && { ...at, key: String(name.value ?? name.text), value: read_ }
  }

  return document.contents === null ? null : read(document.contents, place(0), 0)
}

function readScalar(value: unknown, source: string | undefined, at: Place): YamlNode {
  const isPlain =
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return {
    ...at,
    is: 'scalar',
    value: isPlain ? value : null,
    text: source ?? (isPlain ? String(value) : ''),
  }
}

const sentence = (message: string): string => `${message.replace(/\.?$/, '')}.`
