/** Revoked zones, heard of by the DHT and by neighbours: in simulated networks, with little work. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { silentLog } from '../../src/base/log.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { txtRecord } from '../../src/gns/record-data.ts'
import { Resolver } from '../../src/gns/resolver.ts'
import {
  EPOCH_MS,
  encodeZoneRevocation,
  PROOFS,
  readZoneRevocation,
  revocationKey,
  revocationTime,
  revokeMessage,
  signIntent,
} from '../../src/gns/revocation.ts'
import { Revocations, type RevocationsOptions } from '../../src/gns/revocations.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import { DHT_OPTION, type GossipEvents } from '../../src/mesh/mesh.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import type { Machine } from '../sim/machine.ts'
import { World } from '../sim/world.ts'
import { code, hour, texts, to, ZoneWorld } from './zone-world.ts'

const DIFFICULTY = 3
/** What a try is worth here: real work is in revocation.test.ts. */
const workOf = (_: unknown, nonce: bigint): number => Number(nonce % 16n)

function certificate(
  secret: ZoneSecret,
  world: World,
  { bits = DIFFICULTY, at = world.now() } = {},
) {
  const proofs = Array.from({ length: PROOFS }, (_, i) => BigInt(16 * i + bits))
  return encodeZoneRevocation(signIntent(secret, revocationTime(at)), proofs, EPOCH_MS)
}

function shelf() {
  const kept: { value: Uint8Array | null; writes: number } = { value: null, writes: 0 }
  return {
    kept,
    read: () => kept.value,
    write: (value: Uint8Array) => {
      kept.value = value
      kept.writes++
    },
  }
}

const opened: Revocations[] = []
const open = (
  options: Pick<RevocationsOptions, 'mesh' | 'clock'> & Partial<RevocationsOptions>,
) => {
  const one = new Revocations({
    ...{ shelf: shelf(), log: silentLog, difficulty: DIFFICULTY, workOf },
    ...options,
  })
  opened.push(one)
  return one
}
afterEach(() => {
  for (const one of opened.splice(0)) one.close()
})

describe('by the DHT', () => {
  let w: ZoneWorld
  let home: ZoneSecret
  let device: ZoneSecret
  const resolving = (revocations: Revocations) => {
    const { mesh, world: clock, database } = w
    const resolver = new Resolver({ mesh, clock, zones: () => null, database, revocations })
    const asked = resolver.resolve(`kitchen.${zoneToText(home.zone)}`, 'any', { fresh: true })
    return w.world.until(asked, 60_000)
  }

  beforeEach(() => {
    w = new ZoneWorld()
    home = w.zone()
    device = w.zone()
    w.put(home, 'kitchen', [to(device.zone)])
    w.put(device, '@', [txtRecord('hello', hour)])
  })

  test('a zone that its owner has revoked is refused, wherever on the way it is, also after a start', async () => {
    const publisher = open({ mesh: w.net.peer(), clock: w.world })
    const kept = shelf()
    const reader = open({ mesh: w.net.peer(), clock: w.world, shelf: kept })
    expect(texts(await resolving(reader))).toEqual(['hello'])
    const raw = certificate(device, w.world)
    expect(await w.world.until(publisher.publish(raw), 60_000)).toBe(true)
    // It asks again a while later.
    w.world.run(11 * 60_000)
    expect(await code(resolving(reader))).toBe('ZONE_REVOKED')
    expect(reader.isRevoked(home.zone)).toBe(false)
    expect(kept.kept.writes).toBe(1)
    const later = open({ mesh: w.net.peer(), clock: w.world, shelf: kept })
    expect(later.isRevoked(device.zone)).toBe(true)
    w.world.run(2 * 365 * 24 * 3_600_000)
    expect(later.isRevoked(device.zone)).toBe(false)
  })

  test('too little work, another zone, the future, and noise revoke nothing', async () => {
    const reader = open({ mesh: w.net.peer(), clock: w.world, difficulty: 9 })
    const key = revocationKey(device.zone)
    const options = DHT_OPTION.everywhere
    const put = (data: Uint8Array) =>
      w.mesh.dht.put({
        ...{ type: 12, key, data, expiresAt: w.world.now() + 3_600_000, replication: 1, options },
      })
    put(revokeMessage(readZoneRevocation(certificate(device, w.world))))
    put(revokeMessage(readZoneRevocation(certificate(w.zone(), w.world))))
    put(w.world.random.bytes(380))
    w.world.run(1_000)
    expect(texts(await resolving(reader))).toEqual(['hello'])
    await w.world.until(reader.decided(device.zone, new AbortController().signal), 60_000)
    await w.world.pass(5_000)
    expect(reader.isRevoked(device.zone)).toBe(false)
    expect(reader.counters.read()).toEqual({
      'revocation.refused.WIRE_MALFORMED': 1,
      'revocation.refused.work': 1,
    })
    const future = certificate(device, w.world, { at: w.world.now() + 30 * 24 * 3_600_000 })
    const publisher = open({ mesh: w.net.peer(), clock: w.world })
    expect(await w.world.until(publisher.publish(future), 60_000)).toBe(false)
  })

  test('what is kept and damaged is said to be', () => {
    const mesh = w.net.peer()
    for (const value of [Uint8Array.of(1), w.world.random.bytes(2 + 380)])
      expect(() =>
        open({ mesh, clock: w.world, shelf: { read: () => value, write: () => {} } }),
      ).toThrow(BoxError)
  })
})

describe('from neighbours', () => {
  test('one that says much is heard little, and others all the same', async () => {
    const world = new World(5)
    let events: GossipEvents | null = null
    const spread: Uint8Array[] = []
    const mesh = {
      dht: new FakeNet({ clock: world }).peer().dht,
      gossip: {
        spread: (message: Uint8Array) => void spread.push(message),
        listen: (given: GossipEvents) => {
          events = given
          return { close: () => {} }
        },
      },
    }
    const one = open({ mesh, clock: world, difficulty: 20 })
    const zone = () => ZoneSecret.generate('EDKEY', world.random)
    for (let i = 0; i < 12; i++)
      events!.heard(revokeMessage(readZoneRevocation(certificate(zone(), world))), 'loud')
    events!.heard(revokeMessage(readZoneRevocation(certificate(zone(), world))), 'other')
    await world.pass(60_000)
    expect(one.counters.read()).toEqual({
      'revocation.over_allowance': 7,
      'revocation.refused.work': 6,
    })
    expect(spread).toEqual([])
    expect(events!.known()).toEqual([])
  })

  test('it goes to all, over hubs, and to whoever comes later', async () => {
    const world = new World(4)
    const grow = (machine: Machine, hubs: readonly string[] = []) =>
      createEmbedded({
        ...{ clock: machine.clock, random: machine.random, network: machine.network() },
        ...{ store: machine.store, log: silentLog, hubs },
        listen: hubs.length === 0 ? [{ host: machine.public, port: 2086 }] : [],
      })
    const hub = await grow(world.host('198.51.100.1'))
    const left = await grow(world.natted('203.0.113.1'), [hub.hello()])
    const right = await grow(world.natted('203.0.113.2'), [hub.hello()])
    await world.pass(5_000)
    const known = (mesh: EmbeddedMesh) => open({ mesh, clock: world })
    const [atLeft, atHub, atRight] = [known(left), known(hub), known(right)]
    const lost = ZoneSecret.generate('EDKEY', world.random)
    const raw = certificate(lost, world)
    expect(await world.until(atLeft.publish(raw), 60_000)).toBe(true)
    await world.pass(10_000)
    const late = await grow(world.natted('203.0.113.3'), [hub.hello()])
    const atLate = known(late)
    await world.pass(20_000)
    for (const one of [atLeft, atHub, atRight, atLate]) expect(one.isRevoked(lost.zone)).toBe(true)
    for (const mesh of [left, hub, right, late]) await mesh.close()
  })
})
