/** The vectors of test/vectors: texts of hexadecimal digits, read as bytes. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

// biome-ignore lint/suspicious/noExplicitAny: each file has a shape of its own, known to its test
export const readVectors = (name: string): any =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'vectors', `${name}.json`), 'utf8'))

/** Bytes of hexadecimal digits; blanks at field borders are for the reader. */
export const hex = (digits: string): Uint8Array =>
  Uint8Array.from(Buffer.from(digits.replaceAll(/\s/g, ''), 'hex'))

export const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

export const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
