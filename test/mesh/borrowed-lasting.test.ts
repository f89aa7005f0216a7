import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { hashCode } from '../../src/base/ids.ts'
import type { Log } from '../../src/base/log.ts'
import { borrowMesh, keepBorrowing } from '../../src/mesh/borrowed.ts'
import { wordsOf } from '../../src/mesh/loan/words.ts'
import { type Channel, DHT_OPTION, type Mesh } from '../../src/mesh/mesh.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom as random } from '../../src/sys/random.ts'
import { listenUnix } from '../../src/sys/unix-socket.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import {
  closingCompliance,
  framed,
  Inbox,
  meshCompliance,
  type Pair,
  portOf,
} from '../compliance/mesh.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'
import { at, type Lending, lend, socketPath } from './lender.ts'

const PORT = portOf('a service')
const numbered = (n: number, size: number): Uint8Array => framed(new Uint8Array(size).fill(n))

/** Two lenders, and whoever borrows from each. */
async function pair(borrow: (socket: string) => Promise<Mesh | null>): Promise<Pair> {
  const fakes = new FakeNet({ clock, random, latencyMs: 0 })
  const [one, other] = [fakes.peer(), fakes.peer()]
  const lenders = await Promise.all([one, other].map(peer => lend(socketPath(), peer)))
  const [left, right] = await Promise.all(lenders.map(({ path: socket }) => borrow(socket)))
  left!.introduce(other.hello())
  while ([left, right].some(mesh => mesh!.status().neighbours.length === 0))
    await new Promise<void>(resolve => void clock.after(5, resolve))
  return {
    left: left!,
    right: right!,
    via: [],
    within: (promise, ms) =>
      Promise.race([
        promise,
        new Promise<never>((_resolve, reject) => {
          clock.after(ms, () => reject(new Error(`not within ${ms} ms`)))
        }),
      ]),
    pass: ms => new Promise(resolve => void clock.after(ms, resolve)),
    close: async () => {
      for (const each of lenders) each.close()
      one.stop()
      other.stop()
    },
  }
}

meshCompliance('a borrowed mesh', () => pair(socket => borrowMesh(at(socket))))
closingCompliance('a borrowed mesh', () => pair(socket => borrowMesh(at(socket))))
meshCompliance('a mesh that is always borrowed', () => pair(socket => keepBorrowing(at(socket))))
closingCompliance('a mesh that is always borrowed', () => pair(socket => keepBorrowing(at(socket))))

describe('a mesh that is always borrowed', () => {
  const notes: string[] = []
  const log: Log = { note: (_level, area, event) => void notes.push(`${area}: ${event}`) }
  let net: FakeNet
  let lent: FakeMesh
  let far: FakeMesh
  let path: string
  let lending: Lending
  let always: Mesh

  beforeEach(async () => {
    net = new FakeNet({ clock, random, latencyMs: 0 })
    lent = net.peer()
    far = net.peer()
    far.listen(PORT, () => {})
    path = socketPath()
    lending = await lend(path, lent)
    notes.length = 0
    always = await keepBorrowing(at(path, log))
  })
  afterEach(async () => {
    await always.close()
    lending.close()
    lent.stop()
    far.stop()
  })

  test('goes on with the next lender: ports, hubs, questions and neighbours', async () => {
    const served: Channel[] = []
    always.listen(PORT, channel => void served.push(channel))
    always.introduce(far.hello())
    const key = hashCode(random.bytes(64))
    const query = { type: 8, key, replication: 5, options: DHT_OPTION.everywhere }
    const seen: string[] = []
    always.watch({ up: () => seen.push('up'), down: () => seen.push('down') })
    await expect.poll(() => seen).toEqual(['up'])
    const channel = await always.connect(far.self, PORT)
    const inbox = new Inbox()
    channel.attach(inbox)
    const found: Uint8Array[] = []
    always.dht.get(query, ({ data }) => void found.push(data.slice()))

    lending.close()
    lent.stop()
    await expect.poll(() => seen).toEqual(['up', 'down'])
    expect(inbox.reason?.code).toBe('CHANNEL_LOST')
    await expect(always.connect(far.self, PORT)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
    expect(always.status().troubles).toMatchObject([{ kind: 'service' }])
    always.dht.put({ ...query, data: random.bytes(4), expiresAt: clock.now() + 60_000 })
    always.listen(portOf('while it is away'), () => {})

    lent = net.peer(lent.self)
    lending = await lend(path, lent)
    await expect.poll(() => seen).toEqual(['up', 'down', 'up'])
    expect(always.status()).toMatchObject({ troubles: [], about: `lent at ${path}` })
    await far.connect(lent.self, PORT)
    await far.connect(lent.self, portOf('while it is away'))
    await expect.poll(() => served.length).toBe(1)
    far.dht.put({ ...query, data: random.bytes(5), expiresAt: clock.now() + 60_000 })
    await expect.poll(() => found.map(({ length }) => length)).toEqual([5])
    expect(notes).toEqual(['mesh: the lender is gone', 'mesh: the lender is back'])
  })

  test('knows when the next lender is another peer', async () => {
    lending.close()
    const other = net.peer()
    await expect.poll(() => notes).toEqual(['mesh: the lender is gone'])
    lending = await lend(path, other)
    await expect.poll(() => always.self).toEqual(other.self)
    await expect
      .poll(() => always.status().troubles?.map(({ kind }) => kind))
      .toEqual(['identity-changed'])
    other.stop()
  })

  test('serves what comes for it, and lets go of what it does not want', async () => {
    const echoed: Channel[] = []
    always.listen(PORT, channel => {
      if (echoed.length > 0) channel.close()
      else echoed.push(channel)
    })
    await always.connect(far.self, PORT) // By then it listens.
    const first = await far.connect(lent.self, PORT)
    const inbox = new Inbox()
    first.attach(inbox)
    first.send(numbered(3, 40))
    await expect.poll(() => echoed.length).toBe(1)
    const echo = new Inbox()
    echoed[0]!.attach(echo)
    echoed[0]!.send(numbered(4, 50))
    await echo.until(() => echo.messages.length === 1)
    await inbox.until(() => inbox.messages.length === 1)
    expect([echo.messages, inbox.messages]).toEqual([[numbered(3, 40)], [numbered(4, 50)]])
    expect(echoed[0]!.path()).toEqual([lent.self, far.self])
    const second = await far.connect(lent.self, PORT)
    const ended = new Inbox()
    second.attach(ended)
    await ended.until(() => ended.reason !== null)
  })

  test('waits for the first lender, and says when there is none', async () => {
    const later = socketPath()
    const waiting = keepBorrowing(at(later))
    await new Promise(resolve => setTimeout(resolve, 20))
    const late = await lend(later, lent)
    const borrowed = await waiting
    expect(borrowed.self).toEqual(lent.self)
    await borrowed.close()
    late.close()
    const world = new World(1)
    const nobody = keepBorrowing({ ...at(`${path}.none`), clock: world.host('198.51.100.1').clock })
    await expect(world.until(nobody, 120_000)).rejects.toMatchObject({ code: 'MESH_ABSENT' })
  })

  test('is unharmed by a lender that talks nonsense', async () => {
    const socket = socketPath()
    const [greeting] = [{ loan: 2, version: 'x', self: encodeBase32(lent.self) }]
    const status = { engine: 'embedded', neighbours: [], tunnels: [], counters: {} }
    const well = { status, hello: 'x' }
    const lies: object[] = [
      { status: { engine: 7 } },
      { ...well, offer: -1 },
      { ...well, offer: 1, port: 'x', peer: 'x', path: 3 },
      { ...well, status: { ...well.status, tunnels: [{ peer: 'x' }] } },
      { ...well, status: { ...well.status, counters: { x: 'y' } } },
      [{ loan: 99 }],
    ]
    let told = 0
    const mad = await listenUnix(socket, stream => {
      const lie = lies[told++]
      const said = Array.isArray(lie) ? lie : [greeting, lie ?? well]
      for (const words of said) stream.write(wordsOf(words))
      if (!lie) stream.write(numbered(1, 8))
      return { opened: () => {}, received: () => {}, drained: () => {}, closed: () => {} }
    })
    const borrowed = await keepBorrowing(at(socket))
    await expect.poll(() => told, { timeout: 10_000 }).toBeGreaterThan(lies.length)
    await expect.poll(() => borrowed.status().troubles).toMatchObject([{ kind: 'service' }])
    const trying = borrowed.connect(far.self, PORT)
    await expect(trying).rejects.toBeInstanceOf(BoxError)
    await borrowed.close()
    mad.close()
  })
})
