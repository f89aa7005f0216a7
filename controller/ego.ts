/**
 * Who this controller is: a zone key with a name of its own choosing, and the key its ssh uses.
 * Both lie in the state directory, readable by their owner only, and nowhere else.
 */

import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import { ZoneSecret } from '../src/crypto/zone-key.ts'
import { nameOf } from './fleet.ts'
import type { State } from './state.ts'

export const EGO_FILE = 'ego'
const SECRET_SIZE = 32

export interface Ego {
  /** What its owner calls it: `home` in `kitchen.home`. */
  readonly name: string
  readonly secret: ZoneSecret
}

/** The ego of this state directory. Throws NO_EGO, KEY_UNREADABLE. */
export function readEgo(state: State): Ego {
  const ego = findEgo(state)
  if (ego) return ego
  throw new BoxError('NO_EGO')
}

/** The same, or null where none was made yet. Throws KEY_UNREADABLE. */
export function findEgo(state: State): Ego | null {
  let text: string | null
  try {
    text = state.readText(EGO_FILE)
  } catch (cause) {
    throw unreadable(state, cause)
  }
  if (text === null) return null
  try {
    const { version, name, type, secret } = JSON.parse(text) as Record<string, unknown>
    const bytes = Buffer.from(secret as string, 'hex')
    if (version !== 1 || bytes.length !== SECRET_SIZE || (type !== 'EDKEY' && type !== 'PKEY'))
      throw new TypeError('not an ego')
    return { name: nameOf(name as string), secret: ZoneSecret.fromBytes(type, bytes) }
  } catch {
    // Without its cause: that may quote what is in the file.
    throw unreadable(state, undefined)
  }
}

/** Makes the ego. Fails with NAME_TAKEN where there is one: it is never replaced. */
export const makeEgo = (state: State, name: string, random: Random): Promise<Ego> =>
  keepEgo(state, { name: nameOf(name), secret: ZoneSecret.generate('EDKEY', random) })

/** Keeps an ego that was made elsewhere. Fails as makeEgo. */
export async function keepEgo(state: State, ego: Ego): Promise<Ego> {
  const { type, bytes } = ego.secret
  await state.exclusively(() => {
    const old = findEgo(state)
    if (old) throw new BoxError('NAME_TAKEN', `This state directory belongs to "${old.name}".`)
    const secret = Buffer.from(bytes).toString('hex')
    state.writeText(EGO_FILE, `${JSON.stringify({ version: 1, name: ego.name, type, secret })}\n`)
  })
  return ego
}

const unreadable = ({ directory }: State, cause: unknown) =>
  new BoxError('KEY_UNREADABLE', `Its file is ${directory}/${EGO_FILE}.`, cause)
