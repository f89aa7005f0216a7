/**
 * Certificates by which zones can be revoked in GNS, on the disk of this controller: that of our own identity and
 * those of devices, finished or being worked for. Whoever has one can revoke the zone, and do nothing else.
 */

import { readdirSync } from 'node:fs'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Random } from '../src/base/random.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import { isIntended, type RevocationIntent } from '../src/gns/revocation.ts'
import { RevocationWork } from '../src/gns/revocation-work.ts'
import type { State } from './state.ts'

const VERSION = 1

export interface KeptRevocation {
  readonly work: RevocationWork
  /** Years that were wished for. */
  readonly years: number
  /** When the network was told, milliseconds since 1970; null: it was not. */
  readonly published: number | null
}

const PREFIX = 'revocation-'
const fileOf = (zone: ZoneKey) => `${PREFIX}${zoneToText(zone)}`

/** Null where there is none of this zone. Throws STATE_UNREADABLE. */
export function keptRevocation(state: State, zone: ZoneKey): KeptRevocation | null {
  const text = state.readText(fileOf(zone))
  return text === null ? null : parseRevocation(text, zone)
}

/** Those that were published, and are to stay so. Throws STATE_UNREADABLE. */
export function publishedRevocations(state: State): readonly KeptRevocation[] {
  let names: string[]
  try {
    names = readdirSync(state.directory).filter(name => name.startsWith(PREFIX))
  } catch {
    return [] // There is no state yet.
  }
  const all = names.map(name => keptRevocation(state, zoneFromText(name.slice(PREFIX.length))))
  return all.flatMap(kept => (kept && kept.published !== null ? [kept] : []))
}

/** Fails with STATE_UNWRITABLE, STATE_LOCKED. */
export const keepRevocation = (state: State, { work, years, published }: KeptRevocation) =>
  state.exclusively(() => {
    const { zone, time, signature } = work.intent
    const value = {
      ...{ version: VERSION, time: `${time}`, signature: Buffer.from(signature).toString('hex') },
      ...{ years, published, work: work.text() },
    }
    state.writeText(fileOf(zone), `${JSON.stringify(value)}\n`)
  })

export const beginRevocation = (
  intent: RevocationIntent,
  years: number,
  random: Random,
): KeptRevocation => ({ work: RevocationWork.begin(intent, random), years, published: null })

/** Throws STATE_UNREADABLE. */
export function parseRevocation(text: string, zone: ZoneKey): KeptRevocation {
  try {
    const { version, time, signature, years, published, work } = JSON.parse(text)
    if (version !== VERSION || typeof work !== 'string') throw new TypeError('no revocation')
    if (!Number.isSafeInteger(years) || (published !== null && typeof published !== 'number'))
      throw new TypeError('no numbers')
    const bytes = Uint8Array.from(Buffer.from(String(signature), 'hex'))
    const intent = { zone, time: BigInt(time), signature: bytes }
    if (!isIntended(intent)) throw new TypeError('it is of another zone')
    return { work: RevocationWork.resume(intent, work), years, published }
  } catch (cause) {
    if (cause instanceof BoxError) throw cause
    throw new BoxError('STATE_UNREADABLE', `What revokes ${zoneToText(zone)} is damaged.`)
  }
}
