/**
 * Who this controller is: a zone key with a name of its own choosing, and the key its ssh uses.
 * Both lie in the state directory, readable by their owner only, and nowhere else.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import {
  CHAIN_MAX,
  readSuccession,
  signSuccession,
  successionChain,
} from '../src/box/succession.ts'
import { ZoneSecret } from '../src/crypto/zone-key.ts'
import { nameOf } from './fleet.ts'
import type { State } from './state.ts'

export const EGO_FILE = 'ego'
const SECRET_SIZE = 32
/** As long as a device answers by a key before; people who hear nothing of us for longer take us in anew. */
export const FORMER_MS = 90 * 24 * 3_600_000

export interface Ego {
  /** What its owner calls it: `home` in `kitchen.home`. */
  readonly name: string
  readonly secret: ZoneSecret
  /** What says how the key came after those before it, signed, the oldest first. */
  readonly chain: readonly Uint8Array[]
  /** The key before, whose zone still says which one is after it; null where there was none. */
  readonly before: ZoneSecret | null
  /** The keys before it, as far as they are kept for people who know us by one, the oldest first; `before` is the last. */
  readonly former: readonly FormerKey[]
}

/** A key that was given up. */
export interface FormerKey {
  readonly secret: ZoneSecret
  /** What leads from it to the key of today, signed. */
  readonly chain: Uint8Array
  /** Milliseconds since 1970; it answers until then. */
  readonly until: number
}

/** The ego of this state directory. Throws NO_EGO, KEY_UNREADABLE. */
export function readEgo(state: State): Ego {
  const ego = findEgo(state)
  if (ego) return ego
  throw new BoxError('NO_EGO')
}

/** The same, or null where none was made yet. Throws KEY_UNREADABLE. */
export function findEgo(state: State): Ego | null {
  const text = egoText(state)
  return text === null ? null : egoIn(state, text)
}

/** The text that holds it, or null where none was made yet. Throws KEY_UNREADABLE. */
export function egoText(state: State): string | null {
  try {
    return state.readText(EGO_FILE)
  } catch (cause) {
    throw unreadable(state, cause)
  }
}

/** What such a text says. Throws KEY_UNREADABLE. */
export function egoIn(state: State, text: string): Ego {
  try {
    const {
      version,
      name,
      type,
      secret,
      chain = [],
      before,
      older = [],
    } = JSON.parse(text) as Record<string, unknown>
    if (version !== 1 || !Array.isArray(chain) || !Array.isArray(older))
      throw new TypeError('not an ego')
    const links = chain.map(link => Uint8Array.from(Buffer.from(String(link), 'base64')))
    const last = before ? secretOf(type, before) : null
    const secrets = [...older.map(one => secretOf(type, one)), ...(last ? [last] : [])]
    return {
      name: nameOf(name as string),
      secret: secretOf(type, secret),
      ...{ chain: links, before: last, former: formerOf(secrets, links) },
    }
  } catch {
    // Without its cause: that may quote what is in the file.
    throw unreadable(state, undefined)
  }
}

/** Makes the ego. Fails with NAME_TAKEN where there is one: it is never replaced. */
export const makeEgo = (state: State, name: string, random: Random): Promise<Ego> =>
  keepEgo(state, newEgo(nameOf(name), ZoneSecret.generate('EDKEY', random)))

/** One that was never another one. */
export const newEgo = (name: string, secret: ZoneSecret): Ego => ({
  ...{ name, secret, chain: [], before: null, former: [] },
})

/** Keeps an ego that was made elsewhere. Fails as makeEgo. */
export async function keepEgo(state: State, ego: Ego): Promise<Ego> {
  await state.exclusively(() => {
    const old = findEgo(state)
    if (old) throw new BoxError('NAME_TAKEN', `This state directory belongs to "${old.name}".`)
    writeEgo(state, ego)
  })
  return ego
}

/**
 * A new key for the same person, and what says so, in one step: the file is the old or the new one. Fails with
 * NO_EGO, KEY_UNREADABLE, STATE_UNWRITABLE.
 */
export const rotateEgo = (state: State, random: Random, now: number): Promise<Ego> =>
  state.exclusively(() => {
    const { name, secret: before, chain, former } = readEgo(state)
    const secret = ZoneSecret.generate(before.type, random)
    const last = chain.at(-1)
    // Numbers grow, also where the clock was set back.
    const number = Math.max(now, last ? readSuccession(last).number + 1 : 0)
    const links = [...chain, signSuccession(before, secret, number)].slice(-CHAIN_MAX)
    const kept = former.filter(({ until }) => until > now).map(one => one.secret)
    const ego: Ego = {
      ...{ name, secret, before, chain: links },
      former: formerOf([...kept, before], links),
    }
    writeEgo(state, ego)
    return ego
  })

/** Those of the keys from which the statements lead on. Throws where a statement is none. */
function formerOf(
  secrets: readonly ZoneSecret[],
  chain: readonly Uint8Array[],
): readonly FormerKey[] {
  const links = chain.map(readSuccession)
  return secrets.flatMap(secret => {
    const at = links.findIndex(({ before }) => equalBytes(before, secret.zone))
    if (at < 0) return []
    const until = links[at]!.number + FORMER_MS
    return [{ secret, chain: successionChain(chain.slice(at)), until }]
  })
}

function writeEgo(state: State, { name, secret, chain, before, former }: Ego): void {
  const asText = ({ bytes }: ZoneSecret) => Buffer.from(bytes).toString('hex')
  const older = former.slice(0, -1).map(one => asText(one.secret))
  const more =
    chain.length === 0
      ? {}
      : {
          chain: chain.map(link => Buffer.from(link).toString('base64')),
          before: before && asText(before),
          ...(older.length > 0 && { older }),
        }
  const ego = { version: 1, name, type: secret.type, secret: asText(secret), ...more }
  state.writeText(EGO_FILE, `${JSON.stringify(ego)}\n`)
}

/** Throws TypeError. */
function secretOf(type: unknown, secret: unknown): ZoneSecret {
  const bytes = Buffer.from(secret as string, 'hex')
  if (bytes.length !== SECRET_SIZE || (type !== 'EDKEY' && type !== 'PKEY'))
    throw new TypeError('not an ego')
  return ZoneSecret.fromBytes(type, bytes)
}

const unreadable = ({ directory }: State, cause: unknown) =>
  new BoxError('KEY_UNREADABLE', `Its file is ${directory}/${EGO_FILE}.`, cause)
