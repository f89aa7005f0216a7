/**
 * What a device publishes in GNS about itself, at the apex of its own zone.
 *
 * One TXT record: `box1 pid=PID services=1 hostkey=HEX hub=HELLO_URL hub=…` (PID in base32, HEX the
 * SHA-256 of the SSH host key's blob), and the same fingerprint as SSHFP (RFC 4255), for everyone who
 * knows SSH but not us. Fields that a newer device adds are skipped.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type PeerId, peerId } from '../base/ids.ts'
import { type Expiry, RECORD_TYPE, type RecordData, type ZoneRecord } from '../gns/record.ts'
import { readSshfp, readTxt, sshfpRecord, txtRecord } from '../gns/record-data.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'

const MARK = 'box1'
const PID_SIZE = 32
const FINGERPRINT_SIZE = 32
/** A device keeps links to a few; more would only lengthen the search. */
export const HUBS_MAX = 8
const TEXT_SIZE_MAX = 4_096
/** RFC 4255 and RFC 7479: Ed25519; SHA-256. */
const SSHFP_ED25519 = 4
const SSHFP_SHA256 = 2

export interface DeviceRecord {
  /** Where the device is now. */
  readonly pid: PeerId
  /** Version of the services that handshake.ts and control.ts describe. */
  readonly services: number
  /** SHA-256 of the blob of its Ed25519 SSH host key. */
  readonly hostKey: Uint8Array
  /** Where it can be found, the best first: hubs it keeps links to; itself, where it can be dialled. */
  readonly hubs: readonly HubRecord[]
}

export interface HubRecord {
  readonly pid: PeerId
  /** HELLO URL: where the hub can be dialled. */
  readonly hello: string
}

/** The ways to the device that its record tells, for `mesh.connect` of the peer `self`. */
export const waysTo = ({ pid, hubs }: DeviceRecord, self: PeerId): readonly (readonly PeerId[])[] =>
  hubs
    .filter(hub => !equalBytes(hub.pid, self))
    .map(hub => (equalBytes(hub.pid, pid) ? [] : [hub.pid]))

/** The records to publish under `@`. */
export const deviceRecords = (record: DeviceRecord, expiry: Expiry): readonly ZoneRecord[] => [
  txtRecord(formatDeviceRecord(record), expiry),
  sshfpRecord(
    { algorithm: SSHFP_ED25519, hash: SSHFP_SHA256, fingerprint: record.hostKey },
    expiry,
  ),
]

/** What a device says about itself among the records at its name. Throws INPUT_INVALID, which says what is missing. */
export function readDeviceRecords(records: readonly RecordData[]): DeviceRecord {
  const texts = records.filter(({ type }) => type === RECORD_TYPE.TXT).map(({ data }) => text(data))
  const own = texts.find(line => line.startsWith(`${MARK} `))
  if (own === undefined) throw invalid('No record of this name describes a device.')
  const device = parseDeviceRecord(own)
  const published = records.some(({ type, data }) => isHostKey(type, data, device.hostKey))
  if (!published) throw invalid('The host key is not published as SSHFP.')
  return device
}

/** The TXT record. */
export function formatDeviceRecord({ pid, services, hostKey, hubs }: DeviceRecord): string {
  const fields = [`pid=${encodeBase32(pid)}`, `services=${services}`, `hostkey=${toHex(hostKey)}`]
  for (const { hello } of hubs.slice(0, HUBS_MAX)) fields.push(`hub=${hello}`)
  return [MARK, ...fields].join(' ')
}

/** Reads the TXT record. Throws INPUT_INVALID. */
export function parseDeviceRecord(line: string): DeviceRecord {
  const [mark, ...words] = line.split(' ')
  if (mark !== MARK || line.length > TEXT_SIZE_MAX)
    throw invalid('This does not describe a device.')
  const fields = words.map(word => {
    const at = word.indexOf('=')
    if (at < 1) throw invalid(`${JSON.stringify(word)} is no field.`)
    return [word.slice(0, at), word.slice(at + 1)] as const
  })
  const hubs = fields.filter(([name]) => name === 'hub')
  if (hubs.length > HUBS_MAX) throw invalid(`More than ${HUBS_MAX} hubs.`)
  return {
    pid: readPid(only(fields, 'pid')),
    services: readNumber(only(fields, 'services')),
    hostKey: fromHex(only(fields, 'hostkey')),
    hubs: hubs.map(([, hello]) => ({ pid: helloPeer(hello), hello })),
  }
}

/** The peer that a HELLO URL names: `gnunet://hello/PID`, then what its wire class has. Throws INPUT_INVALID. */
export function helloPeer(hello: string): PeerId {
  const [, pid] = /^gnunet:\/\/hello\/([0-9A-Za-z]+)(?:[+/?]|$)/.exec(hello) ?? []
  if (pid === undefined) throw invalid(`${JSON.stringify(hello)} is no HELLO URL.`)
  return readPid(pid)
}

/** Whether a HELLO URL says more than which peer it is. */
export const namesAddress = (hello: string): boolean => /^gnunet:\/\/hello\/\w+[+/?]./.test(hello)

const invalid = (detail: string, cause?: unknown) => new BoxError('INPUT_INVALID', detail, cause)

function only(fields: readonly (readonly [string, string])[], wanted: string): string {
  const values = fields.filter(([name]) => name === wanted)
  if (values.length !== 1) throw invalid(`${values.length} fields "${wanted}", one wanted.`)
  return values[0]![1]
}

function readPid(value: string): PeerId {
  try {
    return peerId(decodeBase32(value, PID_SIZE))
  } catch (cause) {
    throw invalid(`${JSON.stringify(value)} is no peer.`, cause)
  }
}

function readNumber(value: string): number {
  if (/^[1-9][0-9]{0,3}$/.test(value)) return Number(value)
  throw invalid(`services=${value} is no version.`)
}

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

function fromHex(value: string): Uint8Array {
  if (value.length !== 2 * FINGERPRINT_SIZE || !/^[0-9a-f]+$/.test(value))
    throw invalid('The host key is no SHA-256 in lower case hexadecimal digits.')
  return Uint8Array.from(value.match(/../g)!, digits => Number.parseInt(digits, 16))
}

/** Bytes that are no text are no record of ours. */
function text(data: Uint8Array): string {
  try {
    return readTxt(data)
  } catch {
    return ''
  }
}

function isHostKey(type: number, data: Uint8Array, hostKey: Uint8Array): boolean {
  if (type !== RECORD_TYPE.SSHFP) return false
  try {
    const { algorithm, hash, fingerprint } = readSshfp(data)
    const right = algorithm === SSHFP_ED25519 && hash === SSHFP_SHA256
    return right && equalBytes(fingerprint, hostKey)
  } catch {
    return false
  }
}
