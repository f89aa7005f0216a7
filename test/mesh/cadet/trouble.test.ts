/** What goes wrong between peers, and that channels survive it or say that they did not. */

import { describe, expect, test } from 'vitest'
import { Listener, numbered, Opening } from './ends.ts'
import type { Peer } from './peer.ts'
import { CadetWorld, type LinkOptions } from './world.ts'

/** Seeds from `from` on; SEEDS=n takes n times as many, as a night job does. */
const seeds = (from: number, count: number): number[] =>
  Array.from({ length: count * Number(process.env.SEEDS ?? 1) }, (_, at) => from + at)

const first = (count: number) => Array.from({ length: count }, (_, n) => n)

/** Sends `count` messages as fast as the channel takes them. */
function pour(opening: Opening, count: number, size: number): void {
  let next = 0
  const go = () => {
    while (next < count) if (!opening.channel!.send(numbered(next++, size))) return
  }
  opening.inbox.onDrained = go
  go()
}

/** Whether `numbers` counts from 0 without a gap. */
const inOrder = (numbers: readonly number[]) => numbers.every((number, at) => number === at)

describe('on bad links every message arrives once and in order', () => {
  const cases: [string, LinkOptions][] = [
    ['loss', { latencyMs: 10, loss: 0.05 }],
    ['repetition', { latencyMs: 10, duplicate: 0.2 }],
    ['disorder', { latencyMs: 10, disorderMs: 30 }],
    ['all of it', { latencyMs: 10, loss: 0.03, duplicate: 0.05, disorderMs: 20 }],
    ['a narrow line', { latencyMs: 20, width: 500 }],
  ]
  test.for(cases)('%s', ([, options]) => {
    for (const seed of seeds(100, 2)) {
      const mesh = new CadetWorld(seed)
      const [a, b, hub] = mesh.peers('a', 'b', 'hub')
      mesh.link(a, hub, options)
      mesh.link(hub, b, options)
      const listener = new Listener(b, 'echo', { echo: true })
      const opening = new Opening(a, b, 'echo', [[hub]])
      mesh.until(() => opening.channel !== null, 20_000)
      const count = 120
      pour(opening, count, 700)
      mesh.until(() => opening.inbox.numbers.length >= count, 120_000)
      expect(listener.last.inbox.numbers).toEqual(first(count))
      expect(opening.inbox.numbers).toEqual(first(count))
    }
  })
})

test('a relay with a narrow way out neither drops nor keeps more than was under way', () => {
  const mesh = new CadetWorld(120)
  const [a, b, hub] = mesh.peers('a', 'b', 'hub')
  mesh.link(a, hub, { latencyMs: 5 })
  mesh.link(hub, b, { latencyMs: 5, width: 1_000 })
  const listener = new Listener(b, 'sink')
  const opening = new Opening(a, b, 'sink')
  mesh.run(100)
  pour(opening, 200, 60_000)
  let kept = 0
  mesh.until(() => {
    kept = Math.max(kept, hub.count('cadet.relay_waiting_bytes'))
    return listener.last.inbox.numbers.length === 200
  }, 60_000)
  expect(listener.last.inbox.numbers).toEqual(first(200))
  expect(hub.count('cadet.relay_dropped')).toBe(0)
  expect(kept).toBeGreaterThan(0)
  expect(kept).toBeLessThan(2_200_000)
})

describe('when a hub dies in the middle', () => {
  test.for([
    [1, 'is seen to be gone', 10],
    [2, 'is silent', 60_000],
  ] as const)('a channel goes on over the second (the first %s: %s)', ([, , noticeMs]) => {
    for (const seed of seeds(130, 2)) {
      const mesh = new CadetWorld(seed)
      const [a, b, one, two] = mesh.peers('a', 'b', 'one', 'two')
      for (const hub of [one, two]) {
        mesh.link(a, hub, { latencyMs: 10 })
        mesh.link(hub, b, { latencyMs: 10 })
      }
      const listener = new Listener(b, 'echo', { echo: true })
      const opening = new Opening(a, b, 'echo', [[one], [two]])
      mesh.until(() => opening.channel !== null, 2_000)
      pour(opening, 250, 5_000)
      mesh.run(40)
      const used = opening.channel!.path()![1]
      mesh.crash(used === one.id || Buffer.from(used!).equals(one.id) ? one : two, noticeMs)
      expect(mesh.until(() => opening.inbox.numbers.length === 250, 20_000)).toBeLessThan(5_000)
      expect(listener.last.inbox.numbers).toEqual(first(250))
      expect(opening.inbox.numbers).toEqual(first(250))
      expect(opening.inbox.reason).toBeNull()
    }
  })
})

describe('after a restart there are channels again within five seconds', () => {
  const cases = [0, 1].flatMap(restarted =>
    [0, 1].flatMap(opener =>
      [true, false].flatMap(clean =>
        [true, false].map(direct => [restarted, opener, clean, direct] as const),
      ),
    ),
  )
  test.for(cases)(
    'restarted %s, opener %s, clean %s, direct %s',
    ([restarted, opener, clean, direct]) => {
      for (const seed of seeds(140, 1)) {
        const mesh = new CadetWorld(seed)
        const [a, b, hub] = mesh.peers('a', 'b', 'hub')
        const pair: [Peer, Peer] = [a, b]
        const from = pair[opener]!
        const to = pair[1 - opener]!
        if (direct) {
          mesh.link(a, b, { latencyMs: 5 })
        } else {
          mesh.link(a, hub, { latencyMs: 5 })
          mesh.link(hub, b, { latencyMs: 5 })
        }
        new Listener(to, 'echo', { echo: true })
        const before = new Opening(from, to, 'echo', direct ? [] : [[hub]])
        mesh.until(() => before.channel !== null, 2_000)
        for (let i = 0; i < 40; i++) before.channel!.send(numbered(i))
        mesh.run(500)
        expect(before.inbox.numbers).toEqual(first(40))

        mesh.restart(pair[restarted]!, { clean })
        const since = mesh.world.now()
        if (pair[restarted] === to) new Listener(to, 'echo', { echo: true })
        let after = new Opening(from, to, 'echo', direct ? [] : [[hub]])
        const works = () => after.inbox.numbers.length > 0
        mesh.until(() => after.channel !== null, 5_000)
        after.channel?.send(numbered(0))
        mesh.until(works, 5_000)
        expect(after.inbox.numbers).toEqual([0])
        expect(mesh.world.now() - since).toBeLessThan(2_000)
        // Who stayed learns that the old channel is no more.
        if (pair[restarted] === to) {
          before.channel!.send(numbered(99))
          mesh.run(3_000)
          expect(before.inbox.reason?.code).toMatch(/CHANNEL_(CLOSED|LOST)/)
        }
        after = new Opening(from, to, 'echo')
        expect(mesh.until(() => after.channel !== null, 1_000)).toBeLessThan(100)
      }
    },
  )

  test.for(cases)(
    'traffic of the other side alone heals it: restarted %s, opener %s, clean %s, direct %s',
    ([restarted, opener, clean, direct]) => {
      const mesh = new CadetWorld(150)
      const [a, b, hub] = mesh.peers('a', 'b', 'hub')
      const pair: [Peer, Peer] = [a, b]
      mesh.link(a, direct ? b : hub, { latencyMs: 5 })
      if (!direct) mesh.link(hub, b, { latencyMs: 5 })
      const from = pair[opener]!
      const to = pair[1 - opener]!
      const listener = new Listener(to, 'sink')
      const opening = new Opening(from, to, 'sink')
      mesh.until(() => opening.channel !== null, 2_000)
      opening.channel!.send(numbered(0))
      mesh.run(100)
      mesh.restart(pair[restarted]!, { clean })
      const survivor = pair[restarted] === to ? opening : listener.last
      if (!clean) survivor.channel!.send(numbered(1))
      mesh.run(3_000)
      expect(survivor.inbox.reason?.code).toMatch(/CHANNEL_(CLOSED|LOST)/)
    },
  )
})

describe('idle peers', () => {
  test.for([1, 4, 10])(
    'after %s hours without a channel a new one opens within a second',
    hours => {
      for (const opener of [0, 1] as const) {
        const mesh = new CadetWorld(160 + hours)
        const [a, b, hub, other] = mesh.peers('a', 'b', 'hub', 'other')
        const pair: [Peer, Peer] = [a, b]
        for (const one of [a, b, other]) mesh.link(one, hub)
        const [from, to] = [pair[opener], pair[1 - opener]!]
        new Listener(to, 'echo', { echo: true })
        const before = new Opening(from, to, 'echo', [[hub]])
        mesh.run(200)
        before.channel!.close()
        mesh.run(hours * 3_600_000)
        expect(hub.count('cadet.routes')).toBe(0)
        const after = new Opening(from, to, 'echo')
        expect(mesh.until(() => after.channel !== null, 5_000)).toBeLessThan(50)
      }
    },
  )

  test('an open channel that says nothing for a day still works at once', () => {
    const mesh = new CadetWorld(170)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub)
    mesh.link(hub, b)
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    mesh.run(200)
    mesh.run(86_400_000)
    opening.channel!.send(numbered(0))
    expect(mesh.until(() => opening.inbox.numbers.length > 0, 1_000)).toBeLessThan(20)
  })

  test('an open channel that was silent is not given up because of the first word after it', () => {
    const mesh = new CadetWorld(172)
    const [a, b] = mesh.peers('a', 'b')
    mesh.link(a, b, { latencyMs: 200 })
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    mesh.run(2_000)
    // Whenever in the period of the reviews it comes, and even if nothing else is heard meanwhile.
    for (let n = 0; n < 20; n++) {
      mesh.run(130_000 + 250)
      opening.channel!.send(numbered(n))
      mesh.run(1_000)
      expect(opening.inbox.reason).toBeNull()
      expect(opening.inbox.numbers).toEqual(first(n + 1))
    }
  })

  test('a channel whose end the other side never heard of is found out', () => {
    const mesh = new CadetWorld(171)
    const [a, b] = mesh.peers('a', 'b')
    mesh.link(a, b)
    const listener = new Listener(b, 'echo')
    const opening = new Opening(a, b, 'echo')
    const other = new Opening(a, b, 'echo')
    mesh.run(200)
    const [before] = b.core.neighbours.values()
    const { send } = before!
    // The link loses exactly the farewell.
    const [ofA] = a.core.neighbours.values()
    const real = ofA!.send
    Object.assign(ofA!, { send: () => true })
    opening.channel!.close()
    Object.assign(ofA!, { send: real })
    expect(send).toBe(before!.send)
    mesh.run(310_000)
    expect(listener.accepted[0]!.inbox.reason?.code).toBe('CHANNEL_CLOSED')
    expect(other.inbox.reason).toBeNull()
  })
})

describe('a partition', () => {
  test('of a minute delays a channel and loses nothing', () => {
    const mesh = new CadetWorld(180)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub, { latencyMs: 10 })
    mesh.link(hub, b, { latencyMs: 10 })
    const listener = new Listener(b, 'sink')
    const opening = new Opening(a, b, 'sink')
    mesh.run(300)
    pour(opening, 300, 4_000)
    mesh.run(15)
    mesh.cut(hub, b)
    mesh.run(60_000)
    expect(opening.inbox.reason).toBeNull()
    expect(opening.channel!.path()).toBeNull()
    mesh.join(hub, b)
    expect(mesh.until(() => listener.last.inbox.numbers.length === 300, 30_000)).toBeLessThan(5_000)
    expect(listener.last.inbox.numbers).toEqual(first(300))
  })

  test('that lasts ends the channel on both sides, and after it new ones open', () => {
    const mesh = new CadetWorld(181)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    mesh.link(a, hub)
    mesh.link(hub, b)
    const listener = new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    mesh.run(300)
    mesh.cut(hub, b)
    mesh.run(130_000)
    expect(opening.inbox.reason?.code).toBe('CHANNEL_LOST')
    expect(listener.last.inbox.reason?.code).toBe('CHANNEL_LOST')
    mesh.run(600_000)
    mesh.join(hub, b)
    const after = new Opening(a, b, 'echo')
    expect(mesh.until(() => after.channel !== null, 5_000)).toBeLessThan(100)
  })
})

test('clocks that are wrong by hours change nothing', () => {
  for (const skewMs of [-7_200_000, 7_200_000]) {
    const mesh = new CadetWorld(190)
    const [a, b, hub] = mesh.peers('a', 'b', 'hub')
    b.skewMs = skewMs
    mesh.link(a, hub)
    mesh.link(hub, b)
    new Listener(b, 'echo', { echo: true })
    const opening = new Opening(a, b, 'echo')
    expect(mesh.until(() => opening.channel !== null, 1_000)).toBeLessThan(50)
    opening.channel!.send(numbered(0))
    mesh.run(20)
    expect(opening.inbox.numbers).toEqual([0])
  }
})

test('whatever happens to links and peers, a channel is whole and in order or says that it ended', () => {
  for (const seed of seeds(200, 6)) {
    const mesh = new CadetWorld(seed)
    const { random } = mesh.world
    const [a, b, one, two] = mesh.peers('a', 'b', 'one', 'two')
    for (const hub of [one, two])
      for (const end of [a, b]) mesh.link(end, hub, { latencyMs: 5 + random.below(20), loss: 0.01 })
    new Listener(b, 'echo', { echo: true })
    const openings: Opening[] = []
    const deeds = [
      () => mesh.crash(random.pick([one, two]), random.below(2_000)),
      () => {
        for (const hub of [one, two]) if (!hub.running) mesh.revive(hub)
      },
      () => mesh.cut(random.pick([a, b]), random.pick([one, two])),
      () => {
        for (const end of [a, b]) for (const hub of [one, two]) mesh.join(end, hub)
      },
      () => {
        mesh.restart(b, { clean: random.chance(0.5), awayMs: random.below(3_000) })
        new Listener(b, 'echo', { echo: true })
      },
      () => openings.push(new Opening(a, b, 'echo', [[one], [two]])),
    ]
    for (let i = 0; i < 40; i++) {
      random.pick(deeds)()
      mesh.run(random.below(1_500))
      const opening = openings.at(-1)
      if (opening?.channel && !opening.inbox.reason)
        for (let n = 0; n < 5; n++) opening.channel.send(numbered(sentOn(opening), 2_000))
    }
    for (const hub of [one, two]) if (!hub.running) mesh.revive(hub)
    for (const end of [a, b]) for (const hub of [one, two]) mesh.join(end, hub)
    mesh.run(10_000)
    for (const opening of openings) {
      expect(inOrder(opening.inbox.numbers), `SEED=${seed}`).toBe(true)
      const whole = opening.inbox.numbers.length === (sent.get(opening) ?? 0)
      const said = opening.inbox.reason !== null || opening.reason !== null
      expect(whole || said, `SEED=${seed}`).toBe(true)
    }
    const last = new Opening(a, b, 'echo')
    expect(
      mesh.until(() => last.channel !== null, 5_000),
      `SEED=${seed}`,
    ).toBeLessThan(5_000)
  }
})

const sent = new WeakMap<Opening, number>()
function sentOn(opening: Opening): number {
  const number = sent.get(opening) ?? 0
  sent.set(opening, number + 1)
  return number
}
