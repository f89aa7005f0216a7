/** The doors of what lies on disk, and of the socket in the state directory: see doors.ts. */

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CONFIG_FILE, readConfig } from '../../agent/config.ts'
import { openDeviceKey } from '../../agent/device-key.ts'
import { DeviceKeys, KEYS_BEFORE, readKeysBefore } from '../../agent/device-keys.ts'
import { openHostKey } from '../../agent/host-key.ts'
import { JsonLines } from '../../agent/json-lines.ts'
import { readRoomBook, writeRoomBook } from '../../agent/room-book.ts'
import { findEgo } from '../../controller/ego.ts'
import { Fleet } from '../../controller/fleet.ts'
import { readHubs } from '../../controller/hubs.ts'
import { isOut, readPublished } from '../../controller/published.ts'
import { RoomBook } from '../../controller/room/book.ts'
import type { State } from '../../controller/state.ts'
import { readToken } from '../../controller/up/token.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { GrantBook, ownerGrant } from '../../src/box/grant.ts'
import { formatRoomAddress } from '../../src/box/room-address.ts'
import { zoneToText } from '../../src/gns/name.ts'
import * as data from '../../src/gns/record-data.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import { Monotime } from '../../src/mesh/monotime.ts'
import { PeerStore } from '../../src/mesh/transport/legacy/peer-store.ts'
import { Journal } from '../../src/sys/journal.ts'
import { utf8 } from '../vectors.ts'
import {
  addresses,
  type ByteDoor,
  deviceLine,
  hello,
  helloUrl,
  hour,
  now,
  peer,
  random,
  sshKey,
  type TextDoor,
  world,
  zone,
} from './doors.ts'

/** A store that has one value, damaged or not. */
function storeWith(name: string, value: Uint8Array): Store {
  const store = memoryStore()
  store.set(name, value)
  return store
}

/** What a store has after `fill`, under names that begin so. */
function stored(prefix: string, fill: (store: Store) => void): [string, Uint8Array][] {
  const store = memoryStore()
  fill(store)
  return store.names().flatMap(name => (name.startsWith(prefix) ? [[name, store.get(name)!]] : []))
}
const grants = stored('grants', store =>
  new GrantBook(store).set(ownerGrant(zone.zone, { holder: 'home', deviceName: 'kitchen' }, now)),
)
const hosted = stored('rooms', store =>
  writeRoomBook(
    store,
    [
      {
        ...{ name: 'ops', seed: new Uint8Array(32), isOpen: false, createdAt: 1 },
        ...{ isDeniable: false, invited: [{ zone: zone.zone, nick: 'ada' }] },
      },
    ],
    { isDeniable: false },
  ),
)
const zoneFiles = stored('gns', store => {
  const database = new ZoneDatabase(store)
  database.replace(zone.zone, 'kitchen', [
    data.txtRecord('hello', hour),
    data.nickRecord('k', hour),
  ])
  database.noteExpiry(zone.zone, 'kitchen', 5n)
})
const deviceKeys = stored('device-key', store => void openDeviceKey(store, random))
const keysBefore = stored(KEYS_BEFORE, store =>
  new DeviceKeys({ store, random, clock: world }).rotate(world.now()),
)
const peers = stored('peers', store => {
  const known = new PeerStore(world, store)
  known.learn(hello)
  known.validated(peer, addresses[0]!.address)
  known.save()
})

export const STORE_DOORS: readonly ByteDoor[] = [
  {
    name: 'file of grants',
    of: [],
    right: grants.map(([, value]) => value),
    read: bytes => new GrantBook(storeWith('grants', bytes)),
  },
  {
    name: 'file of the rooms that are hosted',
    of: ['readRoomBook'],
    right: hosted.map(([, value]) => value),
    read: bytes => readRoomBook(storeWith('rooms', bytes)),
  },
  {
    name: 'file of the device key',
    of: ['openDeviceKey'],
    right: deviceKeys.map(([, value]) => value),
    read: bytes => openDeviceKey(storeWith('device-key', bytes), random),
  },
  {
    name: 'file of the keys a device had before',
    of: ['readKeysBefore'],
    right: keysBefore.map(([, value]) => value),
    read: bytes => readKeysBefore(storeWith(KEYS_BEFORE, bytes)),
  },
  {
    name: 'file of the host key',
    of: ['openHostKey'],
    right: [utf8(sshKey.secret)],
    read: bytes => openHostKey(storeWith('ssh-host-key', bytes), random),
  },
  {
    name: 'orders to the agent',
    of: [],
    right: [utf8('{"do":"pair","minutes":10}\n{"do":"status"}\n')],
    read: bytes => {
      const lines = new JsonLines()
      return [...lines.take(bytes.subarray(0, 9)), ...lines.take(bytes.subarray(9))]
    },
  },
  ...zoneFiles.map(([name, value]) => ({
    name: `file ${name.slice(0, name.indexOf('.'))} ${name.split('.').length}`,
    of: [],
    right: [value],
    read: (bytes: Uint8Array) =>
      new ZoneDatabase(storeWith(name, bytes)).lastExpiry(zone.zone, 'kitchen'),
  })),
  {
    name: 'file of peers',
    of: [],
    right: peers.map(([, value]) => value),
    read: bytes => new PeerStore(world, storeWith('peers', bytes)).all(),
  },
  {
    name: 'file of the clock',
    of: [],
    right: [new Uint8Array(8).fill(1)],
    read: bytes => new Monotime(storeWith('monotime', bytes), world).now(),
  },
]

/** A state directory of the controller in which every file has this text. */
const stateOf = (content: string): State =>
  ({ directory: '/nowhere', readText: () => content }) as unknown as State

/** Doors that read a file of a real directory; slower, so fewer times. */
export const directoryDoors = (directory: string): readonly TextDoor[] => {
  mkdirSync(directory, { recursive: true })
  return [
    {
      name: 'agent.json',
      of: ['readConfig'],
      right: [
        JSON.stringify({
          name: 'box',
          hub: true,
          listen: ['192.0.2.1:2086', '[::]:1'],
          advertise: [],
          hubs: [helloUrl],
          shell: '/bin/sh',
        }),
      ],
      read: content => {
        writeFileSync(join(directory, CONFIG_FILE), content)
        return readConfig(directory, {})
      },
    },
    {
      name: 'journal',
      of: [],
      right: [`${'0'.repeat(8)} {"number":1}\n`, '5b6a1b2c {}\n'],
      read: content => {
        const path = join(directory, 'journal')
        writeFileSync(path, content)
        const journal = new Journal(path, { sizeMax: 10_000, durable: false })
        journal.close()
      },
    },
  ]
}

const fleet = JSON.stringify({
  version: 1,
  devices: [
    {
      name: 'kitchen',
      tags: ['a'],
      pairedAt: 1,
      zone: zoneToText(zone.zone),
      last: { at: 1, record: deviceLine, hostKey: 'AAAA' },
    },
  ],
})

const rooms = JSON.stringify({
  version: 1,
  rooms: [
    {
      address: formatRoomAddress({
        ...{ name: 'ops', device: zone.zone, place: new Uint8Array(32), isDeniable: false },
      }),
      last: { at: 1, record: deviceLine },
    },
  ],
})

export const FILE_DOORS: readonly TextDoor[] = [
  {
    name: 'file of the ego',
    of: ['readEgo'],
    right: [
      JSON.stringify({
        version: 1,
        name: 'home',
        type: 'EDKEY',
        secret: 'a'.repeat(64),
      }),
    ],
    read: content => findEgo(stateOf(content)),
  },
  {
    name: 'file of the fleet',
    of: [],
    right: [fleet],
    read: content => new Fleet(stateOf(content)).devices(),
  },
  {
    name: 'file of the rooms',
    of: [],
    right: [rooms],
    read: content => new RoomBook(stateOf(content)).rooms(),
  },
  {
    name: 'file of the hubs',
    of: ['readHubs'],
    right: [JSON.stringify([helloUrl])],
    read: content => readHubs(stateOf(content)),
  },
  {
    name: 'file of what is published',
    of: ['readPublished'],
    right: [
      JSON.stringify({
        at: 1,
        digest: 'ab',
        out: { [`${zoneToText(zone.zone)} kitchen`]: { at: 1, digest: 'ab' } },
        expiries: {},
      }),
      // As it was before labels were noted one by one.
      JSON.stringify({ at: 1, digest: 'ab', expiries: {} }),
    ],
    read: content =>
      isOut(readPublished(stateOf(content)), { ...zone, label: 'kitchen', digest: 'ab' }, 2),
  },
  {
    name: 'file of the token',
    of: ['readToken'],
    right: [`${'A'.repeat(52)}\n`],
    read: content => readToken(stateOf(content)),
  },
]
