/**
 * What the data of each record type mean: values <-> bytes (RFC 9498 sections 5.1 to 5.3; for the
 * types of the DNS their own RFCs). Readers throw WireError, and so do writers on what does not fit.
 */

import { concat } from '../base/bytes.ts'
import { type PeerId, peerId, type ZoneKey, zoneKey } from '../base/ids.ts'
import { struct, textNul, textToEnd } from '../wire/fields.ts'
import {
  bytes,
  type Field,
  lengthOf,
  list,
  rest,
  u8,
  u16,
  u32,
  type Value,
  WireError,
} from '../wire/layout.ts'
import { type Codec, single } from './codec.ts'
import { dnsName } from './dns-name.ts'
import { type Expiry, RECORD_FLAG, RECORD_TYPE, type ZoneRecord } from './record.ts'

const key = bytes(32)
const peer: Field<PeerId> = {
  ...key,
  get: (from, whole) => peerId(key.get(from, whole)),
  sample: random => peerId(random.bytes(32)),
}

/** TXT (in GNS without the character-strings of the DNS), NICK, LEHO, REDIRECT. */
export const text = single('text', textToEnd)
export const a = single('a', bytes(4))
export const aaaa = single('aaaa', bytes(16))
/** NS, CNAME, PTR. */
export const host = single('dns-name', dnsName)

/** RFC 2782. */
const srvShape = { priority: u16, weight: u16, port: u16, target: dnsName }
export const srv = struct('srv', srvShape)
export type Srv = Value<typeof srvShape>

/** RFC 1035 section 3.3.9. */
const mxShape = { preference: u16, host: dnsName }
export const mx = struct('mx', mxShape)
export type Mx = Value<typeof mxShape>

/** RFC 4255 and 6594: algorithm 4 is Ed25519, hash 2 is SHA-256. */
const sshfpShape = { algorithm: u8, hash: u8, fingerprint: rest }
export const sshfp = struct('sshfp', sshfpShape)
export type Sshfp = Value<typeof sshfpShape>

/** A record that belongs to one service: `_service._protocol` in front of the name. */
const boxShape = { protocol: u16, service: u16, type: u32, data: rest }
export const box = struct('box', boxShape)
export type Box = Value<typeof boxShape>

/** gnunet_tun_lib.h: struct GNUNET_TUN_GnsVpnRecord. */
const vpnShape = { peer, protocol: u16, service: textNul }
export const vpn = struct('vpn', vpnShape)
export type Vpn = Value<typeof vpnShape>

/** Where a place is found: its key, the peer it lives on, and peers that relay for it (gnunet-social). */
const placeShape = {
  key,
  origin: peer,
  count: lengthOf('relays', u32),
  relays: list(peer, 'count'),
}
export const place = struct('place', placeShape)
export type Place = Value<typeof placeShape>

/** The name to go on with in the DNS, and whom to ask: an address, a host name, or `label.+`. */
const gns2dnsShape = { name: textNul, server: textNul }
export type Gns2Dns = Value<typeof gns2dnsShape>
const gns2dnsOfRfc = struct('gns2dns', gns2dnsShape)
const gns2dnsOfOld = struct('gns2dns', { name: dnsName, server: textNul })

/**
 * Written as in RFC 9498 section 5.2.2. GNUnet up to 0.22.0 leads the labels of the name by their
 * lengths, as the DNS does; that is understood too.
 */
export const gns2dns: Codec<Gns2Dns> = {
  encode: gns2dnsOfRfc.encode,
  decode: data => {
    try {
      return gns2dnsOfOld.decode(data)
    } catch {
      return gns2dnsOfRfc.decode(data)
    }
  },
}

const zonePublic = single('delegation', key)
const ztype = single('ztype', u32)

/** PKEY, EDKEY: the zone of that type. */
export const delegation = (type: number): Codec<ZoneKey> => ({
  decode: data => zoneKey(concat(ztype.encode(type), zonePublic.decode(data))),
  encode: zone => {
    if (ztype.decode(zone.subarray(0, 4)) !== type)
      throw new WireError('delegation', 'type', 0, `the zone is not of type ${type}`)
    return zone.slice(4)
  },
})

export interface RecordOptions {
  /** Bits of RECORD_FLAG. */
  readonly flags?: number
}

const record = (
  type: number,
  data: Uint8Array,
  expiry: Expiry,
  { flags = 0 }: RecordOptions = {},
): ZoneRecord => ({ type, data, flags, expiry })

export const txtRecord = (value: string, expiry: Expiry, options?: RecordOptions): ZoneRecord =>
  record(RECORD_TYPE.TXT, text.encode(value), expiry, options)

export const nickRecord = (value: string, expiry: Expiry, options?: RecordOptions): ZoneRecord =>
  record(RECORD_TYPE.NICK, text.encode(value), expiry, options)

export const sshfpRecord = (value: Sshfp, expiry: Expiry, options?: RecordOptions): ZoneRecord =>
  record(RECORD_TYPE.SSHFP, sshfp.encode(value), expiry, options)

export const placeRecord = (value: Place, expiry: Expiry, options?: RecordOptions): ZoneRecord =>
  record(RECORD_TYPE.PLACE, place.encode(value), expiry, options)

/** PKEY or EDKEY by the kind of the zone; critical, as the RFC wants. */
export function delegationRecord(
  zone: ZoneKey,
  expiry: Expiry,
  { flags = 0 }: RecordOptions = {},
): ZoneRecord {
  const type = ztype.decode(zone.subarray(0, 4))
  const data = delegation(type).encode(zone)
  return record(type, data, expiry, { flags: flags | RECORD_FLAG.critical })
}

/** The zone a PKEY or EDKEY record delegates to. Throws WireError. */
export const readDelegation = (type: number, data: Uint8Array): ZoneKey =>
  delegation(type).decode(data)
/** Throws WireError. */
export const readTxt = (data: Uint8Array): string => text.decode(data)
/** Throws WireError. */
export const readSshfp = (data: Uint8Array): Sshfp => sshfp.decode(data)
/** Throws WireError. */
export const readPlace = (data: Uint8Array): Place => place.decode(data)
