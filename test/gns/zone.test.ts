import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { memoryStore } from '../../src/base/store.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { RECORD_FLAG } from '../../src/gns/record.ts'
import { delegationRecord, txtRecord } from '../../src/gns/record-data.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'

const zoneOf = (n: number, type: 'PKEY' | 'EDKEY' = 'EDKEY') =>
  ZoneSecret.fromBytes(type, new Uint8Array(32).fill(n)).zone
const [home, work, friend] = [zoneOf(1), zoneOf(2, 'PKEY'), zoneOf(3)]
const hour = { afterMs: 3_600_000 }
const text = (value: string) => txtRecord(value, hour)

describe('the zone database', () => {
  test('keeps sets of records by zone and label, and survives a restart', () => {
    const store = memoryStore()
    const first = new ZoneDatabase(store)
    const private_ = txtRecord('p', { atMs: Infinity }, { flags: RECORD_FLAG.private })
    first.replace(home, 'Kitchen', [text('one'), private_])
    first.replace(home, '天下無敵', [txtRecord('', { atMs: 1_700_000_000_000 })])
    first.replace(work, '@', [text('w')])
    first.adopt(friend)
    for (const database of [first, new ZoneDatabase(store)]) {
      expect(new Set(database.labels(home))).toEqual(new Set(['kitchen', '天下無敵']))
      expect(database.records(home, 'kitchen')).toEqual([text('one'), private_])
      expect(database.records(home, '天下無敵')[0]?.expiry).toEqual({ atMs: 1_700_000_000_000 })
      expect(database.records(work, '@')).toEqual([text('w')])
      expect(database.records(work, 'kitchen')).toEqual([])
      expect(database.has(friend)).toBe(true)
      expect(database.labels(friend)).toEqual([])
      expect(database.has(zoneOf(9))).toBe(false)
      expect(database.zones()).toHaveLength(3)
    }
  })

  test('replaces a set as a whole, or not at all', () => {
    const store = memoryStore()
    const database = new ZoneDatabase(store)
    database.replace(home, 'a', [text('one'), text('two')])
    database.replace(home, 'a', [text('three')])
    expect(database.records(home, 'a')).toEqual([text('three')])
    const lead = delegationRecord(friend, hour)
    expect(() => database.replace(home, 'a', [lead, text('no')])).toThrow(BoxError)
    expect(new ZoneDatabase(store).records(home, 'a')).toEqual([text('three')])
  })

  test('removes labels and zones', () => {
    const store = memoryStore()
    const database = new ZoneDatabase(store)
    database.replace(home, 'a', [text('one')])
    database.replace(home, 'b', [text('one')])
    database.remove(home, 'A')
    database.replace(home, 'b', [])
    expect(new ZoneDatabase(store).labels(home)).toEqual([])
    expect(new ZoneDatabase(store).has(home)).toBe(true)
    database.drop(home)
    expect(new ZoneDatabase(store).has(home)).toBe(false)
    expect(store.names()).toEqual([])
  })

  test('knows by which label we call somebody', () => {
    const database = new ZoneDatabase(memoryStore())
    database.replace(home, 'alice', [delegationRecord(friend, hour)])
    expect(database.petname(home, friend)).toBe('alice')
    expect(database.petname(home, work)).toBe(null)
    expect(database.petname(work, friend)).toBe(null)
  })

  test('remembers when the last block of a label expires, whatever becomes of the label', () => {
    const store = memoryStore()
    const database = new ZoneDatabase(store)
    expect(database.lastExpiry(home, 'a')).toBe(0n)
    database.replace(home, 'a', [text('one')])
    database.noteExpiry(home, 'a', 1_700_000_000_000_001n)
    database.remove(home, 'a')
    expect(new ZoneDatabase(store).lastExpiry(home, 'a')).toBe(1_700_000_000_000_001n)
    expect(new ZoneDatabase(store).lastExpiry(work, 'a')).toBe(0n)
  })

  test('does not hand out what changes with the caller', () => {
    const database = new ZoneDatabase(memoryStore())
    const record = text('one')
    database.replace(home, 'a', [record])
    record.data[0] = 0
    expect(database.records(home, 'a')).toEqual([text('one')])
  })

  test('refuses to begin with damaged records', () => {
    for (const damage of [new Uint8Array(), Uint8Array.of(9, 1, 97), Uint8Array.of(1, 1, 97, 7)]) {
      const store = memoryStore()
      new ZoneDatabase(store).replace(home, 'a', [text('one')])
      const [name] = store.names().filter(each => each.split('.').length === 3)
      store.set(name!, damage)
      expect(() => new ZoneDatabase(store)).toThrow(/The state cannot be read/)
    }
  })

  test('leaves other names of the store alone', () => {
    const store = memoryStore()
    store.set('egos', Uint8Array.of(1))
    expect(new ZoneDatabase(store).zones()).toEqual([])
  })
})
