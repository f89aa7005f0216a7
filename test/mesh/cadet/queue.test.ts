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

/** A channel between two behind one hub, over links as long; the second has this width. */
function throughHub(seed: number, { latencyMs, width }: { latencyMs: number; width: number }) {
  const mesh = new CadetWorld(seed)
  const [a, b, hub] = mesh.peers('a', 'b', 'hub')
  mesh.link(a, hub, { latencyMs })
  mesh.link(hub, b, { latencyMs, width })
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.until(() => opening.channel !== null && listener.accepted.length > 0, 5_000)
  return { mesh, listener, opening }
}

test('what is said behind much else waits little, and a narrow or a long way is used to the full', () => {
  const ways = [
    { latencyMs: 5, width: 1_000, count: 100, waitMs: 250 },
    { latencyMs: 1, width: 20_000, count: 600, waitMs: 60 },
    { latencyMs: 100, width: 5_000, count: 600, waitMs: 400 },
  ]
  for (const { latencyMs, width, count, waitMs } of ways) {
    const { mesh, listener, opening } = throughHub(125, { latencyMs, width })
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

test('what is small comes soon behind what is large while somebody types, and all comes in order', () => {
  const width = 5_000
  const { mesh, listener, opening } = throughHub(127, { latencyMs: 5, width })
  const channel = opening.channel!
  const [large, small] = [16_400, 80]
  const said: { readonly size: number; readonly at: number; isOverFull: boolean }[] = []
  const waits: number[] = []
  let isFull = false
  let came = 0
  let bytes = 0
  const say = (size: number) => {
    said.push({ size, at: mesh.world.now(), isOverFull: isFull })
    isFull = !channel.send(numbered(said.length - 1, size))
  }
  const fill = () => {
    isFull = false
    while (!isFull) say(large)
  }
  listener.last.inbox.onMessage = message => {
    const number = numberOf(message)
    expect(number).toBe(came++)
    const { size, at, isOverFull } = said[number]!
    bytes += size
    if (isOverFull && size === small) waits.push(mesh.world.now() - at)
  }
  channel.hurry!(true)
  opening.inbox.onDrained = fill
  fill()
  mesh.world.run(3_000)
  bytes = 0
  for (let n = 0; n < 400; n++) {
    say(small)
    mesh.world.run(11)
  }
  // The way itself, the queue that may be, and a large message before it.
  expect(waits.length).toBeGreaterThan(200)
  expect(waits.toSorted((one, other) => one - other)[Math.floor(waits.length * 0.99)]).toBeLessThan(
    25,
  )
  expect(bytes / (400 * 11 * width)).toBeGreaterThan(0.8)
  // Nobody types: whoever was told to wait is told to go on, as ever.
  channel.hurry!(false)
  const before = came
  mesh.world.run(1_000)
  expect(came - before).toBeGreaterThan((0.8 * 1_000 * width) / large)
})
