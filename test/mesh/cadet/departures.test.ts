/** What leaves a tunnel together: how many encrypted messages it takes, and that nothing is lost or out of order by it. */

import { expect, test } from 'vitest'
import { hashCode, peerId } from '../../../src/base/ids.ts'
import { CadetChannel } from '../../../src/mesh/cadet/channel.ts'
import type { Connection } from '../../../src/mesh/cadet/connection.ts'
import { OPTIONS_RELIABLE, TunnelEncrypted } from '../../../src/mesh/cadet/messages.ts'
import { Budget } from '../../../src/mesh/cadet/receive-window.ts'
import { RoundTrip } from '../../../src/mesh/cadet/round-trip.ts'
import { OPEN_OPTIONS } from '../../../src/mesh/cadet/window-size.ts'
import { messageType } from '../../../src/wire/dispatch.ts'
import { World } from '../../sim/world.ts'
import { Inbox, Listener, numbered, Opening, portOf } from './ends.ts'
import { CadetWorld, type LinkOptions } from './world.ts'

/** Two neighbours with an open channel, and how many encrypted messages went between them. */
function pair(seed: number, options: LinkOptions = {}) {
  const mesh = new CadetWorld(seed)
  const [a, b] = mesh.peers('a', 'b')
  mesh.link(a, b, options)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => opening.channel !== null, 2_000)
  mesh.run(1_000)
  const count = { encrypted: 0 }
  mesh.carried = message => {
    if (messageType(message) === TunnelEncrypted.type) count.encrypted++
  }
  return { mesh, a, b, listener, channel: opening.channel!, inbox: listener.last.inbox, count }
}

test('what is small and said in one turn travels in one encrypted message', () => {
  const { mesh, channel, inbox, count } = pair(201)
  for (let n = 0; n < 10; n++) channel.send(numbered(n, 300))
  // One there, one back.
  mesh.run(60)
  expect(inbox.numbers).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  expect(count.encrypted).toBe(2)
})

test('over a hub each message travels alone, so that it sees the sizes that were made to be seen', () => {
  const mesh = new CadetWorld(210)
  const [a, b, hub] = mesh.peers('a', 'b', 'hub')
  mesh.link(a, hub)
  mesh.link(hub, b)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => opening.channel !== null, 2_000)
  mesh.run(1_000)
  const sizes: number[] = []
  mesh.carried = message => void sizes.push(message.length)
  for (let n = 0; n < 3; n++) opening.channel!.send(numbered(n, 300))
  expect(new Set(sizes).size).toBe(1)
  expect(sizes).toHaveLength(3)
  mesh.run(60)
  expect(listener.last.inbox.numbers).toEqual([0, 1, 2])
})

test('what is large is sent at once, with the small things before it', () => {
  const { mesh, channel, inbox } = pair(202)
  const sizes: number[] = []
  mesh.carried = message => void sizes.push(message.length)
  channel.send(numbered(0, 300))
  channel.send(numbered(1, 60_000))
  expect(sizes).toHaveLength(1)
  expect(sizes[0]).toBeGreaterThan(60_300)
  channel.send(numbered(2, 60_000))
  channel.send(numbered(3, 300))
  expect(sizes).toHaveLength(2)
  mesh.run(60)
  expect(inbox.numbers).toEqual([0, 1, 2, 3])
})

test('the end of a channel goes behind what was said on it in the same turn', () => {
  const { mesh, channel, inbox } = pair(203)
  channel.send(numbered(1))
  channel.send(numbered(2))
  channel.close()
  mesh.run(60)
  expect(inbox.numbers).toEqual([1, 2])
  expect(inbox.reason?.code).toBe('CHANNEL_CLOSED')
})

test('what was said in the turn in which the engine closes is told', () => {
  const { mesh, a, channel, inbox } = pair(204)
  channel.send(numbered(1))
  a.cadet.close()
  mesh.run(60)
  expect(inbox.numbers).toEqual([1])
  expect(inbox.reason?.code).toBe('CHANNEL_CLOSED')
})

test('an acknowledgement waits a little for data to travel with', () => {
  const { mesh, channel, listener, count } = pair(206)
  channel.send(numbered(1))
  mesh.run(15)
  expect(count.encrypted).toBe(1)
  listener.last.channel.send(numbered(2))
  mesh.run(300)
  // The answer, and what acknowledges it.
  expect(count.encrypted).toBe(3)
})

test('few small messages after each other need one acknowledgement, and none is repeated', () => {
  const { mesh, channel, inbox, count } = pair(207, { latencyMs: 40 })
  for (let n = 0; n < 40; n++) {
    channel.send(numbered(n))
    mesh.run(10)
  }
  mesh.run(1_000)
  expect(inbox.numbers).toHaveLength(40)
  expect(count.encrypted).toBeLessThanOrEqual(40 + 40 / 2)
})

test('what is much, or out of order, is acknowledged at once', () => {
  const { mesh, channel, inbox, count } = pair(208)
  for (let n = 0; n < 4; n++) channel.send(numbered(n))
  mesh.run(5)
  expect(count.encrypted).toBe(2)
  channel.send(numbered(4, 20_000))
  mesh.run(5)
  expect(count.encrypted).toBe(4)
  expect(inbox.numbers).toEqual([0, 1, 2, 3, 4])
})

test('a peer that keeps four messages ahead, as GNUnet, is never made to wait for an acknowledgement', () => {
  const told = (options: number) => {
    const world = new World(209)
    const when: string[] = []
    const carrier = {
      ...{ peer: peerId(new Uint8Array(32)), path: () => null, canSend: () => false },
      ...{ say: () => true, wait: () => {}, doubt: () => {}, ended: () => {} },
      sendData: () => expect.unreachable('there is nothing to send'),
      acknowledge: (_channel: unknown, how: string) => void when.push(how),
    }
    const [hashedPort, budget] = [hashCode(new Uint8Array(64)), new Budget(1_000_000)]
    const clock = world
    const channel = new CadetChannel({ clock, carrier, budget, number: 1, hashedPort, options })
    channel.bind(portOf('sink'))
    channel.attach(new Inbox())
    for (let sequence = 1; sequence <= 5; sequence++)
      channel.receivedData(sequence, numbered(sequence))
    return when
  }
  expect(told(OPTIONS_RELIABLE)).toEqual(['now', 'now', 'now', 'now', 'now'])
  expect(told(OPEN_OPTIONS)).toEqual(['soon', 'soon', 'soon', 'now', 'now'])
})

test('a peer is not taken for silent because we were busy ourselves', () => {
  let time = 0
  const timers = new Set<{ readonly at: number; readonly run: () => void }>()
  const after = (ms: number, run: () => void) => {
    const timer = { at: time + ms, run }
    timers.add(timer)
    return { cancel: () => void timers.delete(timer) }
  }
  /** What is due by then is done then, and not before. */
  const wake = (at: number) => {
    time = at
    for (const timer of [...timers]) if (timer.at <= time && timers.delete(timer)) timer.run()
  }
  const silences: number[] = []
  const via = { roundTrip: new RoundTrip(), confirm: () => {} } as unknown as Connection
  const channel = new CadetChannel({
    clock: { now: () => time, elapsed: () => time, after },
    carrier: {
      ...{ peer: peerId(new Uint8Array(32)), path: () => null, canSend: () => true },
      ...{ say: () => true, wait: () => {}, ended: () => {}, acknowledge: () => {} },
      sendData: () => via,
      doubt: (_connection, times) => void silences.push(times),
    },
    budget: new Budget(1_000_000),
    ...{ number: 1, hashedPort: hashCode(new Uint8Array(64)), options: OPEN_OPTIONS },
  })
  channel.bind(portOf('sink'))
  channel.attach(new Inbox())
  channel.send(numbered(1))
  // The timer is run first, and then what had come meanwhile is read.
  wake(2_000)
  channel.receivedDataAck({ expected: 2, futuresHigh: 0, futuresLow: 0 })
  wake(3_000)
  expect(silences).toEqual([])
  // It is silent indeed.
  channel.send(numbered(2))
  wake(12_000)
  wake(12_300)
  expect(silences).toEqual([1])
})

test('what was to travel over a connection that is cut in the same turn goes another way', () => {
  const mesh = new CadetWorld(205)
  const [a, b, hub] = mesh.peers('a', 'b', 'hub')
  mesh.link(a, b)
  mesh.link(a, hub)
  mesh.link(hub, b)
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => opening.channel !== null, 2_000)
  mesh.run(1_000)
  for (let n = 0; n < 5; n++) opening.channel!.send(numbered(n))
  mesh.cut(a, b)
  mesh.run(2_000)
  expect(listener.last.inbox.numbers).toEqual([0, 1, 2, 3, 4])
})
