/**
 * The zone keys of the device: the one it has, and those it had before. A key that was given up answers on for a
 * stated time, so that everybody hears which one came after it, and is kept for what was sealed for it.
 *
 * The change happens in one step, when the file of the key is replaced: what a crash leaves of one that did not
 * happen leads to no key of this device, and does nothing.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import {
  CHAIN_MAX,
  readSuccession,
  type Succession,
  signSuccession,
  successionChain,
} from '../src/box/succession.ts'
import { openSealed } from '../src/crypto/sealed.ts'
import { ZoneSecret } from '../src/crypto/zone-key.ts'
import { type RevocationIntent, revocationTime, signIntent } from '../src/gns/revocation.ts'
import { keepDeviceKey, openDeviceKey } from './device-key.ts'

/** In the store, beside DEVICE_KEY. */
export const KEYS_BEFORE = 'device-keys-before'
const VERSION = 1
/** As long as relays keep a parcel. Whoever is away for longer pairs again, as after a reset. */
export const SERVED_MS = 90 * 24 * 3_600_000
/** Of which those that answer are at most CHAIN_MAX; the others open what was sealed for them. */
const KEYS_BEFORE_MAX = 8
/** By which the clocks of the device and of whoever asks may differ: the time above is counted by them. */
const SKEW_MS = 24 * 3_600_000

/** A key that was given up. */
export interface KeyBefore {
  readonly secret: ZoneSecret
  /** What says which one came after it. */
  readonly signed: Uint8Array
  /** Milliseconds since 1970; it answers until then. */
  readonly until: number
}

/** A key that answers, and what leads from it to the one of today; nothing for that one itself. */
export interface ServedKey {
  readonly secret: ZoneSecret
  readonly chain: Uint8Array
}

const NOTHING = new Uint8Array(0)

export class DeviceKeys {
  private readonly parts: { readonly store: Store; readonly random: Random; readonly clock: Clock }
  private current: ZoneSecret
  /** The oldest first. */
  private former: readonly KeyBefore[]

  /** Those of this state; a new one where there is none yet. Throws KEY_UNREADABLE, STATE_UNWRITABLE. */
  constructor(parts: { readonly store: Store; readonly random: Random; readonly clock: Clock }) {
    this.parts = parts
    this.current = openDeviceKey(parts.store, parts.random)
    this.former = leadingTo(this.current.zone, readKeysBefore(parts.store))
  }

  get secret(): ZoneSecret {
    return this.current
  }

  get zone(): ZoneKey {
    return this.current.zone
  }

  /** Whether this zone is, or was, the one of this device. */
  isOwn(zone: ZoneKey): boolean {
    return [this.current, ...this.former.map(({ secret }) => secret)].some(one =>
      equalBytes(one.zone, zone),
    )
  }

  /** What was sealed for this device, by whichever of its keys; null where it was for another one. */
  open(sealed: Uint8Array): Uint8Array | null {
    for (const secret of [this.current, ...this.former.map(({ secret }) => secret).toReversed()]) {
      const plain = openSealed(secret, sealed)
      if (plain) return plain
    }
    return null
  }

  /** The keys that answer now, that of today first. */
  served(): readonly ServedKey[] {
    const served = this.before()
    const chains = served.map(({ secret }, at) => ({
      secret,
      chain: successionChain(served.slice(at).map(({ signed }) => signed)),
    }))
    return [{ secret: this.current, chain: NOTHING }, ...chains.toReversed()]
  }

  /** What leads from this key to that of today; nothing where it is that one, or answers no more. */
  chainFrom(zone: ZoneKey): Uint8Array {
    return this.served().find(({ secret }) => equalBytes(secret.zone, zone))?.chain ?? NOTHING
  }

  /** Those before that answer still, the oldest first. */
  before(): readonly KeyBefore[] {
    const now = this.parts.clock.now()
    return this.former.filter(({ until }) => until > now)
  }

  /** All that this device was called. */
  zones(): readonly ZoneKey[] {
    return [this.current.zone, ...this.former.map(({ secret }) => secret.zone)]
  }

  /** Signs that the zone may be revoked, as of this time, which is one of these days. Throws CLOCK_WRONG. */
  revocation(time: bigint): RevocationIntent {
    const now = this.parts.clock.now()
    if (Math.abs(Number(time - revocationTime(now)) / 1_000) > SKEW_MS)
      throw new BoxError('CLOCK_WRONG')
    return signIntent(this.current, time)
  }

  /**
   * Makes another key, signed by both. `theirs` is the time of whoever asks. Throws CLOCK_WRONG, LIMIT_EXCEEDED,
   * STATE_UNWRITABLE; then the key is the one it was.
   */
  rotate(theirs: number): Succession & { readonly signed: Uint8Array } {
    const { store, random, clock } = this.parts
    const now = clock.now()
    if (Math.abs(theirs - now) > SKEW_MS) throw new BoxError('CLOCK_WRONG')
    // More would leave somebody behind who was away for less than the time above.
    if (this.before().length >= CHAIN_MAX) throw new BoxError('LIMIT_EXCEEDED')
    const last = this.former.at(-1)
    const number = Math.max(now, last ? readSuccession(last.signed).number + 1 : 0)
    const next = ZoneSecret.generate('EDKEY', random)
    const signed = signSuccession(this.current, next, number)
    const gone = { secret: this.current, signed, until: now + SERVED_MS }
    const former = [...this.former, gone].slice(-KEYS_BEFORE_MAX)
    store.set(KEYS_BEFORE, formatKeysBefore(former))
    keepDeviceKey(store, next)
    const before = this.current.zone
    this.current = next
    this.former = former
    return { before, after: next.zone, number, signed }
  }
}

/** Without what was begun and not done: the last one that leads to the key, and those that lead to it. */
function leadingTo(zone: ZoneKey, all: readonly KeyBefore[]): readonly KeyBefore[] {
  const end = all.findLastIndex(({ signed }) => equalBytes(readSuccession(signed).after, zone))
  return all.slice(0, end + 1)
}

const encoder = new TextEncoder()
const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const fromHex = (text: unknown): Uint8Array => Uint8Array.from(Buffer.from(String(text), 'hex'))

const formatKeysBefore = (all: readonly KeyBefore[]): Uint8Array => {
  const keys = all.map(({ secret, signed, until }) => ({
    ...{ type: secret.type, secret: toHex(secret.bytes), signed: toHex(signed), until },
  }))
  return encoder.encode(`${JSON.stringify({ version: VERSION, keys })}\n`)
}

/** As they are kept, the oldest first. Throws KEY_UNREADABLE. */
export function readKeysBefore(store: Store): readonly KeyBefore[] {
  const bytes = store.get(KEYS_BEFORE)
  if (!bytes) return []
  try {
    const { version, keys } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>
    if (version !== VERSION || !Array.isArray(keys)) throw new TypeError('no list of keys')
    return keys.map(keyBefore)
  } catch {
    // Without its cause: that may quote what is in the file.
    throw new BoxError('KEY_UNREADABLE', `Its file is ${KEYS_BEFORE}.`)
  }
}

function keyBefore(value: unknown): KeyBefore {
  const { type, secret, signed, until } = value as Record<string, unknown>
  if ((type !== 'EDKEY' && type !== 'PKEY') || typeof until !== 'number')
    throw new TypeError('no key')
  const read = { secret: ZoneSecret.fromBytes(type, fromHex(secret)), signed: fromHex(signed) }
  if (!equalBytes(readSuccession(read.signed).before, read.secret.zone))
    throw new TypeError('the statement is of another key')
  return { ...read, until }
}
