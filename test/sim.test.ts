import { describe, expect, test } from 'vitest'
import { concat } from '../src/base/bytes.ts'
import type { BoxError } from '../src/base/errors.ts'
import type { Address, Stream, StreamEvents } from '../src/base/stream.ts'
import type { Machine } from './sim/machine.ts'
import { FORGETFUL, Nat, PATIENT } from './sim/nat.ts'
import { seededRandom } from './sim/random.ts'
import { World } from './sim/world.ts'

const SERVER = '198.51.100.1'
const AT: Address = { host: SERVER, port: 2086 }

/** Writes down all that a stream tells its owner. */
class Owner implements StreamEvents {
  stream: Stream | null = null
  readonly chunks: Uint8Array[] = []
  readonly story: string[] = []
  get got(): Uint8Array {
    return concat(...this.chunks)
  }
  opened(): void {
    this.story.push('opened')
  }
  received(chunk: Uint8Array): void {
    this.chunks.push(chunk)
  }
  drained(): void {
    this.story.push('drained')
  }
  closed(error: Error | null): void {
    this.story.push(error ? (error as BoxError).code : 'closed')
  }
}

/** A server that keeps whoever comes. */
function serve(machine: Machine, accepted: (owner: Owner) => void = () => {}): Owner[] {
  const owners: Owner[] = []
  void machine.network().listen({ host: '0.0.0.0', port: AT.port }, stream => {
    const owner = new Owner()
    owner.stream = stream
    owners.push(owner)
    accepted(owner)
    return owner
  })
  return owners
}

function call(machine: Machine, to: Address = AT): Owner {
  const owner = new Owner()
  owner.stream = machine.network().dial(to, owner)
  return owner
}

/** A server in the open, a client behind a NAT, and a connection between them. */
function pair(world: World, rules = PATIENT) {
  const server = world.host(SERVER)
  const client = world.natted('203.0.113.1', rules)
  const accepted = serve(server)
  const near = call(client)
  world.run(1_000)
  return { server, client, near, far: accepted[0]! }
}

const text = (value: string) => new TextEncoder().encode(value)

describe('a stream', () => {
  test('opens from behind a NAT, is seen under the outer address, and nobody can dial back', () => {
    const world = new World(1)
    const { server, client, near, far } = pair(world)
    serve(client)
    expect(near.story).toEqual(['opened'])
    expect(near.stream!.local.host).toBe('192.168.1.2')
    expect(far.stream!.remote.host).toBe('203.0.113.1')
    const back = call(server, far.stream!.remote)
    world.run(20_000)
    expect(back.story).toEqual(['PEER_TIMEOUT'])
  })

  test('is refused where nobody listens, and times out where nobody is', () => {
    const world = new World(1)
    world.host(SERVER)
    const client = world.host('198.51.100.2')
    const [refused, nobody] = [call(client), call(client, { host: '198.51.100.9', port: 1 })]
    world.run(9_000)
    expect(refused.story).toEqual(['PEER_UNREACHABLE'])
    expect(nobody.story).toEqual([])
    world.run(2_000)
    expect(nobody.story).toEqual(['PEER_TIMEOUT'])
  })

  test('joins two machines inside one NAT by their inner addresses', () => {
    const world = new World(1)
    const home = new Nat('203.0.113.1', PATIENT)
    const [a, b] = [world.machine(home), world.machine(home)]
    const accepted = serve(b)
    const caller = call(a, { host: b.address, port: AT.port })
    world.run(1_000)
    expect(caller.story).toEqual(['opened'])
    expect(accepted[0]!.stream!.remote.host).toBe(a.address)
  })

  test('delivers every byte in order whatever the loss, in chunks of its own', () => {
    const first = Number(process.env.SEED ?? 1)
    for (let seed = first; seed < first + Number(process.env.SEEDS ?? 50); seed++) {
      const world = new World(seed)
      const accepted = serve(world.host(SERVER, { loss: 0.05 }))
      const client = world.host('198.51.100.2', { loss: 0.05 })
      const caller = call(client)
      const sent: Uint8Array[] = []
      for (let i = 0; i < 200; i++)
        world.after(i * 20 + world.random.below(60), () => {
          const part = world.random.bytes(1 + world.random.below(3_000))
          sent.push(part)
          caller.stream!.write(part)
        })
      world.run(120_000)
      const [{ got, chunks }] = accepted as [Owner]
      expect(Buffer.compare(got, concat(...sent)), `SEED=${seed} SEEDS=1`).toBe(0)
      expect(chunks.some(chunk => !sent.some(part => part.length === chunk.length))).toBe(true)
    }
  })

  test('says what was written first when it closes, and both sides learn of the end', () => {
    const world = new World(1)
    const { near, far } = pair(world)
    near.stream!.write(text('last words'))
    near.stream!.close()
    near.stream!.write(text('too late'))
    world.run(10_000)
    expect(new TextDecoder().decode(far.got)).toBe('last words')
    expect(far.story).toEqual(['closed'])
    expect(near.story).toEqual(['opened', 'closed'])
    expect(world.pending).toBe(0)
  })

  test('holds the writer back while the reader does not read', () => {
    const world = new World(1)
    const { near, far } = pair(world)
    far.stream!.pause()
    const part = new Uint8Array(10_000)
    let written = 0
    while (near.stream!.write(part)) written += part.length
    world.run(60_000)
    expect(written).toBeLessThan(300_000)
    expect(far.got).toHaveLength(0)
    expect(near.story).toEqual(['opened'])
    far.stream!.resume()
    world.run(60_000)
    expect(far.got).toHaveLength(written + part.length)
    expect(near.story).toEqual(['opened', 'drained'])
  })

  test('is no faster than the slower line', () => {
    const world = new World(1)
    const accepted = serve(world.host(SERVER, { bytesPerSecond: 100_000 }))
    const caller = call(world.host('198.51.100.2'))
    world.run(1_000)
    for (let i = 0; i < 20; i++) caller.stream!.write(new Uint8Array(10_000))
    world.run(1_000)
    const soFar = accepted[0]!.got.length
    expect(soFar).toBeGreaterThan(80_000)
    expect(soFar).toBeLessThan(110_000)
    world.run(2_000)
    expect(accepted[0]!.got).toHaveLength(200_000)
  })
})

describe('trouble', () => {
  test('an idle connection is forgotten by the NAT: reset for the inner side, silence for the outer', () => {
    const world = new World(1)
    const { near, far } = pair(world, FORGETFUL)
    world.run(FORGETFUL.idleMs + 1_000)
    far.stream!.write(text('are you there?'))
    world.run(60_000)
    expect([near.got.length, ...near.story]).toEqual([0, 'opened'])
    near.stream!.write(text('hello?'))
    world.run(1_000)
    expect(near.story).toEqual(['opened', 'CHANNEL_LOST'])
    expect(far.story).toEqual([])
    world.run(1_000_000)
    expect(far.story).toEqual(['CHANNEL_LOST'])
    expect(world.pending).toBe(0)
  })

  test('a connection in use is not forgotten', () => {
    const world = new World(1)
    const { near, far } = pair(world, FORGETFUL)
    for (let i = 0; i < 10; i++) {
      world.run(FORGETFUL.idleMs - 1_000)
      near.stream!.write(text('.'))
    }
    world.run(1_000)
    expect(far.got).toHaveLength(10)
  })

  test('what was written during a short partition arrives after it; a long one ends the connection', () => {
    for (const [minutes, story] of [
      [5, []],
      [30, ['CHANNEL_LOST']],
    ] as const) {
      const world = new World(1)
      const { server, client, near, far } = pair(world)
      const partition = world.partition([server], [client])
      near.stream!.write(text('one'))
      const other = call(client)
      world.run(minutes * 60_000)
      expect(far.got).toHaveLength(0)
      expect(other.story).toEqual(['PEER_TIMEOUT'])
      partition.heal()
      world.run(130_000)
      expect(near.story).toEqual(['opened', ...story])
      expect(far.got).toHaveLength(story.length === 0 ? 3 : 0)
    }
  })

  test('who loses power says nothing: silence while it is off, a reset once it is on again', () => {
    const world = new World(1)
    const { server, near } = pair(world)
    let late = false
    server.clock.after(5_000, () => {
      late = true
    })
    server.crash()
    near.stream!.write(text('hello?'))
    world.run(10_000)
    expect(near.story).toEqual(['opened'])
    server.restart()
    world.run(30_000)
    expect(near.story).toEqual(['opened', 'CHANNEL_LOST'])
    expect(late).toBe(false)
    const again = call(world.host('198.51.100.99'))
    world.run(1_000)
    expect(again.story).toEqual(['PEER_UNREACHABLE'])
  })

  test('the system ends the connections of a process that was killed', () => {
    const world = new World(1)
    const { server, near, far } = pair(world)
    server.kill()
    world.run(6_000)
    expect(near.story).toEqual(['opened', 'closed'])
    expect(far.story).toEqual([])
    expect(server.ends.size + world.pending).toBe(0)
  })

  test('who moves keeps its listeners and loses its connections without a word', () => {
    const world = new World(1)
    const server = world.host(SERVER)
    const client = world.natted('203.0.113.1')
    const accepted = serve(server)
    const near = call(client)
    world.run(1_000)
    client.move(new Nat('203.0.113.7', PATIENT))
    near.stream!.write(text('lost'))
    accepted[0]!.stream!.write(text('lost'))
    world.run(60_000)
    expect([near.story, accepted[0]!.story]).toEqual([['opened'], []])
    expect(accepted[0]!.got.length + near.got.length).toBe(0)
    const again = call(client)
    world.run(1_000)
    expect(again.story).toEqual(['opened'])
    expect(accepted[1]!.stream!.remote.host).toBe('203.0.113.7')
    server.move('198.51.100.77')
    const moved = call(client, { host: '198.51.100.77', port: AT.port })
    world.run(1_000)
    expect(moved.story).toEqual(['opened'])
  })

  test('clocks are wrong each in its own way, and durations are not', () => {
    const world = new World(1)
    const [a, b] = [world.host('198.51.100.1'), world.host('198.51.100.2')]
    a.jumpClock(-3_600_000)
    const before = a.clock.elapsed()
    world.run(500)
    a.jumpClock(60_000)
    expect(b.clock.now() - a.clock.now()).toBe(3_540_000)
    expect(a.clock.elapsed() - before).toBe(500)
    let at = 0
    a.clock.after(250, () => {
      at = world.elapsed()
    })
    world.run(1_000)
    expect(at).toBe(750)
  })
})

describe('the world', () => {
  /** Everything that happens on a bad day of three machines. */
  function story(seed: number): string {
    const world = new World(seed, { trace: true })
    const server = world.host(SERVER, { loss: 0.1 })
    serve(server, owner => {
      for (let i = 0; i < 5; i++) owner.stream!.write(world.random.bytes(2_000))
    })
    const clients = ['203.0.113.1', '203.0.113.2'].map(at => world.natted(at, FORGETFUL))
    for (const client of clients) call(client)
    world.after(500 + world.random.below(1_000), () => server.kill())
    world.run(60_000)
    return world.log.join('\n')
  }

  test('replays a seed exactly, and differs between seeds', () => {
    expect(story(7)).toContain('connects')
    expect(story(7)).toBe(story(7))
    expect(story(7)).not.toBe(story(8))
  })

  test('runs events by time, then by order of scheduling, and never the cancelled ones', () => {
    const random = seededRandom(5)
    const world = new World(1)
    const expected: number[][] = []
    const ran: number[][] = []
    for (let i = 0; i < 5_000; i++) {
      const at = random.below(500)
      const timer = world.after(at, () => ran.push([at, i]))
      if (random.chance(0.7)) timer.cancel()
      else expected.push([at, i])
    }
    expect(world.pending).toBe(expected.length)
    world.run(1_000)
    expect(ran).toEqual(expected.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!))
    expect(world.pending).toBe(0)
  })

  test('carries code that awaits', async () => {
    const world = new World(1)
    serve(world.host(SERVER), owner => {
      owner.received = chunk => void owner.stream!.write(chunk)
    })
    const client = world.natted('203.0.113.1')
    const ask = (n: number) =>
      new Promise<number>(resolve => {
        const owner = call(client)
        owner.received = chunk => resolve(chunk[0]!)
        owner.stream!.write(Uint8Array.of(n))
      })
    const sum = async () => (await ask(3)) + (await ask(4))
    expect(await world.until(sum(), 1_000)).toBe(7)
    await expect(world.until(new Promise(() => {}), 1_000)).rejects.toThrow('still waiting')
    let passed = 0
    const wait = async () => {
      for (; passed < 3; passed++) await new Promise<void>(resolve => world.after(100, resolve))
    }
    void wait()
    await world.pass(1_000)
    expect(passed).toBe(3)
  })
})
