/**
 * What any Mesh must do. Run by each engine with a way to make two peers that can reach each other;
 * the promises are those of src/mesh/mesh.ts.
 */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { hashCode, type PeerId, type PortId, peerId, portId } from '../../src/base/ids.ts'
import type { Channel, ChannelEvents, ConnectOptions, Mesh } from '../../src/mesh/mesh.ts'
import { DHT_OPTION, MESSAGE_SIZE_MAX } from '../../src/mesh/mesh.ts'

/** Two peers that can reach each other, and what makes their time pass. */
export interface Pair {
  readonly left: Mesh
  readonly right: Mesh
  /** How left reaches right: hops between them. */
  readonly via: readonly PeerId[]
  /** Waits for `promise`, at most `ms` of the peers' time. */
  within<T>(promise: Promise<T>, ms: number): Promise<T>
  /** Lets time pass. */
  pass(ms: number): Promise<void>
  /** Ends whatever carries the two, after they were closed. */
  close(): Promise<void>
}

const TYPE = 0xbdf0
const TEST_BLOCK = 8

export const portOf = (name: string): PortId =>
  portId(new Uint8Array(createHash('sha512').update(name).digest()))

/** A whole GNUnet message around `body`. */
export function framed(body: Uint8Array): Uint8Array {
  const raw = new Uint8Array(4 + body.length)
  new DataView(raw.buffer).setUint16(0, raw.length)
  new DataView(raw.buffer).setUint16(2, TYPE)
  raw.set(body, 4)
  return raw
}

const numbered = (n: number, size = 4): Uint8Array => {
  const body = new Uint8Array(Math.max(4, size)).fill(n & 0xff)
  new DataView(body.buffer).setUint32(0, n)
  return framed(body)
}
const numberOf = (message: Uint8Array): number =>
  new DataView(message.buffer, message.byteOffset).getUint32(4)

/** A channel whose messages can be awaited. */
export class Inbox implements ChannelEvents {
  readonly messages: Uint8Array[] = []
  reason: BoxError | null = null
  private wake: (() => void)[] = []

  message(message: Uint8Array): void {
    this.messages.push(message.slice())
    this.stir()
  }
  drained(): void {
    this.stir()
  }
  closed(reason: BoxError): void {
    this.reason = reason
    this.stir()
  }
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>(resolve => this.wake.push(resolve))
  }
  private stir(): void {
    const wake = this.wake
    this.wake = []
    for (const resolve of wake) resolve()
  }
}

interface Ends {
  readonly near: Channel
  readonly far: Channel
  readonly nearIn: Inbox
  readonly farIn: Inbox
}

export function meshCompliance(name: string, open: () => Promise<Pair>): void {
  describe(`${name} keeps the promises of a mesh`, () => {
    let pair: Pair
    let ports = 0
    beforeAll(async () => {
      pair = await open()
    })
    afterAll(async () => {
      await Promise.all([pair.left.close(), pair.right.close()])
      await pair.close()
    })

    const options = (more: ConnectOptions = {}): ConnectOptions => ({ via: [pair.via], ...more })

    /** A fresh channel from left to right, both ends attached. */
    async function ends(): Promise<Ends> {
      const port = portOf(`${name} ${ports++}`)
      const accepted = new Promise<Channel>(resolve => {
        const listening = pair.right.listen(port, channel => {
          listening.close()
          resolve(channel)
        })
      })
      const near = await pair.within(pair.left.connect(pair.right.self, port, options()), 30_000)
      const far = await pair.within(accepted, 30_000)
      const [nearIn, farIn] = [new Inbox(), new Inbox()]
      near.attach(nearIn)
      far.attach(farIn)
      return { near, far, nearIn, farIn }
    }

    async function sendAll(from: Channel, inbox: Inbox, messages: readonly Uint8Array[]) {
      for (const message of messages) {
        if (from.send(message)) continue
        await new Promise<void>(resolve => {
          const before = inbox.drained
          inbox.drained = () => {
            inbox.drained = before
            resolve()
          }
        })
      }
    }

    test('knows who is at the other end, and by which way', async () => {
      const { near, far } = await ends()
      expect(near.peer).toEqual(pair.right.self)
      expect(far.peer).toEqual(pair.left.self)
      const path = near.path()
      expect(path?.[0]).toEqual(pair.left.self)
      expect(path?.at(-1)).toEqual(pair.right.self)
      near.close()
    })

    test('carries messages of every size in both directions, each once and in order', async () => {
      const { near, far, nearIn, farIn } = await ends()
      const sizes = [4, 5, 64, 1_000, 1_024, 32_768, 60_000, MESSAGE_SIZE_MAX - 4]
      const messages = Array.from({ length: 200 }, (_, n) => numbered(n, sizes[n % sizes.length]!))
      const sending = Promise.all([sendAll(near, nearIn, messages), sendAll(far, farIn, messages)])
      await pair.within(sending, 120_000)
      for (const inbox of [nearIn, farIn]) {
        await pair.within(
          inbox.until(() => inbox.messages.length >= messages.length),
          60_000,
        )
        expect(inbox.messages.map(numberOf)).toEqual(messages.map((_, n) => n))
        expect(inbox.messages.map(message => message.length)).toEqual(messages.map(m => m.length))
      }
      near.close()
    })

    test('holds the sender back while the receiver has not attached or is paused', async () => {
      const { near, nearIn, far, farIn } = await ends()
      far.pause()
      let taken = 0
      let open = true
      while (open && taken < 5_000) open = near.send(numbered(taken++, 30_000))
      expect(open, 'back-pressure shows within 5,000 messages').toBe(false)
      await pair.pass(2_000)
      expect(farIn.messages.length).toBeLessThan(taken)
      far.resume()
      await pair.within(
        farIn.until(() => farIn.messages.length === taken),
        120_000,
      )
      expect(farIn.messages.map(numberOf)).toEqual(Array.from({ length: taken }, (_, n) => n))
      near.close()
      expect(nearIn.reason).toBeNull()
    })

    test('keeps what arrives before attach for the one who attaches', async () => {
      const port = portOf(`${name} ${ports++}`)
      const accepted = new Promise<Channel>(resolve => pair.right.listen(port, resolve))
      const near = await pair.within(pair.left.connect(pair.right.self, port, options()), 30_000)
      near.attach(new Inbox())
      near.send(numbered(1))
      near.send(numbered(2))
      const far = await pair.within(accepted, 30_000)
      await pair.pass(500)
      const inbox = new Inbox()
      far.attach(inbox)
      await pair.within(
        inbox.until(() => inbox.messages.length === 2),
        10_000,
      )
      expect(inbox.messages.map(numberOf)).toEqual([1, 2])
      near.close()
    })

    test('tells the other side of a close, and only the other side', async () => {
      const { near, nearIn, farIn } = await ends()
      near.close()
      near.close()
      await pair.within(
        farIn.until(() => farIn.reason !== null),
        10_000,
      )
      expect(farIn.reason).toBeInstanceOf(BoxError)
      expect(farIn.reason?.code).toBe('CHANNEL_CLOSED')
      expect(nearIn.reason).toBeNull()
      expect(near.send(numbered(1))).toBe(false)
    })

    test('carries many channels to the same port beside one another', async () => {
      const port = portOf(`${name} ${ports++}`)
      const listening = pair.right.listen(port, channel => {
        channel.attach({
          message: message => void channel.send(message),
          drained: () => {},
          closed: () => {},
        })
      })
      const one = async (n: number) => {
        const channel = await pair.left.connect(pair.right.self, port, options())
        const inbox = new Inbox()
        channel.attach(inbox)
        channel.send(numbered(n))
        await inbox.until(() => inbox.messages.length === 1)
        channel.close()
        return numberOf(inbox.messages[0]!)
      }
      const all = Promise.all(Array.from({ length: 20 }, (_, n) => one(n)))
      expect(await pair.within(all, 60_000)).toEqual(Array.from({ length: 20 }, (_, n) => n))
      listening.close()
    })

    test('opens channels from either side', async () => {
      const port = portOf(`${name} ${ports++}`)
      const accepted = new Promise<Channel>(resolve => pair.left.listen(port, resolve))
      const back = { via: [[...pair.via].reverse()] }
      const far = await pair.within(pair.right.connect(pair.left.self, port, back), 30_000)
      const near = await pair.within(accepted, 30_000)
      const inbox = new Inbox()
      far.attach(inbox)
      near.attach(new Inbox())
      near.send(numbered(7))
      await pair.within(
        inbox.until(() => inbox.messages.length === 1),
        10_000,
      )
      far.close()
    })

    test('refuses a second listener on a port, and frees it on close', () => {
      const port = portOf(`${name} ${ports++}`)
      const first = pair.right.listen(port, () => {})
      expect(() => pair.right.listen(port, () => {})).toThrow(
        expect.objectContaining({ code: 'ADDRESS_IN_USE' }),
      )
      first.close()
      pair.right.listen(port, () => {}).close()
    })

    test('refuses messages that are none, or of type 1, or too large', async () => {
      const { near } = await ends()
      const agpl = framed(new Uint8Array(0))
      new DataView(agpl.buffer).setUint16(2, 1)
      const wrong = framed(new Uint8Array(8))
      new DataView(wrong.buffer).setUint16(0, 99)
      const large = framed(new Uint8Array(MESSAGE_SIZE_MAX - 3))
      for (const bad of [agpl, wrong, large, new Uint8Array(2)])
        expect(() => near.send(bad)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
      near.close()
    })

    test('gives up when told to, with the reason it was given', async () => {
      const nobody = peerId(new Uint8Array(createHash('sha256').update('nobody').digest()))
      const abort = new AbortController()
      const trying = pair.left.connect(nobody, portOf('nothing'), { signal: abort.signal })
      const reason = new Error('changed my mind')
      abort.abort(reason)
      await expect(pair.within(trying, 5_000)).rejects.toBe(reason)
    })

    test('finds in the DHT what the other put there', async () => {
      if (!pair.left.dht || !pair.right.dht) return
      const key = hashCode(new Uint8Array(createHash('sha512').update(name).digest()))
      const data = new TextEncoder().encode(`a block of ${name}`)
      const expiresAt = Number.MAX_SAFE_INTEGER / 1_000
      pair.right.dht.put({
        type: TEST_BLOCK,
        key,
        data,
        expiresAt: Math.floor(expiresAt),
        replication: 5,
        options: DHT_OPTION.everywhere,
      })
      const found = new Promise<Uint8Array>(resolve => {
        const query = pair.left.dht.get(
          { type: TEST_BLOCK, key, replication: 5, options: DHT_OPTION.everywhere },
          result => {
            query.close()
            resolve(result.data.slice())
          },
        )
      })
      expect(await pair.within(found, 60_000)).toEqual(data)
    })

    test('reports its neighbours and tunnels', async () => {
      const { near } = await ends()
      const status = pair.left.status()
      expect(status.neighbours.length).toBeGreaterThan(0)
      expect(status.tunnels.map(tunnel => [...tunnel.peer])).toContainEqual([...pair.right.self])
      near.close()
    })
  })
}

/** What ends with the engine; run with a pair of its own, since it closes both. */
export function closingCompliance(name: string, open: () => Promise<Pair>): void {
  test(`${name} ends every channel and every call when it is closed`, async () => {
    const pair = await open()
    const port = portOf(`${name} closing`)
    const accepted = new Promise<Channel>(resolve => pair.right.listen(port, resolve))
    const near = await pair.within(
      pair.left.connect(pair.right.self, port, { via: [pair.via] }),
      30_000,
    )
    const far = await pair.within(accepted, 30_000)
    const [nearIn, farIn] = [new Inbox(), new Inbox()]
    near.attach(nearIn)
    far.attach(farIn)
    await pair.within(pair.left.close(), 10_000)
    expect(nearIn.reason?.code).toBe('ENGINE_CLOSED')
    await pair.within(
      farIn.until(() => farIn.reason !== null),
      400_000,
    )
    expect(farIn.reason?.family).toBe('unreachable')
    await expect(pair.left.connect(pair.right.self, port)).rejects.toMatchObject({
      code: 'ENGINE_CLOSED',
    })
    await pair.right.close()
    await pair.close()
  })
}
