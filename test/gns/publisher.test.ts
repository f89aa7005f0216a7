import { describe, expect, test } from 'vitest'
import type { Clock } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Log } from '../../src/base/log.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { blockQuery, openBlock } from '../../src/gns/block.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { Publisher } from '../../src/gns/publisher.ts'
import { RECORD_FLAG, RECORD_TYPE } from '../../src/gns/record.ts'
import { nickRecord, txtRecord } from '../../src/gns/record-data.ts'
import { recordText } from '../../src/gns/record-text.ts'
import { ZoneDatabase } from '../../src/gns/zone.ts'
import type { DhtBlock, NeighbourWatch } from '../../src/mesh/mesh.ts'
import { HOUR_MS, hour, of, texts, to, ZoneWorld } from './zone-world.ts'

const TXT = RECORD_TYPE.TXT
const DAY_MS = 24 * HOUR_MS
const txt = (text: string, afterMs = HOUR_MS) => txtRecord(text, { afterMs })

/** A publisher with its own store, in the world of a resolver that knows only the DHT. */
class Owner {
  readonly w = new ZoneWorld()
  readonly store: Store = memoryStore()
  readonly puts: DhtBlock[] = []
  readonly notes: string[] = []
  /** How far the clock on the wall is from the truth. */
  skewMs = 0
  private watch: NeighbourWatch | null = null
  database = new ZoneDatabase(this.store)
  publisher = this.start()

  start(): Publisher {
    const clock: Clock = {
      now: () => this.w.world.now() + this.skewMs,
      elapsed: () => this.w.world.elapsed(),
      after: (ms, run) => this.w.world.after(ms, run),
    }
    const log: Log = {
      note: (level, area, event, fields) =>
        void this.notes.push(JSON.stringify([level, area, event, fields])),
    }
    this.database = new ZoneDatabase(this.store)
    this.publisher = new Publisher({
      clock,
      log,
      random: this.w.world.random,
      database: this.database,
      mesh: {
        dht: {
          put: block => {
            this.puts.push({ ...block, data: block.data.slice() })
            this.w.mesh.dht.put(block)
          },
          get: (query, found) => this.w.mesh.dht.get(query, found),
        },
        watch: events => {
          this.watch = events
          return {
            close: () => {
              this.watch = null
            },
          }
        },
      },
    })
    return this.publisher
  }

  neighbour(): void {
    this.watch?.up(this.w.mesh.self)
  }

  /** What the blocks of a label held, in the order they were put. */
  history({ zone }: ZoneSecret, label: string) {
    const key = blockQuery(zone, label).join()
    const mine = this.puts.filter(block => block.key.join() === key)
    return mine.map(block => {
      const { records, expiry } = openBlock(zone, label, block.data)
      return {
        texts: records.map(({ type, data }) => recordText(type, data)),
        records,
        expiry,
        block,
      }
    })
  }
}

describe('a published zone', () => {
  test('can be resolved at every moment of two days, with few puts', async () => {
    const o = new Owner()
    const [home, device] = [o.w.zone(), o.w.zone('PKEY')]
    const labels = ['a', 'b', 'c']
    for (const label of labels) o.database.replace(home.zone, label, [txt(label)])
    o.database.replace(home.zone, 'kitchen', [to(device.zone)])
    o.database.replace(device.zone, '@', [txt('at', HOUR_MS), txt('short', HOUR_MS / 2)])
    o.publisher.publish(home)
    o.publisher.publish(device)
    o.w.world.run(500)
    const text = zoneToText(home.zone)
    const step = 11 * 60_000 + 13
    for (let at = 0; at < 2 * DAY_MS; at += step) {
      o.w.world.run(step)
      const found = await o.w.resolve(`kitchen.${text}`, TXT, { timeoutMs: 1_000 })
      expect(texts(found)).toEqual(['at', 'short'])
      expect(texts(await o.w.resolve(`a.${text}`, TXT, { timeoutMs: 1_000 }))).toEqual(['a'])
    }
    // A put each half life, less a quarter at random.
    expect(o.history(home, 'a').length).toBeLessThan(140)
    expect(o.history(device, '@').length).toBeLessThan(270)
    o.publisher.close()
    o.w.resolver.close()
    o.w.world.run(1)
    expect(o.w.world.pending).toBe(0)
  })

  test('is put again with an ever later expiry, well before the last block ends', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    o.publisher.publish(home)
    o.w.world.run(DAY_MS)
    const history = o.history(home, 'a')
    expect(history.length).toBeGreaterThan(48)
    let last = 0n
    for (const { expiry, block } of history) {
      expect(expiry).toBeGreaterThan(last)
      expect(block.replication).toBe(5)
      expect(block.options).toBe(1)
      last = expiry
    }
  })

  test('lives a day at most at a time, even where its records last for ever', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txtRecord('x', { atMs: Infinity })])
    o.publisher.publish(home)
    o.w.world.run(1)
    expect(o.puts[0]?.expiresAt).toBe(o.w.world.now() - 1 + DAY_MS)
    o.w.world.run(DAY_MS)
    // Once an hour less a quarter at random: nodes of the DHT come and go.
    expect(o.puts.length).toBeGreaterThan(24)
    expect(o.puts.length).toBeLessThan(34)
  })

  test('changes at once', async () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('old')])
    o.publisher.publish(home)
    o.w.world.run(10_000)
    o.database.replace(home.zone, 'A', [txt('new')])
    o.publisher.changed(home.zone, 'A')
    o.w.world.run(50)
    expect(texts(await o.w.resolve(`a.${zoneToText(home.zone)}`))).toEqual(['new'])
  })

  test('takes in labels that are new, and lets those expire that are gone', async () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'old', [txt('old')])
    o.publisher.publish(home)
    o.w.world.run(1_000)
    o.database.replace(home.zone, 'new', [txt('new')])
    o.database.remove(home.zone, 'old')
    o.publisher.changed(home.zone, 'new')
    o.publisher.changed(home.zone, 'old')
    o.w.world.run(DAY_MS)
    expect(o.history(home, 'old')).toHaveLength(1)
    const text = zoneToText(home.zone)
    expect(texts(await o.w.resolve(`new.${text}`))).toEqual(['new'])
    await expect(o.w.resolve(`old.${text}`, 'any', { timeoutMs: 500 })).rejects.toThrow(BoxError)
  })

  test('does not show what is private, and does not publish a label with nothing else', () => {
    const o = new Owner()
    const home = o.w.zone()
    const secret = txtRecord('secret', hour, { flags: RECORD_FLAG.private })
    o.database.replace(home.zone, 'a', [txt('open'), secret])
    o.database.replace(home.zone, 'b', [secret])
    o.publisher.publish(home)
    o.w.world.run(HOUR_MS)
    for (const { texts: shown } of o.history(home, 'a')) expect(shown).toEqual(['open'])
    expect(o.history(home, 'b')).toEqual([])
  })

  test('gives its nickname along with its names, except where they lead elsewhere', () => {
    const o = new Owner()
    const [home, device] = [o.w.zone(), o.w.zone()]
    o.database.replace(home.zone, '@', [nickRecord('old', hour)])
    o.database.replace(home.zone, 'a', [txt('x')])
    o.database.replace(home.zone, 'kitchen', [to(device.zone)])
    o.publisher.publish(home)
    o.w.world.run(1_000)
    o.database.replace(home.zone, '@', [nickRecord('new', hour)])
    o.publisher.changed(home.zone, '@')
    o.w.world.run(1_000)
    const [first, second] = o.history(home, 'a')
    expect(first?.texts).toEqual(['x', 'old'])
    expect(second?.texts).toEqual(['x', 'new'])
    expect(second?.records[1]?.flags).toBe(RECORD_FLAG.supplemental)
    expect(o.history(home, 'kitchen').at(-1)?.records).toHaveLength(1)
    expect(o.history(home, '@').at(-1)?.records[0]?.flags).toBe(0)
  })

  test('leaves no gap where one of its records ends and another stays', async () => {
    const o = new Owner()
    const home = o.w.zone()
    const end = o.w.world.now() + 2 * HOUR_MS
    o.database.replace(home.zone, 'a', [txt('stays'), txtRecord('ends', { atMs: end })])
    o.publisher.publish(home)
    o.w.world.run(2 * HOUR_MS - 60_000)
    const name = `a.${zoneToText(home.zone)}`
    for (let at = 0; at < 120_000; at += 500) {
      o.w.world.run(500)
      const found = await o.w.resolve(name, TXT, { timeoutMs: 400 })
      const expected = o.w.world.now() < end ? ['stays', 'ends'] : ['stays']
      expect(texts(found)).toEqual(expected)
    }
    expect(o.history(home, 'a').length).toBeLessThan(20)
  })

  test('is not put any more once its owner withdraws it', () => {
    const o = new Owner()
    const [home, other] = [o.w.zone(), o.w.zone()]
    for (const { zone } of [home, other]) o.database.replace(zone, 'a', [txt('x')])
    o.publisher.publish(home)
    o.publisher.publish(other)
    o.w.world.run(1_000)
    o.publisher.withdraw(home.zone)
    o.publisher.changed(home.zone, 'a')
    o.w.world.run(DAY_MS)
    expect(o.history(home, 'a')).toHaveLength(1)
    expect(o.history(other, 'a').length).toBeGreaterThan(24)
  })
})

describe('a new neighbour', () => {
  test('gets everything, soon after it came', () => {
    const o = new Owner()
    const home = o.w.zone()
    for (const label of ['a', 'b']) o.database.replace(home.zone, label, [txt(label)])
    o.publisher.publish(home)
    o.w.world.run(60_000)
    expect(o.puts).toHaveLength(2)
    o.neighbour()
    o.neighbour()
    o.w.world.run(500)
    expect(o.puts).toHaveLength(4)
  })

  test('makes the difference between a name that was put and one that is out', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    o.publisher.publish(home)
    o.w.world.run(1_000)
    expect(o.puts).toHaveLength(1)
    expect(o.publisher.publishedUntil(home.zone, 'a')).toBe(null)
    o.neighbour()
    o.w.world.run(500)
    expect(o.publisher.publishedUntil(home.zone, 'A')).toBe(o.puts[1]?.expiresAt)
    expect(o.publisher.publishedUntil(home.zone, 'b')).toBe(null)
    o.w.world.run(1)
    o.skewMs = DAY_MS
    expect(o.publisher.publishedUntil(home.zone, 'a')).toBe(null)
  })

  test('that comes and goes all the time does not make us shout', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    o.publisher.publish(home)
    for (let second = 0; second < 3_600; second++) {
      o.neighbour()
      o.w.world.run(1_000)
    }
    expect(o.puts.length).toBeLessThan(80)
    const before = o.puts.length
    o.w.world.run(60_000)
    expect(o.puts.length).toBeGreaterThan(before)
  })
})

describe('a large zone', () => {
  test('is put at a bounded rate, changed names included', () => {
    const o = new Owner()
    const home = o.w.zone()
    const labels = Array.from({ length: 200 }, (_, n) => `n${n}`)
    for (const label of labels) o.database.replace(home.zone, label, [txt(label)])
    o.publisher.publish(home)
    o.w.world.run(1_000)
    expect(o.puts.length).toBeLessThanOrEqual(41)
    o.w.world.run(5_000)
    expect(o.puts.length).toBe(200)
    for (let n = 0; n < 1_000; n++) o.publisher.changed(home.zone, 'n1')
    o.w.world.run(1_000)
    expect(o.puts.length).toBe(201)
  })
})

describe('the expiry of blocks', () => {
  test('grows across a restart, a removal, and a clock that went back', () => {
    const o = new Owner()
    const home = o.w.zone('PKEY')
    const put = (text: string, afterMs: number) => {
      o.database.replace(home.zone, 'a', [txt(text, afterMs)])
      o.publisher.changed(home.zone, 'a')
      o.w.world.run(100)
    }
    o.publisher.publish(home)
    put('long', 20 * HOUR_MS)
    put('short', HOUR_MS)
    o.database.remove(home.zone, 'a')
    o.publisher.close()
    o.skewMs = -5 * HOUR_MS
    o.start().publish(home)
    put('again', HOUR_MS)
    const history = o.history(home, 'a')
    expect(history.map(({ texts: [text] }) => text)).toEqual(['long', 'short', 'again'])
    expect(history[1]!.expiry).toBe(history[0]!.expiry + 1n)
    expect(history[2]!.expiry).toBe(history[1]!.expiry + 1n)
  })

  test('is noted before the block leaves, so that a crash cannot use it twice', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    o.publisher.publish(home)
    o.w.world.run(1)
    expect(new ZoneDatabase(o.store).lastExpiry(home.zone, 'a')).toBe(
      o.history(home, 'a')[0]!.expiry,
    )
  })

  test('follows a clock that jumps ahead or back within a minute', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    o.publisher.publish(home)
    o.w.world.run(1_000)
    o.skewMs = 5 * HOUR_MS
    o.w.world.run(61_000)
    expect(o.puts).toHaveLength(2)
    expect(o.puts[1]!.expiresAt).toBeGreaterThan(o.w.world.now() + 5 * HOUR_MS)
    o.skewMs = -10 * DAY_MS
    o.w.world.run(61_000)
    expect(o.puts).toHaveLength(3)
    o.w.world.run(600_000)
    expect(o.puts).toHaveLength(3)
  })
})

describe('what goes wrong', () => {
  test('in the store keeps the block back, is told once, and tried again', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [txt('x')])
    const set = o.store.set
    o.store.set = () => {
      throw new BoxError('STATE_UNWRITABLE')
    }
    o.publisher.publish(home)
    o.w.world.run(60_000)
    expect(o.puts).toHaveLength(0)
    expect(o.notes).toEqual([
      '["warn","gns","a name could not be published",{"code":"STATE_UNWRITABLE"}]',
    ])
    o.store.set = set
    o.w.world.run(6_000)
    expect(o.puts).toHaveLength(1)
  })

  test('in the mesh does not stop the publisher', () => {
    const o = new Owner()
    const home = o.w.zone()
    o.database.replace(home.zone, 'a', [of(RECORD_TYPE.A, '192.0.2.1')])
    o.publisher.publish(home)
    o.w.mesh.stop()
    o.w.world.run(20_000)
    expect(o.notes).toHaveLength(1)
    o.publisher.close()
    o.publisher.close()
    expect(() => o.publisher.publish(home)).toThrow(BoxError)
    expect(o.w.world.pending).toBe(0)
  })
})
