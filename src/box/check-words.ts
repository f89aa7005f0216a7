/** Short words that both sides of a pairing show: equal where nobody is in between. */

import { hkdf } from '../crypto/kdf.ts'
import { WORDS } from './words.ts'

/** 32 bits: enough, since whoever is in between gets one try, and must know the secret of the code too. */
const COUNT = 4
const encoder = new TextEncoder()
const LABEL = encoder.encode('secushare-box check words')

/** The words of a session and the secret of its pairing code. */
export const checkWords = (sessionKey: Uint8Array, secret: Uint8Array): readonly string[] =>
  Array.from(hkdf(COUNT, LABEL, sessionKey, secret), byte => WORDS[byte]!)
