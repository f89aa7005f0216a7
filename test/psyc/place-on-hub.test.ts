/**
 * A room as a hub sees it: host and members behind it, over the real CADET engine, sealed as real ones are. Whatever is
 * said, each payload that the hub carries has one of the few sizes of cells, and what the layers below add to each.
 */

import { expect, test } from 'vitest'
import type { BoxError } from '../../src/base/errors.ts'
import { type ZoneKey, zoneKey } from '../../src/base/ids.ts'
import { memoryStore } from '../../src/base/store.ts'
import { sealChannel } from '../../src/box/sealed-channel.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { TunnelEncrypted } from '../../src/mesh/cadet/messages.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { forgetfulLedger } from '../../src/psyc/history.ts'
import { CELL_SIZES } from '../../src/psyc/padding.ts'
import { PlaceDoor } from '../../src/psyc/place-door.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import { PlaceHost } from '../../src/psyc/place-host.ts'
import { portOf } from '../mesh/cadet/ends.ts'
import type { Peer } from '../mesh/cadet/peer.ts'
import { CadetWorld } from '../mesh/cadet/world.ts'

/** TunnelEncrypted around what it carries: header, connection, MAC, ratchet header. */
const AROUND_TUNNEL = 4 + 4 + 32 + 32 + 40
/** ChannelData and the seal of the handshake around a cell. */
const AROUND_CELL = 12 + 4 + 1 + 16
/** Acknowledgements go beside data, or alone; how many depends on the time, not on what is said. */
const ACKNOWLEDGEMENT = 20
const ACKNOWLEDGEMENTS_MAX = 4
const KEY = new Uint8Array(32).fill(7)

const sealed = (channel: Channel, isOpener: boolean) =>
  sealChannel(channel, {
    sending: KEY.map(byte => byte + Number(isOpener)),
    receiving: KEY.map(byte => byte + Number(!isOpener)),
  })

class Room {
  readonly mesh = new CadetWorld(140)
  readonly sizes = new Set<number>()
  readonly host: PlaceHost
  readonly members: PlaceGuest[] = []
  heard = 0
  /** As their handshakes prove them. */
  private readonly zones = new Map<string, ZoneKey>()
  private readonly hub: Peer
  private readonly server: Peer
  private readonly key: SigningKey
  private readonly zone = zoneKey(new Uint8Array(36).fill(1))

  constructor() {
    const { world } = this.mesh
    this.hub = this.mesh.peer('hub')
    this.server = this.behindHub('host')
    this.key = SigningKey.fromSeed(world.random.bytes(32))
    this.host = new PlaceHost({
      ...{ key: this.key, self: { peer: this.server.id, zone: this.zone } },
      ...{ clock: world, random: world.random, store: memoryStore(), name: 'room' },
      ...{ ledger: forgetfulLedger, fanout: 8 },
      rules: { isHistoryOpen: false, announcesMembers: true },
    })
    const door = new PlaceDoor({
      ...{ host: this.host, clock: world },
      door: (_visitor, decide) => decide(true),
      relayRules: new Map([['_message', true]]),
    })
    this.server.cadet.listen(portOf('room'), channel => {
      door.accept({ zone: this.zones.get(`${channel.peer}`)!, channel: sealed(channel, false) })
    })
    // Each message is seen on the way in and on the way out.
    this.mesh.carried = message => {
      if (((message[2]! << 8) | message[3]!) === TunnelEncrypted.type)
        this.sizes.add(message.length)
    }
  }

  private behindHub(name: string): Peer {
    const peer = this.mesh.peer(name)
    this.mesh.link(peer, this.hub, { latencyMs: 5 })
    return peer
  }

  enter(name: string): void {
    const { world } = this.mesh
    const peer = this.behindHub(name)
    const { zone } = ZoneSecret.generate('EDKEY', world.random)
    this.zones.set(`${peer.id}`, zone)
    const host = { peer: this.server.id, zone: this.zone }
    const guest = new PlaceGuest({
      ...{ place: this.key.publicKey, host, self: { peer: peer.id, zone }, isLeaf: true },
      ...{ clock: world, random: world.random, store: memoryStore(), name: 'room' },
      ...{ ledger: forgetfulLedger, request: { method: '_request_enter' } },
      dial: () =>
        new Promise((resolve, reject) => {
          peer.cadet.open(this.server.id, portOf('room'), [[this.hub.id]], {
            opened: channel => resolve({ zone: this.zone, channel: sealed(channel, true) }),
            failed: (reason: BoxError) => reject(reason),
          })
        }),
      events: {
        entered: () => {},
        refused: () => {},
        attached: () => {},
        said: ({ method }) => {
          if (method === '_message') this.heard++
        },
      },
    })
    guest.enter()
    this.members.push(guest)
  }

  close(): void {
    for (const guest of this.members) guest.close()
    this.host.close()
  }
}

/** The sizes that may be seen, and of what. */
const allowed = new Set(
  [0, ...CELL_SIZES.map(size => size + AROUND_CELL)].flatMap(size =>
    Array.from(
      { length: ACKNOWLEDGEMENTS_MAX },
      (_, count) => AROUND_TUNNEL + size + count * ACKNOWLEDGEMENT,
    ),
  ),
)

test('a hub sees the fixed sizes of a room it carries, and no other', {
  timeout: 120_000,
}, async () => {
  const room = new Room()
  const { world } = room.mesh
  for (const name of ['a', 'b', 'c']) room.enter(name)
  await world.pass(5_000)
  expect(room.members.every(guest => guest.isIn)).toBe(true)
  room.sizes.clear()
  const lengths = [0, 1, 5, 80, 100, 256, 700, 1_000, 3_000, 4_000, 15_000, 50_000, 120_000]
  let said = 0
  for (const length of lengths)
    for (let i = 0; i < 2; i++) {
      said++
      room.host.announce({ method: '_message', data: world.random.bytes(length + i) })
      await world.pass(world.random.below(300))
    }
  await world.pass(30_000)
  expect(room.heard).toBe(room.members.length * said)
  const other = [...room.sizes].filter(size => !allowed.has(size))
  expect(other).toEqual([])
  // All of them were used, so the test has seen what it is about.
  for (const size of CELL_SIZES) expect(room.sizes).toContain(AROUND_TUNNEL + AROUND_CELL + size)
  room.close()
})
