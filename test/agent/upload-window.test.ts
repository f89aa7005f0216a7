/** What a client may send on a channel while somebody types beside it, and that all of it arrives. */

import { EventEmitter } from 'node:events'
import type { Client, ClientChannel, ServerChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { SshServer } from '../../agent/ssh-server.ts'
import { Typing } from '../../agent/typing.ts'
import { paceUpload } from '../../agent/upload-window.ts'
import { World } from '../sim/world.ts'
import { ended, exec, login, newServer, shell } from './ssh-fixture.ts'

const WINDOW = 2 * 1_024 * 1_024
const NARROW = 64 * 1_024
const PACKET = 32 * 1_024

/** A channel as ssh2 has it, and a client that always has more to send, over a way with one narrow place. */
class Uploading {
  readonly world = new World(1)
  readonly typing = new Typing(this.world)
  readonly channel = Object.assign(new EventEmitter(), {
    incoming: { window: WINDOW },
    outgoing: { id: 1, state: 'open' },
    readableLength: 0,
    _client: {
      _protocol: {
        channelWindowAdjust: (_: number, bytes: number) =>
          void this.world.after(this.latencyMs, () => this.granted(bytes)),
      },
    },
  })
  /** What the client knows that it may send, and what it has under way. */
  allowed = WINDOW
  underWay = 0
  arrivedBytes = 0
  private freeAt = 0
  private readonly latencyMs: number
  private readonly width: number

  constructor(latencyMs: number, width: number) {
    this.latencyMs = latencyMs
    this.width = width
    paceUpload(this.channel as unknown as ServerChannel, {
      typing: this.typing,
      clock: this.world,
    })
    this.send()
  }

  private granted(bytes: number): void {
    this.allowed += bytes
    this.send()
  }

  private send(): void {
    const { world } = this
    while (this.allowed > 0) {
      const size = Math.min(this.allowed, PACKET)
      this.allowed -= size
      this.underWay += size
      this.freeAt = Math.max(this.freeAt, world.elapsed() + this.latencyMs) + size / this.width
      world.after(this.freeAt - world.elapsed(), () => this.arrive(size))
    }
  }

  private arrive(size: number): void {
    const { incoming } = this.channel
    this.underWay -= size
    this.arrivedBytes += size
    incoming.window -= size
    // As ssh2 does by itself.
    if (incoming.window > WINDOW / 2) return
    const missing = WINDOW - incoming.window
    incoming.window += missing
    this.channel._client._protocol.channelWindowAdjust(1, missing)
  }

  /** Somebody types for so long: the most that was under way, and which part of the way was used. */
  type(ms: number): { most: number; used: number } {
    const before = this.arrivedBytes
    let most = 0
    for (let at = 0; at < ms; at += 50) {
      this.typing.typed()
      this.world.run(50)
      most = Math.max(most, this.underWay)
    }
    return { most, used: (this.arrivedBytes - before) / (this.width * ms) }
  }
}

describe('a client that sends much', () => {
  it.for([
    { latencyMs: 2, width: 9_000, most: NARROW },
    { latencyMs: 2, width: 500, most: NARROW },
    // The way itself holds 500 kB.
    { latencyMs: 50, width: 5_000, most: 900_000 },
  ])(
    'has little of $width bytes a millisecond over $latencyMs ms under way, and uses them',
    ({ latencyMs, width, most }) => {
      const client = new Uploading(latencyMs, width)
      client.world.run(2_000)
      expect(client.underWay).toBeGreaterThan(most)
      client.type((2 * WINDOW) / width + 3_000)
      const typing = client.type(20_000)
      expect(typing.most).toBeLessThanOrEqual(most)
      expect(typing.used).toBeGreaterThan(0.9)
    },
  )

  it('has all of its window again when nobody types any more', () => {
    const client = new Uploading(2, 9_000)
    client.type(3_000)
    client.world.run(4_000)
    expect(client.channel.incoming.window + client.underWay).toBeGreaterThan(WINDOW / 2)
    expect(client.underWay).toBeGreaterThan(WINDOW / 4)
    const before = client.arrivedBytes
    client.world.run(1_000)
    expect(client.arrivedBytes - before).toBeGreaterThan(0.95 * 9_000_000)
  })

  it('is not granted more while the program takes nothing, and goes on when it does', () => {
    const client = new Uploading(2, 9_000)
    client.channel.readableLength = 10 * WINDOW
    client.type(3_000)
    expect([client.underWay, client.allowed]).toEqual([0, 0])
    client.channel.readableLength = 0
    const before = client.arrivedBytes
    client.type(1_000)
    expect(client.arrivedBytes - before).toBeGreaterThan(0.8 * 9_000_000)
  })

  it('leaves nothing behind when its channel closes', () => {
    const client = new Uploading(2, 9_000)
    client.type(500)
    client.channel.outgoing.state = 'closed'
    client.channel.emit('close')
    client.typing.close()
    client.world.run(1_000)
    expect(client.world.pending).toBe(0)
  })
})

describe('a real client', () => {
  let server: SshServer
  let client: Client

  beforeEach(async () => {
    server = newServer()
    client = await login(server)
  })

  afterEach(async () => {
    client.end()
    await server.close()
  })

  /** What ssh2 keeps: how much the client may still send. */
  const mayStillSend = (channel: ClientChannel) =>
    (channel as unknown as { outgoing: { window: number } }).outgoing.window

  it('may send little while somebody types, much before and afterwards, and loses nothing', async () => {
    const bulk = await exec(client, 'while sleep 0.01; do head -c 100000; done | wc -c')
    const all = ended(bulk)
    expect(mayStillSend(bulk)).toBe(WINDOW)
    const terminal = await shell(client, { rows: 24, cols: 80 })
    terminal.resume()
    const total = 6_000_000
    const typing = setInterval(() => terminal.write('x'), 100)
    bulk.end(Buffer.alloc(total, 'x'))
    await expect.poll(() => mayStillSend(bulk), { interval: 1 }).toBeLessThan(NARROW)
    clearInterval(typing)
    const most = Math.max(
      ...(await Promise.all(
        [50, 100, 150, 200].map(
          ms => new Promise<number>(resolve => setTimeout(() => resolve(mayStillSend(bulk)), ms)),
        ),
      )),
    )
    expect(most).toBeLessThanOrEqual(WINDOW / 4)
    await expect.poll(() => mayStillSend(bulk), { timeout: 10_000 }).toBeGreaterThan(WINDOW / 2)
    terminal.close()
    bulk.close()
    await all
  })
})
