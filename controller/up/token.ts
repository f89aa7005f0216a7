/** The token of the local API: a file that only its owner can read. Whoever has it may do all that `box` may. */

import { BoxError } from '../../src/base/errors.ts'
import type { Random } from '../../src/base/random.ts'
import { equalSecrets, sha256 } from '../../src/crypto/hash.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { State } from '../state.ts'

export const TOKEN_FILE = 'api-token'
/** Nobody guesses so many bits. */
const TOKEN_BYTES = 32
const TOKEN = /^[0-9A-Z]{52}$/

/** The token; made where there is none. Remove the file for another one. Fails with STATE_UNREADABLE. */
export const ownToken = (state: State, random: Random): Promise<string> =>
  state.exclusively(() => {
    const kept = readToken(state)
    if (kept !== null) return kept
    const made = encodeBase32(random.bytes(TOKEN_BYTES))
    state.writeText(TOKEN_FILE, `${made}\n`)
    return made
  })

/** Null where none was made yet. Throws STATE_UNREADABLE. */
export function readToken(state: State): string | null {
  const text = state.readText(TOKEN_FILE)?.trim() ?? null
  if (text === null || TOKEN.test(text)) return text
  throw new BoxError('STATE_UNREADABLE', `${state.directory}/${TOKEN_FILE} is damaged: remove it.`)
}

const encoder = new TextEncoder()

/** In the same time for every wrong one, whatever its length. */
export const isToken = (given: string, token: string): boolean =>
  equalSecrets(sha256(encoder.encode(given)), sha256(encoder.encode(token)))
