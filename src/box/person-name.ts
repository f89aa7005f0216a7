/** What people are called by each other: in grants and in rooms. Nothing in it can steer a terminal or pass for two names. */

import { BoxError } from '../base/errors.ts'

/** The name in one spelling. Throws NAME_INVALID. */
export function personName(text: string): string {
  const name = text.normalize('NFC')
  if (/^[^\p{C}\p{Z}]{1,63}$/u.test(name)) return name
  throw new BoxError('NAME_INVALID', 'A person’s name has no blanks and is at most 63 long.')
}
