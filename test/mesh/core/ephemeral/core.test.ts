import { expect, test } from 'vitest'
import { BoxError } from '../../../../src/base/errors.ts'
import { FORGETFUL, PATIENT } from '../../../sim/nat.ts'
import { World } from '../../../sim/world.ts'
import { CHAT, chat, Member } from './member.ts'

const HUB = '198.51.100.1'
const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** A hub in the open, and a device behind a NAT that wants it; which of them begins depends on the seeds. */
async function pair(seed: number, { swap = false, loss = 0, rules = PATIENT } = {}) {
  const world = new World(seed)
  const hub = await new Member(world.host(HUB), swap ? 2 : 1, { listens: true }).start()
  const machine = world.natted('203.0.113.1', rules, { loss })
  const device = await new Member(machine, swap ? 1 : 2).start()
  device.wants(hub)
  world.run(2 * SECOND)
  return { world, hub, device }
}

/** The longest timers are those of keys; those of programs that were killed run out unheard. */
function closeAll(world: World, ...all: Member[]): void {
  for (const each of all) each.underlay.close()
  world.run(13 * HOUR)
  expect(world.pending).toBe(0)
}

test.for([false, true])(
  'two peers speak in private, whoever has to begin (swapped: %s)',
  async swap => {
    const { world, hub, device } = await pair(1, { swap })
    expect([hub.story, device.story]).toEqual([['up'], ['up']])
    device.neighbour!.send(chat(100, 1))
    hub.neighbour!.send(chat(63 * 1024, 2))
    world.run(SECOND)
    expect(hub.got).toEqual([chat(100, 1)])
    expect(device.got).toEqual([chat(63 * 1024, 2)])
    expect(device.underlay.status()).toMatchObject([{ address: `${HUB}:2086`, state: 'up' }])
    closeAll(world, hub, device)
    expect([hub.story, device.story]).toEqual([
      ['up', 'down'],
      ['up', 'down'],
    ])
  },
)

test('the first message, sent from within `up`, arrives', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new World(seed)
    const hub = await new Member(world.host(HUB), seed, { listens: true }).start()
    const device = await new Member(world.natted('203.0.113.1'), seed + 100).start()
    for (const each of [hub, device]) {
      const { up } = each
      each.up = neighbour => {
        up.call(each, neighbour)
        neighbour.send(chat(8, seed))
      }
    }
    device.wants(hub)
    world.run(2 * SECOND)
    expect([hub.got, device.got], `seed ${seed}`).toEqual([[chat(8, seed)], [chat(8, seed)]])
    closeAll(world, hub, device)
  }
})

test('knows what the neighbour understands, once it has said so', async () => {
  const world = new World(2)
  const hub = await new Member(world.host(HUB), 1, { listens: true, types: [CHAT, 158] }).start()
  const device = await new Member(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(2 * SECOND)
  expect([CHAT, 158, 17, 322].map(type => device.neighbour!.understands(type))).toEqual([
    true,
    true,
    true,
    false,
  ])
  expect(hub.neighbour!.understands(158)).toBe(false)
  closeAll(world, hub, device)
})

test('what is sent in one turn travels as one', async () => {
  const { world, hub, device } = await pair(3)
  world.run(MINUTE)
  const before = device.machine.world.steps
  for (let i = 0; i < 50; i++) device.neighbour!.send(chat(40, i))
  world.run(200)
  expect(hub.got).toHaveLength(50)
  expect(hub.got.every((message, i) => message[4] === i)).toBe(true)
  expect(device.machine.world.steps - before).toBeLessThan(10)
  closeAll(world, hub, device)
})

test('stays up for two days, with new keys every half of one, and loses nothing over it', async () => {
  for (const swap of [false, true]) {
    const { world, hub, device } = await pair(4, { swap, rules: FORGETFUL })
    const hours = 48
    for (let i = 0; i < hours; i++) {
      world.run(HOUR)
      device.neighbour!.send(chat(16, i))
      hub.neighbour!.send(chat(16, i))
    }
    world.run(SECOND)
    expect([hub.story, device.story]).toEqual([['up'], ['up']])
    expect([hub.got.length, device.got.length]).toEqual([hours, hours])
    expect(hub.count('core.rekeyed') + device.count('core.rekeyed')).toBeGreaterThan(5)
    expect(hub.count('core.not_genuine') + device.count('core.not_genuine')).toBe(0)
    closeAll(world, hub, device)
  }
})

/** When, after `pair`, the first of the two changes its key. */
async function firstRekeyAfter(seed: number): Promise<number> {
  const { world, hub, device } = await pair(seed)
  world.run(10 * HOUR)
  let ms = 10 * HOUR
  while (hub.count('core.rekeyed') + device.count('core.rekeyed') === 0) {
    world.run(SECOND)
    ms += SECOND
  }
  return ms
}

test('messages under way while keys change arrive, in order', async () => {
  const rekeyMs = await firstRekeyAfter(5)
  const { world, hub, device } = await pair(5)
  world.run(rekeyMs - 2 * SECOND)
  for (let i = 0; i < 250; i++) {
    device.neighbour!.send(chat(16, i))
    hub.neighbour!.send(chat(16, i))
    world.run(12)
  }
  expect(hub.count('core.rekeyed') + device.count('core.rekeyed')).toBe(1)
  world.run(SECOND)
  const expected = Array.from({ length: 250 }, (_, i) => i)
  for (const { got, story } of [hub, device]) {
    expect(got.map(message => message[4])).toEqual(expected)
    expect(story).toEqual(['up'])
  }
  closeAll(world, hub, device)
})

test.for([
  ['device', false],
  ['device', true],
  ['hub', false],
  ['hub', true],
] as const)(
  'when the %s restarts (swapped: %s) the other side is told at once',
  async ([who, swap]) => {
    const { world, hub, device } = await pair(6, { swap })
    const [victim, witness] = who === 'hub' ? [hub, device] : [device, hub]
    victim.machine.kill()
    victim.machine.restart()
    const seed = (who === 'hub') !== swap ? 1 : 2
    const reborn = await new Member(victim.machine, seed, { listens: who === 'hub' }).start()
    if (who === 'device') reborn.wants(hub)
    world.run(3 * SECOND)
    expect(witness.story).toEqual(['up', 'down', 'up'])
    witness.neighbour!.send(chat(8, 1))
    reborn.neighbour!.send(chat(8, 2))
    world.run(SECOND)
    expect([reborn.got, witness.got]).toEqual([[chat(8, 1)], [chat(8, 2)]])
    closeAll(world, witness, reborn)
  },
)

test('after a loss of power the hub learns of it from the first key of the new life', async () => {
  const { world, hub, device } = await pair(7)
  device.machine.crash()
  world.run(SECOND)
  device.machine.restart()
  const reborn = await new Member(device.machine, 2).start()
  reborn.wants(hub)
  world.run(2 * SECOND)
  expect([hub.story, reborn.story]).toEqual([['up', 'down', 'up'], ['up']])
  hub.neighbour!.send(chat(8, 1))
  world.run(SECOND)
  expect(reborn.got).toEqual([chat(8, 1)])
  closeAll(world, hub, reborn)
})

test('survives a day of a line that loses a tenth of all packets', async () => {
  const { world, hub, device } = await pair(8, { loss: 0.1 })
  world.run(24 * HOUR)
  expect(device.neighbour).not.toBeNull()
  const missed = device.story.filter(word => word === 'down').length
  expect(missed).toBeLessThan(5)
  closeAll(world, hub, device)
})

test.for([-HOUR * 24, -HOUR, HOUR, HOUR * 24])(
  'with a clock that is wrong by %d ms no session stands, and one line says why',
  async errorMs => {
    const world = new World(9)
    const hub = await new Member(world.host(HUB), 1, { listens: true }).start()
    const machine = world.natted('203.0.113.1')
    machine.jumpClock(errorMs)
    const device = await new Member(machine, 2).start()
    device.wants(hub)
    world.run(5 * MINUTE)
    // A clock that is slow by less than a key lives is no reason to refuse the key of the slow one.
    expect(hub.neighbour ?? device.neighbour).toBeNull()
    const warnings = [...hub.warnings, ...device.warnings]
    expect(warnings.length).toBeGreaterThan(0)
    expect(hub.warnings.length).toBeLessThanOrEqual(1)
    expect(device.warnings.length).toBeLessThanOrEqual(1)
    expect(hub.count('core.clock_differs') + device.count('core.clock_differs')).toBeGreaterThan(1)
    // Set right, it takes no more than the next attempt.
    machine.jumpClock(-errorMs)
    world.run(30 * SECOND)
    expect([hub.neighbour, device.neighbour]).not.toContain(null)
    closeAll(world, hub, device)
  },
)

test('clocks that differ by four minutes disturb nobody, keys included', async () => {
  const { world, hub, device } = await pair(10)
  device.machine.jumpClock(4 * MINUTE)
  world.run(25 * HOUR)
  hub.machine.jumpClock(8 * MINUTE)
  world.run(25 * HOUR)
  device.neighbour!.send(chat(8, 1))
  world.run(SECOND)
  expect(hub.got).toEqual([chat(8, 1)])
  expect([hub.story, device.story]).toEqual([['up'], ['up']])
  closeAll(world, hub, device)
})

test('a clock that is set a year ahead ends the session, which stands again when it is right', async () => {
  const { world, hub, device } = await pair(11)
  const year = 365 * 24 * HOUR
  device.machine.jumpClock(year)
  hub.neighbour!.send(chat(8, 1))
  world.run(MINUTE)
  expect(device.neighbour).toBeNull()
  device.machine.jumpClock(-year)
  world.run(30 * SECOND)
  expect(device.neighbour).not.toBeNull()
  closeAll(world, hub, device)
})

test('a handler that finds a message bad costs that message, and nothing else', async () => {
  const { world, hub, device } = await pair(12)
  hub.onMessage = (_, message) => {
    if (message[4] === 1) throw new BoxError('WIRE_MALFORMED')
  }
  for (const fill of [0, 1, 2]) device.neighbour!.send(chat(8, fill))
  world.run(SECOND)
  expect(hub.got.map(message => message[4])).toEqual([0, 1, 2])
  expect(hub.count('core.refused')).toBe(1)
  expect(hub.story).toEqual(['up'])
  closeAll(world, hub, device)
})

test('messages nobody handles are counted, and no one is harmed', async () => {
  const { world, hub, device } = await pair(13)
  device.neighbour!.send(chat(8, 0, 4711))
  device.neighbour!.send(chat(8, 1))
  world.run(SECOND)
  expect(hub.count('core.unhandled')).toBe(1)
  expect(hub.got).toEqual([chat(8, 1)])
  closeAll(world, hub, device)
})

test('holds the sender back where the line is slow, and lets it go on', async () => {
  const world = new World(14)
  const hub = await new Member(world.host(HUB), 1, { listens: true }).start()
  const machine = world.host('203.0.113.1', { bytesPerSecond: 1_000_000 })
  const device = await new Member(machine, 2).start()
  device.wants(hub)
  world.run(2 * SECOND)
  let sent = 0
  const go = () => {
    while (sent < 300) if (!device.neighbour!.send(chat(20_000, sent++ & 0xff))) return
  }
  device.drained = go
  go()
  expect(sent).toBeLessThan(300)
  world.run(MINUTE)
  expect(hub.got).toHaveLength(300)
  expect(hub.got.every((message, i) => message[4] === (i & 0xff))).toBe(true)
  expect(device.count('core.dropped_backlog')).toBe(0)
  closeAll(world, hub, device)
})

test('what is sent to a neighbour that is gone goes nowhere', async () => {
  const { world, hub, device } = await pair(15)
  const former = device.neighbour!
  hub.machine.kill()
  hub.machine.restart()
  const reborn = await new Member(hub.machine, 1, { listens: true }).start()
  world.run(5 * SECOND)
  expect(former.send(chat(8, 1))).toBe(true)
  world.run(SECOND)
  expect(reborn.got).toEqual([])
  closeAll(world, device, reborn)
})

test('peers hear of each other from the hub they have in common', async () => {
  const world = new World(16)
  const hub = await new Member(world.host(HUB), 1, { listens: true }).start()
  const second = await new Member(world.host('198.51.100.2'), 3, { listens: true }).start()
  hub.wants(second)
  world.run(MINUTE)
  const device = await new Member(world.natted('203.0.113.1'), 2).start()
  device.wants(hub)
  world.run(2 * MINUTE)
  expect(device.underlay.core.neighbours.size).toBe(2)
  closeAll(world, hub, second, device)
})
