import { describe, expect, test } from 'vitest'
import { keyOf } from '../../../src/base/bytes.ts'
import { hashCode } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import { Allowance } from '../../../src/mesh/dht/allowance.ts'
import { Announcements } from '../../../src/mesh/dht/announcements.ts'
import { BLOCK } from '../../../src/mesh/dht/blocks.ts'
import { DhtCore } from '../../../src/mesh/dht/messages.ts'
import { Outbox } from '../../../src/mesh/dht/outbox.ts'
import { type Parcel, parcelOf } from '../../../src/mesh/dht/parcel.ts'
import { answers, isNews, PendingRequests } from '../../../src/mesh/dht/pending.ts'
import { withResult } from '../../../src/mesh/dht/result-filter.ts'
import { DHT_OPTION } from '../../../src/mesh/mesh.ts'
import { World } from '../../sim/world.ts'
import { hex, utf8 } from '../../vectors.ts'

const keyOfText = (text: string) => hashCode(sha512(utf8(text)))
const NO_FILTER = new Uint8Array(0)

interface Asked {
  readonly type?: number
  readonly options?: number
  readonly filter?: Uint8Array
}

const question = (text: string, { type = 8, options = 0, filter = NO_FILTER }: Asked = {}) => ({
  query: keyOfText(text),
  type,
  options,
  filter,
})

const parcel = (text: string, data: string, type: number = BLOCK.test, options = 0): Parcel =>
  parcelOf({
    type,
    key: keyOfText(text),
    data: utf8(data),
    expiresAt: 4e12,
    replication: 1,
    options,
  })

const over = (from: Parcel, ...bytes: number[]): Parcel => ({
  ...from,
  route: {
    origin: null,
    put: bytes.map(byte => ({ signature: new Uint8Array(64), pid: new Uint8Array(32).fill(byte) })),
    get: [],
  },
})

describe('the memory of who asked', () => {
  test('gives all who asked for a key, and forgets who has gone', () => {
    const pending = new PendingRequests(new World(1))
    pending.add('a', question('x'))
    pending.add('b', question('x'))
    pending.add('b', question('y'))
    expect(pending.askers(keyOfText('x')).map(({ neighbour }) => neighbour)).toEqual(['a', 'b'])
    pending.forget('b')
    expect(pending.askers(keyOfText('x')).map(({ neighbour }) => neighbour)).toEqual(['a'])
    expect(pending.askers(keyOfText('y'))).toEqual([])
    expect(pending.size).toBe(1)
  })

  test('counts a question asked again as a new one', () => {
    const world = new World(1)
    const pending = new PendingRequests(world)
    const block = parcel('x', 'data')
    expect(isNews(pending.add('a', question('x')), block, block.dataHash)).toBe(true)
    expect(isNews(pending.askers(keyOfText('x'))[0]!, block, block.dataHash)).toBe(false)
    world.run(4 * 60_000)
    pending.add('a', question('x'))
    expect(pending.size).toBe(1)
    world.run(4 * 60_000)
    expect(isNews(pending.askers(keyOfText('x'))[0]!, block, block.dataHash)).toBe(true)
  })

  test('forgets after five minutes', () => {
    const world = new World(1)
    const pending = new PendingRequests(world)
    pending.add('a', question('x'))
    world.run(5 * 60_000)
    expect(pending.askers(keyOfText('x'))).toEqual([])
    pending.sweep()
    expect(pending.size).toBe(0)
  })

  test('is bounded, and a neighbour that asks too much loses its own questions', () => {
    const pending = new PendingRequests(new World(1))
    pending.add('modest', question('x'))
    for (let i = 0; i < 6_000; i++) pending.add('greedy', question(`${i}`))
    expect(pending.size).toBe(4_096)
    expect(pending.askers(keyOfText('x'))).toHaveLength(1)
    expect(pending.askers(keyOfText('5999'))).toHaveLength(1)
    expect(pending.askers(keyOfText('0'))).toEqual([])
  })

  test('tells an asker only what it asked for', () => {
    const block = parcel('x', 'data')
    expect(answers(block, question('x'))).toBe(true)
    expect(answers(block, question('x', { type: BLOCK.any }))).toBe(true)
    expect(answers(block, question('x', { type: BLOCK.gns }))).toBe(false)
    expect(answers(block, question('y'))).toBe(false)
    expect(answers(block, question('y', { options: DHT_OPTION.approximate }))).toBe(true)
  })

  test('tells a block once, and hides what the asker says it has', () => {
    const pending = new PendingRequests(new World(1))
    const block = parcel('x', 'data')
    const filter = withResult(hex('010203040000000000000000'), block.dataHash)
    expect(isNews(pending.add('a', question('x', { filter })), block, block.dataHash)).toBe(false)
    const asker = pending.add('b', question('x'))
    expect(isNews(asker, block, block.dataHash)).toBe(true)
    expect(isNews(asker, block, block.dataHash)).toBe(false)
  })

  test('tells each route of a block to who looks for routes, up to a bound', () => {
    const pending = new PendingRequests(new World(1))
    const block = parcel('x', 'data', BLOCK.test, DHT_OPTION.recordRoute)
    const asker = pending.add('a', question('x', { options: DHT_OPTION.recordRoute }))
    const isTold = (...bytes: number[]) => isNews(asker, over(block, ...bytes), block.dataHash)
    expect([isTold(1, 2), isTold(1, 2), isTold(1, 3)]).toEqual([true, false, true])
    const more = Array.from({ length: 50 }, (_, i) => isTold(i + 10))
    expect(more.filter(Boolean)).toHaveLength(1)
  })

  test('tells sixteen blocks for one question', () => {
    const pending = new PendingRequests(new World(1))
    const asker = pending.add('a', question('x'))
    const told = Array.from({ length: 50 }, (_, i) => {
      const block = parcel('x', `${i}`)
      return isNews(asker, block, block.dataHash)
    })
    expect(told.filter(Boolean)).toHaveLength(16)
  })
})

describe('an allowance', () => {
  test('is used up, and comes back with time', () => {
    const world = new World(1)
    const allowance = new Allowance(world)
    expect(allowance.take(4_000)).toBe(true)
    expect(allowance.take(1)).toBe(false)
    world.run(1_000)
    expect(allowance.take(401)).toBe(false)
    expect(allowance.take(399)).toBe(true)
    world.run(1e9)
    expect([allowance.take(4_000), allowance.take(4_000)]).toEqual([true, false])
  })
})

describe('an outbox', () => {
  const setUp = () => {
    const sent: string[] = []
    const link = { takes: Infinity }
    const outbox = new Outbox({
      peer: new Uint8Array(32) as never,
      key: '',
      address: '',
      understands: () => true,
      atTurnsEnd: () => {},
      send: message => {
        sent.push(keyOf(DhtCore.decode(message).inner))
        return --link.takes > 0
      },
    })
    return { outbox, sent, link }
  }

  test('holds messages while the link is busy, in order', () => {
    const { outbox, sent, link } = setUp()
    link.takes = 1
    for (const text of ['a', 'b', 'c', 'd']) expect(outbox.send(utf8(text))).toBe(true)
    expect(sent).toEqual(['a'])
    link.takes = 2
    outbox.drained()
    expect(sent).toEqual(['a', 'b', 'c'])
    outbox.drained()
    expect(sent).toEqual(['a', 'b', 'c', 'd'])
  })

  test('drops what is too much', () => {
    const { outbox, sent, link } = setUp()
    link.takes = 1
    outbox.send(utf8('a'))
    const kept = Array.from({ length: 100 }, () => outbox.send(new Uint8Array(50_000)))
    expect(kept.filter(Boolean)).toHaveLength(20)
    link.takes = Infinity
    outbox.drained()
    expect(sent).toHaveLength(21)
  })
})

describe('the announcements', () => {
  test('are those of our blocks that have not expired', () => {
    const world = new World(1)
    const announcements = new Announcements(world)
    const at = world.now()
    const make = (text: string, expiresAt: number) =>
      parcelOf({
        type: 8,
        key: keyOfText(text),
        data: utf8(text),
        expiresAt,
        replication: 3,
        options: 0,
      })
    announcements.remember(make('short', at + 1_000), 3)
    announcements.remember(make('long', at + 9_000), 3)
    world.run(1_000)
    expect(announcements.current().map(({ parcel: { data } }) => data)).toEqual([utf8('long')])
  })

  test('hold the last block only where a key has one owner', () => {
    const announcements = new Announcements(new World(1))
    announcements.remember(parcel('x', 'one', BLOCK.gns), 3)
    announcements.remember(parcel('x', 'two', BLOCK.gns), 3)
    announcements.remember(parcel('x', 'one'), 3)
    announcements.remember(parcel('x', 'two'), 3)
    expect(announcements.current()).toHaveLength(3)
  })

  test('are bounded in number and in bytes, the oldest going first', () => {
    const announcements = new Announcements(new World(1))
    for (let i = 0; i < 500; i++) announcements.remember(parcel(`${i}`, `${i}`), 3)
    expect(announcements.current()).toHaveLength(128)
    for (let i = 0; i < 50; i++) announcements.remember(parcel(`${i}`, 'x'.repeat(60_000)), 3)
    const bytes = announcements.current().map(({ parcel: { data } }) => data.length)
    expect(bytes).toEqual(Array.from({ length: 8 }, () => 60_000))
  })
})
