/**
 * Where people are, in their zones: under labels that only one contact knows (src/social/bond.ts), so each contact finds
 * it, and can be left out, by itself. Who keeps their letters stands there for a day, the peer they are at for an hour.
 * Nobody else can ask whether somebody is there.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { type DeviceRecord, deviceRecords, readDeviceRecords } from '../../src/box/device-record.ts'
import { noticeRecords } from '../../src/box/owner-notices.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { type Expiry, RECORD_TYPE, type RecordData, type ZoneRecord } from '../../src/gns/record.ts'
import { readTxt, txtRecord } from '../../src/gns/record-data.ts'
import type { Resolver } from '../../src/gns/resolver.ts'
import type { Bond } from '../../src/social/bond.ts'
import { WireError } from '../../src/wire/layout.ts'
import { chainIn } from '../device-succession.ts'

const MAIL_MARK = 'box1-mail'
const AWAY = 'box1-away'
/** Who is away longer than a day is found by what was known before: a block of GNS lives no longer. */
const MAIL_EXPIRY: Expiry = { afterMs: 24 * 3_600_000 }
const WHERE_EXPIRY: Expiry = { afterMs: 3_600_000 }
/** Where letters are kept: more would be asked one after the other. */
export const RELAYS_MAX = 3
/** A person has no SSH host key, but a record as a device has. */
const NO_HOST_KEY = new Uint8Array(32)

export interface Where {
  /** Null: not there; undefined: they say nothing. */
  readonly where: DeviceRecord | null | undefined
  /** Undefined: they say nothing. */
  readonly relays: readonly ZoneKey[] | undefined
  /** What leads from the key by which we know them to the one they have, as they say; empty where they do not. */
  readonly chain: Uint8Array
}

/** `chain`: what leads from the key of this zone to the one of today; empty where it is that one. */
export const mailRecords = (
  relays: readonly ZoneKey[],
  chain: Uint8Array,
): readonly ZoneRecord[] => [
  txtRecord([MAIL_MARK, ...relays.slice(0, RELAYS_MAX).map(zoneToText)].join(' '), MAIL_EXPIRY),
  ...(chain.length === 0 ? [] : noticeRecords([{ is: 'succession', signed: chain }], MAIL_EXPIRY)),
]

export const hereRecords = (record: Omit<DeviceRecord, 'hostKey' | 'services'>) =>
  deviceRecords({ ...record, services: 1, hostKey: NO_HOST_KEY }, WHERE_EXPIRY)

/** In the place of a block that says otherwise, as long as that would live. */
export const awayRecords = (expiry: Expiry = WHERE_EXPIRY): readonly ZoneRecord[] => [
  txtRecord(AWAY, expiry),
]

/** What somebody says to us. Fails with the reason of the signal. */
export async function lookFor(
  resolver: Resolver,
  bond: Bond,
  { signal, timeoutMs }: { readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<Where> {
  const ask = async (of: 'where' | 'mail'): Promise<readonly RecordData[]> => {
    const name = { labels: [bond.label(of, bond.other)], zone: bond.other }
    try {
      return (await resolver.resolve(name, 'any', { signal, timeoutMs, fresh: true })).records
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      return []
    }
  }
  const [where, mail] = await Promise.all([ask('where'), ask('mail')])
  return { where: readWhereabouts(where), relays: readRelays(mail), chain: chainIn(mail) }
}

/** Null: away; undefined: it is not said. */
export function readWhereabouts(records: readonly RecordData[]): DeviceRecord | null | undefined {
  if (texts(records).includes(AWAY)) return null
  try {
    return readDeviceRecords(records)
  } catch (error) {
    if (error instanceof BoxError) return undefined
    throw error
  }
}

/** Undefined: it is not said. */
export function readRelays(records: readonly RecordData[]): readonly ZoneKey[] | undefined {
  const words = texts(records)
    .map(text => text.split(' '))
    .find(([mark]) => mark === MAIL_MARK)
  try {
    return words?.slice(1, 1 + RELAYS_MAX).map(zoneFromText)
  } catch (error) {
    if (error instanceof BoxError) return undefined
    throw error
  }
}

const texts = (records: readonly RecordData[]): readonly string[] =>
  records.flatMap(({ type, data }) => {
    if (type !== RECORD_TYPE.TXT) return []
    try {
      return [readTxt(data)]
    } catch (error) {
      if (error instanceof WireError) return []
      throw error
    }
  })
