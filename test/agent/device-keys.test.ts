/** The zone keys of a device, one after the other, in virtual time; its disk may stop at any write. */

import { beforeEach, describe, expect, test } from 'vitest'
import { DEVICE_KEY } from '../../agent/device-key.ts'
import { DeviceKeys, KEYS_BEFORE, SERVED_MS } from '../../agent/device-keys.ts'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { CHAIN_MAX, readSuccessionChain } from '../../src/box/succession.ts'
import { sealForZone } from '../../src/crypto/sealed.ts'
import { World } from '../sim/world.ts'
import { utf8 } from '../vectors.ts'

const DAY_MS = 24 * 3_600_000

let world: World
let store: Store
const start = (on: Store = store) =>
  new DeviceKeys({ store: on, random: world.random, clock: world })
const chains = (keys: DeviceKeys) =>
  keys.served().map(({ secret, chain }) => ({
    zone: secret.zone,
    to: readSuccessionChain(chain, null).at(-1)?.after ?? null,
  }))

beforeEach(() => {
  world = new World(5)
  store = memoryStore()
})

describe('a new key', () => {
  test('is there after a start, and the one before leads to it', () => {
    const keys = start()
    const before = keys.zone
    const { after, signed } = keys.rotate(world.now())
    expect(readSuccessionChain(signed, after)).toMatchObject([{ before, after }])
    for (const one of [keys, start()]) {
      expect(one.zone).toEqual(after)
      expect(one.isOwn(before)).toBe(true)
      expect(chains(one)).toEqual([
        { zone: after, to: null },
        { zone: before, to: after },
      ])
    }
  })

  test('opens what was sealed for the one before', () => {
    const keys = start()
    const sealed = sealForZone(keys.zone, utf8('secret'), world.random)
    keys.rotate(world.now())
    const later = sealForZone(keys.zone, utf8('later'), world.random)
    expect([sealed, later].map(one => start().open(one))).toEqual([utf8('secret'), utf8('later')])
    expect(start(memoryStore()).open(sealed)).toBeNull()
  })

  test('is led to from each one before, for 90 days', () => {
    const keys = start()
    const zones = [keys.zone]
    for (let times = 0; times < 3; times++) {
      world.run(DAY_MS)
      zones.unshift(keys.rotate(world.now()).after)
    }
    expect(chains(keys)).toEqual(
      zones.map((zone, at) => ({ zone, to: at === 0 ? null : zones[0] })),
    )
    world.run(SERVED_MS - 2 * DAY_MS + 1)
    expect(chains(keys).map(({ zone }) => zone)).toEqual(zones.slice(0, 3))
    world.run(2 * DAY_MS)
    expect(chains(start())).toEqual([{ zone: zones[0], to: null }])
    expect(keys.chainFrom(zones[1]!)).toHaveLength(0)
    expect(keys.isOwn(zones[3]!)).toBe(true)
  })

  test('is refused where somebody would be left behind, or a clock is wrong', () => {
    const keys = start()
    expect(() => keys.rotate(world.now() - 2 * DAY_MS)).toThrow(BoxError)
    for (let times = 0; times < CHAIN_MAX; times++) keys.rotate(world.now())
    const { zone } = keys
    expect(() => keys.rotate(world.now())).toThrow('more than its share')
    expect([keys.zone, start().zone]).toEqual([zone, zone])
    world.run(SERVED_MS)
    for (let times = 0; times < 6; times++) {
      world.run(SERVED_MS)
      keys.rotate(world.now())
    }
    expect(start().zones()).toHaveLength(9)
  })
})

test('killed at any write, the key is the old one or the new one, and a later one follows', () => {
  for (let writes = 0; writes <= 4; writes++) {
    store = memoryStore()
    const before = start().zone
    let left = writes
    const failing: Store = {
      ...store,
      set: (name, value) => {
        if (left-- <= 0) throw new BoxError('STATE_UNWRITABLE', 'killed')
        store.set(name, value)
      },
    }
    const dying = start(failing)
    try {
      dying.rotate(world.now())
      dying.rotate(world.now())
    } catch (error) {
      expect(error).toMatchObject({ code: 'STATE_UNWRITABLE' })
    }
    const keys = start()
    expect(keys.zone).toEqual(dying.zone)
    const isNew = writes >= 2
    expect(keys.zone.join() !== before.join()).toBe(isNew)
    const { after } = keys.rotate(world.now())
    expect(chains(start()).map(({ to }) => to)).toEqual([
      null,
      ...chains(keys)
        .slice(1)
        .map(() => after),
    ])
    expect(start().isOwn(before)).toBe(true)
  }
})

test('what is kept of the keys before and is damaged is said to be, and no key is made', () => {
  start().rotate(world.now())
  const key = store.get(DEVICE_KEY)
  const kept = JSON.parse(Buffer.from(store.get(KEYS_BEFORE)!).toString())
  kept.keys[0].signed = kept.keys[0].signed.replace(/^../, '00')
  for (const text of ['{', '{"version":2}', JSON.stringify(kept)]) {
    store.set(KEYS_BEFORE, utf8(text))
    expect(() => start()).toThrow(KEYS_BEFORE)
  }
  expect(store.get(DEVICE_KEY)).toEqual(key)
})
