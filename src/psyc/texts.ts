/** Lists and dicts of texts, as a status has them: where a value is neither, nothing was said. */

import { WireError } from '../wire/layout.ts'
import { parseDict, parseList } from './list.ts'

const decoder = new TextDecoder()

/** Of a list; null for an element without a value. Empty where there is no value, or no list. */
export const elementTexts = (value: Uint8Array | undefined): readonly (string | null)[] =>
  tolerant(() => (value ? parseList(value).elements : [])).map(element => textOf(element.value))

/** Of a dict; null for a key without a value. Empty where there is no value, or no dict. */
export const entryTexts = (
  value: Uint8Array | undefined,
): readonly (readonly [key: string, text: string | null])[] =>
  tolerant(() => (value ? parseDict(value).entries : [])).map(entry => [
    decoder.decode(entry.key),
    textOf(entry.value),
  ])

const textOf = (value: Uint8Array | null): string | null => value && decoder.decode(value)

function tolerant<T>(parse: () => readonly T[]): readonly T[] {
  try {
    return parse()
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}
