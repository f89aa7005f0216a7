import { beforeEach, expect, test } from 'vitest'
import { ParcelShelf } from '../../agent/parcel-shelf.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(3)
const zones = Array.from({ length: 40 }, () => ZoneSecret.generate('EDKEY', random).zone)
const [device, owner, other] = zones as [(typeof zones)[0], (typeof zones)[0], (typeof zones)[0]]
const MIB = 1_024 * 1_024
const DAY_MS = 24 * 60 * 60_000

let store: Store
let now: number
let shelf: ParcelShelf

beforeEach(() => {
  store = memoryStore()
  now = 1_800_000_000_000
  shelf = new ParcelShelf(store, () => now)
})

const sequences = () => shelf.waitingFor(device).map(({ sequence }) => sequence)

test('keeps one parcel for each device and each who brought one, through a restart', () => {
  shelf.put(device, owner, 1, Uint8Array.of(1))
  shelf.put(device, owner, 2, Uint8Array.of(2))
  shelf.put(device, other, 7, Uint8Array.of(7))
  expect(sequences()).toEqual([7, 2])
  expect(new ParcelShelf(store, () => now).waitingFor(device)).toEqual(shelf.waitingFor(device))
  expect(shelf.get(shelf.waitingFor(device)[1]!)).toEqual(Uint8Array.of(2))
  expect(shelf.waitingFor(other)).toEqual([])
  shelf.drop(shelf.waitingFor(device)[0]!)
  expect(sequences()).toEqual([2])
})

test('keeps the newer one, whatever is brought after it', () => {
  shelf.put(device, owner, 5, Uint8Array.of(5))
  expect(() => shelf.put(device, owner, 4, Uint8Array.of(4))).toThrow('Something newer is kept')
  expect(sequences()).toEqual([5])
})

test('takes nothing that is too large, and not too much of what is not', () => {
  expect(() => shelf.put(device, owner, 1, new Uint8Array(4 * MIB + 1))).toThrow('4194305 bytes')
  for (const [i, zone] of zones.slice(0, 16).entries())
    shelf.put(zone, owner, i + 1, new Uint8Array(4 * MIB))
  expect(() => shelf.put(zones[20]!, other, 1, Uint8Array.of(1))).toThrow('keeps as much as it can')
  // Exchanging one needs no more room.
  shelf.put(device, owner, 99, new Uint8Array(4 * MIB))
  expect(sequences()).toEqual([99])
})

test('forgets what nobody fetched in three months, and makes room then', () => {
  for (const zone of zones.slice(0, 16)) shelf.put(zone, owner, 1, new Uint8Array(4 * MIB))
  now += 91 * DAY_MS
  expect(sequences()).toEqual([])
  shelf.put(device, other, 1, Uint8Array.of(1))
  expect(store.names()).toHaveLength(1)
})

test('is not confused by other values of the same store', () => {
  for (const name of ['device-key', 'parcel', 'parcel-x-y-1-2-3', 'parcel-a'])
    store.set(name, Uint8Array.of(1))
  expect(sequences()).toEqual([])
  shelf.put(device, owner, 1, Uint8Array.of(1))
  expect(store.names()).toHaveLength(5)
})
