/** How long what is said waits behind what was said before, on the way and at the other end. */

import { expect, test } from 'vitest'
import { Listener, numbered, numberOf, Opening } from './ends.ts'
import { CadetWorld } from './world.ts'

test('what is said behind much else waits little, and a narrow or a long way is used to the full', () => {
  const ways = [
    { latencyMs: 5, width: 1_000, count: 100, waitMs: 250 },
    { latencyMs: 1, width: 20_000, count: 600, waitMs: 60 },
    { latencyMs: 100, width: 5_000, count: 600, waitMs: 400 },
  ]
  for (const { latencyMs, width, count, waitMs } of ways) {
    const mesh = new CadetWorld(125)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub, { latencyMs })
    mesh.link(hub, b, { latencyMs, width })
    const listener = new Listener(b, 'sink')
    const opening = new Opening(a, b, 'sink')
    mesh.until(() => opening.channel !== null && listener.accepted.length > 0, 5_000)
    const size = 60_000
    const sentAt: number[] = []
    const waited: number[] = []
    listener.last.inbox.onMessage = message => {
      const number = numberOf(message)
      waited[number] = mesh.world.now() - sentAt[number]!
    }
    let next = 0
    const go = () => {
      while (next < count) {
        sentAt[next] = mesh.world.now()
        if (!opening.channel!.send(numbered(next++, size))) return
      }
    }
    opening.inbox.onDrained = go
    go()
    const took = mesh.until(() => listener.last.inbox.numbers.length === count, 60_000)
    expect(took).toBeLessThan((count * size) / width / 0.8)
    const late = waited.slice(count / 2).toSorted((one, other) => one - other)
    expect(late.at(Math.floor(late.length * 0.99))).toBeLessThan(waitMs)
  }
})

test('what is said to somebody who takes little at a time waits little, and keeps them busy', () => {
  const size = 60_000
  for (const [takesMs, latencyMs, waitMs] of [
    [12, 1, 60],
    [3, 5, 60],
  ] as const) {
    const mesh = new CadetWorld(126)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub, { latencyMs, width: 50_000 })
    mesh.link(hub, b, { latencyMs, width: 50_000 })
    const listener = new Listener(b, 'sink')
    const opening = new Opening(a, b, 'sink')
    mesh.until(() => opening.channel !== null && listener.accepted.length > 0, 5_000)
    const count = 250
    const sentAt: number[] = []
    const waited: number[] = []
    const { channel, inbox } = listener.last
    inbox.onMessage = message => {
      const number = numberOf(message)
      waited[number] = mesh.world.now() - sentAt[number]!
      channel.pause()
      mesh.world.after(takesMs, () => channel.resume())
    }
    let next = 0
    const go = () => {
      while (next < count) {
        sentAt[next] = mesh.world.now()
        if (!opening.channel!.send(numbered(next++, size))) return
      }
    }
    opening.inbox.onDrained = go
    go()
    const took = mesh.until(() => inbox.numbers.length === count, 60_000)
    const late = waited.slice(count / 2).toSorted((one, other) => one - other)
    expect(took).toBeLessThan(1.1 * count * takesMs)
    expect(late.at(Math.floor(late.length * 0.99))).toBeLessThan(waitMs)
  }
})
