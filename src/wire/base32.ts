/**
 * Bytes as text the way GNUnet and GNS write them (strings.c; RFC 9498 appendix C): Crockford's
 * alphabet, most significant bit first, the last digit filled with zero bits.
 */

import { BoxError } from '../base/errors.ts'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const DIGIT_BITS = 5
const NONE = 0xff

/** The value of each character code; people may write lower case, and O for 0, I or L for 1, U for V. */
const VALUES = new Uint8Array(128).fill(NONE)
for (const [value, digit] of [...ALPHABET].entries()) {
  VALUES[digit.charCodeAt(0)] = value
  VALUES[digit.toLowerCase().charCodeAt(0)] = value
}
for (const [lookalike, digit] of ['O0', 'o0', 'I1', 'i1', 'L1', 'l1', 'UV', 'uV'])
  VALUES[lookalike!.charCodeAt(0)] = ALPHABET.indexOf(digit!)

/** How many characters `byteLength` bytes take. */
export const base32Length = (byteLength: number): number => Math.ceil((byteLength * 8) / DIGIT_BITS)

/** 32 bytes give 52 characters, 36 give 58, 64 give 103. */
export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let pending = 0
  let bits = 0
  for (const byte of bytes) {
    pending = (pending << 8) | byte
    bits += 8
    for (; bits >= DIGIT_BITS; bits -= DIGIT_BITS)
      text += ALPHABET[(pending >>> (bits - DIGIT_BITS)) & 31]
    pending &= 31
  }
  return bits > 0 ? text + ALPHABET[(pending << (DIGIT_BITS - bits)) & 31] : text
}

/**
 * The bytes of a text of the right length. Throws BoxError INPUT_INVALID on any other length, on a
 * character outside the alphabet, and where the bits that fill the last digit are not zero, so that
 * no two texts but for spelling stand for the same bytes.
 */
export function decodeBase32(text: string, byteLength: number): Uint8Array {
  const wanted = base32Length(byteLength)
  if (text.length !== wanted)
    throw new BoxError('INPUT_INVALID', `${wanted} characters wanted, ${text.length} given.`)
  const bytes = new Uint8Array(byteLength)
  let pending = 0
  let bits = 0
  let at = 0
  for (let i = 0; i < text.length; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? NONE
    if (value === NONE) throw new BoxError('INPUT_INVALID', `Character ${i + 1} is not base32.`)
    pending = (pending << DIGIT_BITS) | value
    bits += DIGIT_BITS
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = pending >>> bits
      pending &= (1 << bits) - 1
    }
  }
  if (pending !== 0) throw new BoxError('INPUT_INVALID', 'The last character is not canonical.')
  return bytes
}
