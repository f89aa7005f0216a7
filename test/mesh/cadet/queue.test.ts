/** How long what is said waits behind what was said before, on the way and at the other end. */

import { expect, test } from 'vitest'
import { Listener, numbered, numberOf, Opening } from './ends.ts'
import { CadetWorld } from './world.ts'

const SIZE = 60_000

/** So many messages, said as fast as they are taken, and how long each is on its way. */
class Waits {
  private readonly sentAt: number[] = []
  private readonly waited: number[] = []
  private readonly mesh: CadetWorld
  private readonly opening: Opening
  private readonly count: number

  constructor(mesh: CadetWorld, opening: Opening, count: number) {
    this.mesh = mesh
    this.opening = opening
    this.count = count
  }

  begin(): void {
    this.opening.inbox.onDrained = () => this.go()
    this.go()
  }

  /** It has come. */
  end(message: Uint8Array): void {
    const number = numberOf(message)
    this.waited[number] = this.mesh.world.now() - this.sentAt[number]!
  }

  /** The longest of the second half, but for one in a hundred. */
  get late(): number | undefined {
    const late = this.waited.slice(this.count / 2).toSorted((one, other) => one - other)
    return late.at(Math.floor(late.length * 0.99))
  }

  private go(): void {
    while (this.sentAt.length < this.count) {
      const number = this.sentAt.push(this.mesh.world.now()) - 1
      if (!this.opening.channel!.send(numbered(number, SIZE))) return
    }
  }
}

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
    const waits = new Waits(mesh, opening, count)
    listener.last.inbox.onMessage = message => {
      waits.end(message)
    }
    waits.begin()
    const took = mesh.until(() => listener.last.inbox.numbers.length === count, 60_000)
    expect(took).toBeLessThan((count * SIZE) / width / 0.8)
    expect(waits.late).toBeLessThan(waitMs)
  }
})

test('what is said to somebody who takes little at a time waits little, and keeps them busy', () => {
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
    const waits = new Waits(mesh, opening, count)
    const { channel, inbox } = listener.last
    inbox.onMessage = message => {
      waits.end(message)
      channel.pause()
      mesh.world.after(takesMs, () => channel.resume())
    }
    waits.begin()
    const took = mesh.until(() => inbox.numbers.length === count, 60_000)
    expect(took).toBeLessThan(1.1 * count * takesMs)
    expect(waits.late).toBeLessThan(waitMs)
  }
})
