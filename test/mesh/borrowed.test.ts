import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { hashCode, peerId } from '../../src/base/ids.ts'
import { borrowMesh } from '../../src/mesh/borrowed.ts'
import { wordsOf } from '../../src/mesh/loan/words.ts'
import { type Channel, DHT_OPTION, MESSAGE_SIZE_MAX, type Mesh } from '../../src/mesh/mesh.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { systemRandom as random } from '../../src/sys/random.ts'
import { dialUnix } from '../../src/sys/unix-socket.ts'
import { framed, Inbox, portOf } from '../compliance/mesh.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { at, type Lending, lend, socketPath } from './lender.ts'

const PORT = portOf('a service')

let net: FakeNet
let lent: FakeMesh
let far: FakeMesh
let lending: Lending
let path: string
let mesh: Mesh
let accepted: Channel[]

beforeEach(async () => {
  net = new FakeNet({ clock, random, latencyMs: 0 })
  lent = net.peer()
  far = net.peer()
  accepted = []
  far.listen(PORT, channel => void accepted.push(channel))
  path = socketPath()
  lending = await lend(path, lent)
  mesh = (await borrowMesh(at(path)))!
})
afterEach(async () => {
  await mesh.close()
  lending.close()
  lent.stop()
  far.stop()
})

async function opened() {
  const near = await mesh.connect(far.self, PORT)
  const inboxes = { near: new Inbox(), far: new Inbox() }
  near.attach(inboxes.near)
  accepted.at(-1)!.attach(inboxes.far)
  return { near, far: accepted.at(-1)!, inboxes }
}

const numbered = (n: number, size: number): Uint8Array => framed(new Uint8Array(size).fill(n))

/** Sends all, waiting where it is asked to. */
async function sendAll(channel: Channel, inbox: Inbox, messages: readonly Uint8Array[]) {
  for (const message of messages) {
    if (channel.send(message)) continue
    await new Promise<void>(resolve => {
      inbox.drained = resolve
    })
  }
}

describe('a borrowed peer', () => {
  test('is the peer that lends itself, with its neighbours', async () => {
    expect(mesh.self).toEqual(lent.self)
    expect(mesh.hello()).toBe(lent.hello())
    expect(mesh.status().neighbours).toEqual([])
    const seen: string[] = []
    mesh.watch({ up: () => seen.push('up'), down: () => seen.push('down') })
    mesh.introduce(far.hello())
    await expect.poll(() => mesh.status().neighbours.length).toBe(1)
    far.stop()
    await expect.poll(() => seen).toEqual(['up', 'down'])
  })

  test('carries messages of every size in both directions, each once and in order', async () => {
    const { near, far, inboxes } = await opened()
    expect(near.path()).toEqual([lent.self, near.peer])
    const sizes = [0, 1, 1_000, 60_000, MESSAGE_SIZE_MAX - 4]
    const messages = Array.from({ length: 100 }, (_, n) => numbered(n, sizes[n % 5]!))
    await Promise.all([sendAll(near, inboxes.near, messages), sendAll(far, inboxes.far, messages)])
    for (const inbox of [inboxes.near, inboxes.far]) {
      await inbox.until(() => inbox.messages.length === messages.length)
      expect(inbox.messages.map(({ length }) => length)).toEqual(
        messages.map(({ length }) => length),
      )
      expect(Buffer.concat(inbox.messages).equals(Buffer.concat(messages))).toBe(true)
    }
  })

  test('holds both sides back: who sends, and who is to be read', async () => {
    const { near, far, inboxes } = await opened()
    for (const [from, to, inbox] of [
      [near, far, inboxes.far],
      [far, near, inboxes.near],
    ] as const) {
      to.pause()
      let taken = 0
      let room = true
      for (; room && taken < 2_000; taken++) {
        room = from.send(numbered(taken, 30_000))
        await new Promise(resolve => setImmediate(resolve))
      }
      expect(room).toBe(false)
      expect(inbox.messages.length).toBeLessThan(taken)
      to.resume()
      await inbox.until(() => inbox.messages.length === taken)
    }
  })

  test('keeps what comes before somebody attaches, also where it has ended by then', async () => {
    const near = await mesh.connect(far.self, PORT)
    accepted[0]!.attach(new Inbox())
    for (const n of [1, 2]) accepted[0]!.send(numbered(n, 8))
    await new Promise(resolve => setTimeout(resolve, 50))
    const inbox = new Inbox()
    near.attach(inbox)
    await inbox.until(() => inbox.messages.length === 2)
    expect(inbox.messages).toEqual([numbered(1, 8), numbered(2, 8)])
  })

  test('tells each side how the other has ended', async () => {
    const one = await opened()
    one.near.close()
    await one.inboxes.far.until(() => one.inboxes.far.reason !== null)
    expect([one.inboxes.far.reason?.code, one.inboxes.near.reason]).toEqual([
      'CHANNEL_CLOSED',
      null,
    ])
    expect(one.near.send(numbered(1, 8))).toBe(false)
    const two = await opened()
    two.far.close()
    await two.inboxes.near.until(() => two.inboxes.near.reason !== null)
    expect(two.inboxes.near.reason?.code).toBe('CHANNEL_CLOSED')
  })

  test('fails as the peer does, and gives up when told to, with the reason it was given', async () => {
    const nobody = peerId(random.bytes(32))
    await expect(mesh.connect(nobody, PORT)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
    const abort = new AbortController()
    const trying = mesh.connect(far.self, portOf('nothing'), { signal: abort.signal })
    const reason = new Error('changed my mind')
    abort.abort(reason)
    await expect(trying).rejects.toBe(reason)
    await expect(mesh.connect(far.self, PORT, { signal: abort.signal })).rejects.toBe(reason)
  })

  test('refuses what a channel must not carry', async () => {
    const { near } = await opened()
    const forbidden = numbered(0, 0)
    forbidden[2] = 0
    forbidden[3] = 1
    for (const bad of [forbidden, new Uint8Array(2), numbered(0, 8).subarray(0, 9)])
      expect(() => near.send(bad)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  })

  test('finds in the DHT what others put, and puts what others find', async () => {
    const key = hashCode(random.bytes(64))
    const query = { type: 8, key, replication: 5, options: DHT_OPTION.everywhere }
    const data = random.bytes(200)
    const expiresAt = clock.now() + 60_000
    const found = (by: Mesh) =>
      new Promise<Uint8Array>(resolve => {
        const asking = by.dht.get(query, result => {
          asking.close()
          resolve(result.data.slice())
        })
      })
    mesh.dht.put({ ...query, data, expiresAt })
    expect(await found(far)).toEqual(data)
    expect(await found(mesh)).toEqual(data)
  })

  test('ends with the one that lends it', async () => {
    const { inboxes } = await opened()
    await mesh.close()
    expect(inboxes.near.reason?.code).toBe('ENGINE_CLOSED')
    await expect(mesh.connect(far.self, PORT)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})

describe('whoever lends', () => {
  test('is unharmed by nonsense on the socket', async () => {
    for (const bytes of [
      new Uint8Array(9),
      wordsOf({ do: 'nonsense' }),
      wordsOf({ do: 'connect', peer: 'x', port: 7 }),
      Buffer.concat([wordsOf({ do: 'mesh' }), wordsOf({ put: { key: 1 } })]),
      Buffer.concat([wordsOf({ do: 'mesh' }), wordsOf({ introduce: 7, dismiss: 'x' })]),
      Buffer.concat([wordsOf({ do: 'mesh' }), numbered(1, 8)]),
      wordsOf({ do: 'accept', offer: 1 }),
      numbered(1, 8),
    ])
      await new Promise<void>(resolve => {
        const stream = dialUnix(path, {
          opened: () => void stream.write(bytes),
          received: () => {},
          drained: () => {},
          closed: () => resolve(),
        })
      })
    const { near } = await opened()
    expect(near.path()).not.toBeNull()
  })

  test('is alone, and is not waited for where there is none', async () => {
    await expect(lend(path, lent)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' })
    expect(await borrowMesh(at(`${path}.none`))).toBeNull()
  })
})
