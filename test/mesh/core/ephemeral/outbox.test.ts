import { expect, test } from 'vitest'
import { Counters } from '../../../../src/base/counters.ts'
import { Outbox } from '../../../../src/mesh/core/ephemeral/outbox.ts'

const of = (size: number, mark = 0) => new Uint8Array(size).fill(mark)

test('packs together what fits into 63 KiB, in order', () => {
  const outbox = new Outbox(new Counters())
  for (let i = 0; i < 10; i++) outbox.add(of(20_000, i))
  const bundles: number[][] = []
  outbox.empty((messages, size) => {
    expect(size).toBe(messages.reduce((sum, message) => sum + message.length, 0))
    bundles.push(messages.map(message => message[0]!))
    return true
  })
  expect(bundles).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]])
})

test('takes the largest message by itself, and none that is larger', () => {
  const counters = new Counters()
  const outbox = new Outbox(counters)
  outbox.add(of(63 * 1024))
  outbox.add(of(63 * 1024 + 1))
  let count = 0
  outbox.empty(() => ++count > 0)
  expect(count).toBe(1)
  expect(counters.read()['core.dropped_backlog']).toBe(1)
})

test('stops where the link wants no more, and goes on from there', () => {
  const outbox = new Outbox(new Counters())
  for (let i = 0; i < 4; i++) outbox.add(of(60_000, i))
  const seen: number[] = []
  const one = (messages: readonly Uint8Array[]) => {
    seen.push(messages[0]![0]!)
    return false
  }
  outbox.empty(one)
  outbox.empty(one)
  expect(seen).toEqual([0])
  expect(outbox.add(of(8, 9))).toBe(false)
  expect(outbox.owesDrained()).toBe(false)
  outbox.isBlocked = false
  outbox.empty(messages => {
    seen.push(messages[0]![0]!)
    return true
  })
  expect(seen).toEqual([0, 1, 2, 3])
  expect([outbox.owesDrained(), outbox.owesDrained()]).toEqual([true, false])
})

test('asks to wait before it throws away, and throws away rather than grow', () => {
  const counters = new Counters()
  const outbox = new Outbox(counters)
  const answers = Array.from({ length: 40 }, () => outbox.add(of(60_000)))
  expect(answers.indexOf(false)).toBe(4)
  expect(counters.read()['core.dropped_backlog']).toBe(40 - 17)
})
