/** Objects of JSON that one process says to another: taken apart by whoever believes nothing of them. */

import type { BoxError } from '../base/errors.ts'

export type Words = Readonly<Record<string, unknown>>

const decoder = new TextDecoder('utf-8', { fatal: true })

export const isWords = (value: unknown): value is Words =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

/** What takes the words of one protocol apart; all of it throws what `unexpected` makes. */
export function wordReaders(unexpected: () => BoxError) {
  const wordsOf = (value: unknown): Words => {
    if (isWords(value)) return value
    throw unexpected()
  }
  return {
    /** An object, of UTF-8. */
    parsed: (json: Uint8Array): Words => {
      try {
        return wordsOf(JSON.parse(decoder.decode(json)))
      } catch {
        throw unexpected()
      }
    },
    /** An object within. */
    wordsOf,
    listOf: (value: unknown, max = Number.MAX_SAFE_INTEGER): readonly unknown[] => {
      if (Array.isArray(value) && value.length <= max) return value
      throw unexpected()
    },
    /** A whole number from 0. */
    wholeOf: (value: unknown, max = Number.MAX_SAFE_INTEGER): number => {
      if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max)
        return value
      throw unexpected()
    },
  }
}
