/**
 * Names inside records: what a REDIRECT or CNAME leads to, and `host.+`, which means `host` in the
 * zone the record was found in (RFC 9498 sections 5.2.1 and 7.3.1; for the records of the DNS as
 * gnunet-service-gns does it).
 */

import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { type Name, parseName, zoneToText } from './name.ts'
import { RECORD_TYPE, type RecordData } from './record.ts'
import { host, mx, srv, text } from './record-data.ts'

/** The label that stands for the zone itself. */
const HERE = '+'

/** The name a REDIRECT or CNAME of `zone` leads to, after `before`. Throws BoxError WIRE_MALFORMED. */
export function redirectTarget(
  record: RecordData,
  zone: ZoneKey,
  before: readonly string[],
): { readonly name: Name; readonly text: string } {
  try {
    const codec = record.type === RECORD_TYPE.CNAME ? host : text
    return nameAt(codec.decode(record.data), zone, before)
  } catch (cause) {
    throw new BoxError('WIRE_MALFORMED', 'A redirection leads to no name.', cause)
  }
}

/** `target` as seen from `zone`, with `before` in front of it. Throws NAME_INVALID. */
export function nameAt(
  target: string,
  zone: ZoneKey,
  before: readonly string[],
): { readonly name: Name; readonly text: string } {
  const full = [...before, absolute(target, zone)].join('.')
  return { name: parseName(full), text: full }
}

/** The record with a name in it made absolute; as it is where there is none, or it cannot be read. */
export function settled<R extends RecordData>(record: R, zone: ZoneKey): R {
  try {
    return { ...record, data: settledData(record, zone) }
  } catch {
    return record
  }
}

function settledData({ type, data }: RecordData, zone: ZoneKey): Uint8Array {
  switch (type) {
    case RECORD_TYPE.CNAME:
    case RECORD_TYPE.NS:
    case RECORD_TYPE.PTR:
      return host.encode(absolute(host.decode(data), zone))
    case RECORD_TYPE.REDIRECT:
      return text.encode(absolute(text.decode(data), zone))
    case RECORD_TYPE.SRV: {
      const value = srv.decode(data)
      return srv.encode({ ...value, target: absolute(value.target, zone) })
    }
    case RECORD_TYPE.MX: {
      const value = mx.decode(data)
      return mx.encode({ ...value, host: absolute(value.host, zone) })
    }
    default:
      return data
  }
}

function absolute(target: string, zone: ZoneKey): string {
  if (target === HERE) return zoneToText(zone)
  if (!target.endsWith(`.${HERE}`)) return target
  return `${target.slice(0, -HERE.length)}${zoneToText(zone)}`
}
