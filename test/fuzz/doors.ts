/**
 * Every place where bytes or texts from outside come in, apart from the layouts themselves: what it is, what
 * right input looks like, and how it is read. fuzz.test.ts finds the functions that have no door here.
 */

import { hashCode, peerId } from '../../src/base/ids.ts'
import {
  formatDeviceRecord,
  helloPeer,
  parseDeviceRecord,
  readDeviceRecords,
} from '../../src/box/device-record.ts'
import {
  formatPairingCode,
  makePairingCode,
  pairingCodeForQr,
  parsePairingCode,
} from '../../src/box/pairing-code.ts'
import { formatRoomAddress, parseRoomAddress } from '../../src/box/room-address.ts'
import {
  decodeRoomRequest,
  encodeRoomRequest,
  parseRoomsAnswer,
  roomsAnswer,
} from '../../src/box/room-talk.ts'
import { decodeSshAnnouncement, encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'
import { generateSshKey, readSshKey } from '../../src/box/ssh-key.ts'
import { openAead } from '../../src/crypto/aead.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { parseIpv4, parseIpv6 } from '../../src/gns/address-text.ts'
import { makeBlock, openBlock } from '../../src/gns/block.ts'
import { normaliseLabel, parseName, zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { decodeRecords, encodeRecords, fixRecord, RECORD_TYPE } from '../../src/gns/record.ts'
import * as data from '../../src/gns/record-data.ts'
import { parseRecordText, recordText, typeNumber } from '../../src/gns/record-text.ts'
import { serviceOf } from '../../src/gns/services.ts'
import { redirectTarget, settled } from '../../src/gns/target.ts'
import { TypeMap } from '../../src/mesh/core/ephemeral/type-map.ts'
import { BLOCK, readBlock } from '../../src/mesh/dht/blocks.ts'
import { blockOfMessage, helloMessage, readHello, signHello } from '../../src/mesh/dht/hello.ts'
import { DhtHello } from '../../src/mesh/dht/messages.ts'
import {
  decodeHello,
  decodeTransportAddress,
  encodeHello,
  encodeTransportAddress,
} from '../../src/mesh/transport/legacy/hello.ts'
import { formatHelloUrl, parseHelloUrl } from '../../src/mesh/transport/legacy/hello-url.ts'
import { parseIp } from '../../src/mesh/transport/legacy/ip.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { messageSize, messageType } from '../../src/wire/dispatch.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { decodeText, decodeTextNul } from '../../src/wire/text.ts'
import { seededRandom } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { hex, readVectors, utf8 } from '../vectors.ts'

export interface Door {
  readonly name: string
  /** Exported functions of which this is the test. */
  readonly of: readonly string[]
  /** A case needs a real file, or several signatures, or a passphrase: there are fewer. */
  readonly isSlow?: boolean
}
export interface ByteDoor extends Door {
  readonly right: readonly Uint8Array[]
  read(bytes: Uint8Array): unknown
}
export interface TextDoor extends Door {
  readonly right: readonly string[]
  /** Wrong, and worth a try as it is and changed. */
  readonly also?: readonly string[]
  read(text: string): unknown
}

export const random = seededRandom(7)
export const world = new World(7)
export const now = world.now()
const key = SigningKey.fromSeed(random.bytes(32))
export const peer = peerId(key.publicKey)
export const addresses = ['192.0.2.1', '2001:db8::1'].map(host => ({
  address: { host, port: 2086 },
  expiresAt: now + 3_600_000,
}))
export const hello = { peer, friendsOnly: false, addresses }
export const helloUrl = formatHelloUrl(hello)
export const hour = { afterMs: 3_600_000 }

const zones = (['EDKEY', 'PKEY'] as const).map(type => ZoneSecret.generate(type, random))
export const [zone] = zones as [ZoneSecret, ZoneSecret]
const device = {
  pid: peer,
  services: 1,
  hostKey: random.bytes(32),
  hubs: [{ pid: peer, hello: helloUrl }],
}
export const deviceLine = formatDeviceRecord(device)

const ownRecords = [
  data.txtRecord(deviceLine, hour),
  data.sshfpRecord({ algorithm: 4, hash: 2, fingerprint: device.hostKey }, hour),
  data.nickRecord('kitchen', hour),
].map(record => fixRecord(record, now))
const delegations = zones.map(secret => [fixRecord(data.delegationRecord(secret.zone, hour), now)])
const blocks = zones.flatMap(secret =>
  [ownRecords, ...delegations].map(records =>
    makeBlock(secret, 'kitchen', records, 9_999_999_999_999_999n),
  ),
)
const blockVectors = readVectors('gns-blocks')
const rdata = [ownRecords, ...delegations].map(encodeRecords)
const recordTypes = Object.values(RECORD_TYPE)
const recordBytes: readonly Uint8Array[] = [
  ...ownRecords.map(record => record.data),
  data.srv.encode({ priority: 1, weight: 2, port: 3, target: 'www.example.org' }),
  data.mx.encode({ preference: 1, host: 'mail.+' }),
  data.host.encode('www.+'),
  data.box.encode({ protocol: 6, service: 22, type: 1, data: random.bytes(4) }),
  data.vpn.encode({ peer, protocol: 6, service: 'web' }),
  data.place.encode({ key: peer, origin: peer, relays: [peer, peer] }),
  data.gns2dns.encode({ name: 'example.org', server: '192.0.2.1' }),
  random.bytes(4),
  random.bytes(16),
  random.bytes(32),
]
const recordTexts = recordBytes.flatMap(bytes => recordTypes.map(type => recordText(type, bytes)))
const code = makePairingCode(zone.zone, [helloUrl], random)
const dhtHello = signHello(key, [helloUrl], now + 3_600_000)
export const sshKey = generateSshKey(random, 'box')

const readDhtBlock = (type: number) => (bytes: Uint8Array) => {
  const facts = readBlock(type, bytes, hashCode(sha512(bytes)))
  if (random.chance(0.02)) facts.isProven()
}

export const BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'request about rooms',
    of: ['decodeRoomRequest'],
    right: (
      [
        { do: 'list' },
        { do: 'create', name: 'ops', nick: 'home', isOpen: false, isDeniable: true },
        { do: 'invite', place: new Uint8Array(32), zone: zone.zone, nick: '' },
        { do: 'remove', place: new Uint8Array(32), person: 'ada' },
        { do: 'show', place: new Uint8Array(32) },
      ] as const
    ).map(encodeRoomRequest),
    read: decodeRoomRequest,
  },
  {
    name: 'a stream of messages',
    of: ['messageSize', 'messageType'],
    right: Object.values(readVectors('class-a-daemon')).filter(isHex).map(hex),
    read: bytes => {
      const splitter = new MessageSplitter(1_000)
      const half = bytes.length >> 1
      const whole = [
        ...splitter.push(bytes.subarray(0, half)),
        ...splitter.push(bytes.subarray(half)),
      ]
      for (const message of whole)
        if (messageSize(message) !== message.length) throw new TypeError('size')
      return messageType(bytes)
    },
  },
  { name: 'text', of: ['decodeText'], right: [utf8('grün')], read: decodeText },
  { name: 'text with NUL', of: ['decodeTextNul'], right: [utf8('grün\0')], read: decodeTextNul },
  { name: 'HELLO', of: ['decodeHello'], right: [encodeHello(hello)], read: decodeHello },
  {
    name: 'address of the transport',
    of: ['decodeTransportAddress'],
    right: addresses.map(({ address }) => encodeTransportAddress(address)),
    read: decodeTransportAddress,
  },
  { name: 'type map', of: [], right: [TypeMap.of([1, 17, 1000]).encode()], read: TypeMap.decode },
  ...Object.entries(BLOCK).map(([name, type]) => ({
    name: `DHT block ${name}`,
    of: ['readBlock'],
    right: [...blocks, encodeHello(hello), dhtHello, random.bytes(440)],
    read: readDhtBlock(type),
  })),
  { name: 'HELLO of the DHT', of: ['readHello'], right: [dhtHello], read: readHello },
  {
    name: 'HELLO message of the DHT',
    of: [],
    right: [helloMessage(dhtHello)],
    read: bytes => readHello(blockOfMessage(DhtHello.decode(bytes), peer)),
  },
  ...zones.map(secret => ({
    name: `GNS block of ${secret.type}`,
    of: ['openBlock'],
    right: [...blocks, hex(blockVectors.EDKEY.block ?? ''), hex(blockVectors.PKEY.block ?? '')],
    read: (bytes: Uint8Array) => openBlock(secret.zone, 'kitchen', bytes),
  })),
  { name: 'GNS record set', of: ['decodeRecords'], right: rdata, read: decodeRecords },
  ...recordTypes.map(type => ({
    name: `GNS record of type ${type}`,
    of: ['recordText', 'readDelegation', 'readTxt', 'readSshfp', 'readPlace'],
    right: recordBytes,
    read: (bytes: Uint8Array) => {
      recordText(type, bytes)
      settled({ type, flags: 0, data: bytes }, zone.zone)
      for (const read of [data.readTxt, data.readSshfp, data.readPlace]) expected(() => read(bytes))
      expected(() => data.readDelegation(type, bytes))
      redirectTarget({ type, flags: 0, data: bytes }, zone.zone, ['a'])
    },
  })),
  {
    name: 'device records',
    of: ['readDeviceRecords'],
    right: [utf8(deviceLine)],
    read: bytes =>
      readDeviceRecords([{ type: RECORD_TYPE.TXT, flags: 0, data: bytes }, ...ownRecords.slice(1)]),
  },
  {
    name: 'announcement of SSH',
    of: ['decodeSshAnnouncement'],
    right: ['ada', null].map(user =>
      encodeSshAnnouncement({ publicKey: sshKey.publicKey, deviceName: 'kitchen', user }),
    ),
    read: decodeSshAnnouncement,
  },
  {
    name: 'sealed',
    of: ['openAead'],
    right: [random.bytes(40)],
    read: bytes => openAead(new Uint8Array(32), new Uint8Array(12), bytes, bytes),
  },
]

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^([0-9a-f]{2})+$/.test(value)
}

/** Runs what may fail in the expected ways, for the sake of the others beside it. */
export function expected(run: () => unknown): void {
  try {
    run()
  } catch (error) {
    if (!(error instanceof Error) || !['WireError', 'BoxError'].includes(error.name)) throw error
  }
}

export const TEXT_DOORS: readonly TextDoor[] = [
  { name: 'HELLO URL', of: ['parseHelloUrl'], right: [helloUrl], read: parseHelloUrl },
  { name: 'peer of a HELLO URL', of: ['helloPeer'], right: [helloUrl], read: helloPeer },
  {
    name: 'IP address',
    of: ['parseIp', 'parseIpv4', 'parseIpv6'],
    right: ['192.0.2.1', '2001:db8::1', '::ffff:1.2.3.4'],
    read: input => [parseIp(input), parseIpv4(input), parseIpv6(input)],
  },
  {
    name: 'base32',
    of: ['decodeBase32'],
    right: [encodeBase32(peer)],
    read: input => decodeBase32(input, 32),
  },
  {
    name: 'name',
    of: ['parseName'],
    right: ['kitchen.home', `@.${zoneToText(zone.zone)}`],
    read: parseName,
  },
  { name: 'label', of: ['normaliseLabel'], right: ['kitchen', 'Küche'], read: normaliseLabel },
  { name: 'zone', of: ['zoneFromText'], right: [zoneToText(zone.zone)], read: zoneFromText },
  { name: 'type of a record', of: ['typeNumber'], right: ['TXT', 'TYPE99'], read: typeNumber },
  {
    name: 'service of a name',
    of: ['serviceOf'],
    right: ['_ssh._tcp', '_22._6'],
    read: input => serviceOf(input.split('.')),
  },
  ...recordTypes.map(type => ({
    name: `text of a record of type ${type}`,
    of: ['parseRecordText'],
    right: recordTexts,
    read: (input: string) => parseRecordText(type, input),
  })),
  {
    name: 'device record',
    of: ['parseDeviceRecord'],
    right: [deviceLine],
    read: parseDeviceRecord,
  },
  {
    name: 'pairing code',
    of: ['parsePairingCode'],
    right: [formatPairingCode(code), pairingCodeForQr(code)],
    read: parsePairingCode,
  },
  {
    name: 'address of a room',
    of: ['parseRoomAddress', 'placeFromText'],
    right: [false, true].map(isDeniable =>
      formatRoomAddress({
        ...{ name: 'ops', device: zone.zone, place: new Uint8Array(32), isDeniable },
      }),
    ),
    read: parseRoomAddress,
  },
  {
    name: 'answer about rooms',
    of: ['parseRoomsAnswer'],
    right: [
      JSON.stringify(
        roomsAnswer([
          {
            ...{ name: 'ops', place: new Uint8Array(32), isOpen: true, createdAt: 1 },
            isDeniable: true,
            people: [{ zone: zone.zone, nick: 'ada', isIn: false }],
          },
        ]),
      ),
    ],
    read: text => {
      let value: unknown
      try {
        value = JSON.parse(text)
      } catch {
        return []
      }
      return parseRoomsAnswer(Object(value))
    },
  },
  { name: 'SSH key', of: ['readSshKey'], right: [sshKey.secret], read: readSshKey },
]
