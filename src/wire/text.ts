/** Texts on the wire: UTF-8, and nothing that is not; with a NUL at the end where C expects one. */

import { BoxError } from '../base/errors.ts'

const encoder = new TextEncoder()
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 bytes. Throws RangeError on half a surrogate pair, which would not come back the same. */
export function encodeText(text: string): Uint8Array {
  if (/\p{Surrogate}/u.test(text)) throw new RangeError('the text has half a surrogate pair')
  return encoder.encode(text)
}

/** How many bytes `encodeText` gives. Never throws: what cannot be written is found when it is. */
export const textSize = (text: string): number => encoder.encode(text).length

/** The text of UTF-8 bytes. Throws BoxError WIRE_MALFORMED on any other bytes. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes)
  } catch (cause) {
    throw new BoxError('WIRE_MALFORMED', 'The text is not UTF-8.', cause)
  }
}

/** UTF-8 bytes and a NUL. Throws RangeError on a text that holds a NUL itself. */
export function encodeTextNul(text: string): Uint8Array {
  if (text.includes('\0')) throw new RangeError('the text holds a NUL')
  const bytes = encodeText(text)
  const terminated = new Uint8Array(bytes.length + 1)
  terminated.set(bytes)
  return terminated
}

/** The text before the NUL, which must be the last byte and the only one. Throws as decodeText. */
export function decodeTextNul(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  if (end < 0 || end !== bytes.length - 1)
    throw new BoxError('WIRE_MALFORMED', 'The text does not end with its only NUL.')
  return decodeText(bytes.subarray(0, end))
}
