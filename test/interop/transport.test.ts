/** Our transport and CORE beside real daemons: 0.19.3 and 0.20.0. */

import { createServer, connect as dialSocket, type Server, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { Counters } from '../../src/base/counters.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import type { Address } from '../../src/base/stream.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import type { Neighbour, NeighbourEvents } from '../../src/mesh/core/core.ts'
import { classA, type Underlay } from '../../src/mesh/profile.ts'
import { parseHelloUrl } from '../../src/mesh/transport/legacy/hello-url.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

/** What CADET and the DHT handle: a daemon does not care for a peer that understands nothing. */
const TYPES = [158, 1000, 1001, 1002, 1003, 1007, 1008, 1009]

const sleep = (ms: number) => new Promise(resolve => setTimeout(resolve, ms))

async function until(holds: () => boolean | Promise<boolean>, ms = 20_000): Promise<number> {
  const begun = Date.now()
  while (!(await holds())) {
    if (Date.now() - begun > ms) throw new Error(`not after ${ms} ms: ${holds}`)
    await sleep(20)
  }
  return Date.now() - begun
}

class Ours implements NeighbourEvents {
  readonly underlay: Underlay
  readonly counters = new Counters()
  readonly name: string
  /** `up` and `down` with the first letters of the peer. */
  readonly story: string[] = []
  got = 0

  constructor(seed: number, listen: Address[] = []) {
    const key = SigningKey.fromSeed(new Uint8Array(32).fill(seed))
    this.name = encodeBase32(key.publicKey).slice(0, 4)
    this.underlay = classA.create({
      clock: systemClock,
      random: systemRandom,
      network: tcpNetwork,
      store: memoryStore(),
      log: silentLog,
      counters: this.counters,
      key,
      listen,
      advertise: [],
    })
    this.underlay.core.handle(TYPES, this)
  }

  async start(): Promise<this> {
    await this.underlay.start()
    return this
  }

  wants(url: string): void {
    this.underlay.want(this.underlay.introduce(url))
  }

  up(neighbour: Neighbour): void {
    this.story.push(`up ${encodeBase32(neighbour.peer).slice(0, 4)}`)
  }
  down(neighbour: Neighbour): void {
    this.story.push(`down ${encodeBase32(neighbour.peer).slice(0, 4)}`)
  }
  received(): void {
    this.got++
  }
  drained(): void {}
}

/** Stands between a device and its hub, and can fall silent as a network does that one has left. */
class Middle {
  private readonly server: Server
  private readonly pairs = new Set<[Socket, Socket]>()

  constructor(from: number, to: number) {
    this.server = createServer(near => {
      const far = dialSocket(to, '127.0.0.1')
      const pair: [Socket, Socket] = [near, far]
      this.pairs.add(pair)
      const end = () => {
        if (!this.pairs.delete(pair)) return
        near.destroy()
        far.destroy()
      }
      for (const [a, b] of [pair, [far, near] as const]) {
        a.on('data', chunk => {
          if (this.pairs.has(pair)) b.write(chunk)
        })
        a.on('close', end)
        a.on('error', end)
      }
    }).listen(from, '127.0.0.1')
  }

  /** From now on nothing passes over the connections that stand, and nobody is told. */
  abandon(): void {
    this.pairs.clear()
  }

  close(): void {
    this.server.close()
    for (const [near, far] of this.pairs) {
      near.destroy()
      far.destroy()
    }
  }
}

withEachRelease('beside GNUnet', release => {
  const lab = new Lab(release)
  const ours: Ours[] = []
  const make = (seed: number, listen: Address[] = []) => {
    const made = new Ours(seed, listen)
    ours.push(made)
    return made.start()
  }
  let url = ''
  let daemon = ''
  let middle: Middle | null = null

  beforeAll(async () => {
    await lab.up(1, 'none')
    url = await lab.hello(1)
    daemon = (await lab.id(1)).slice(0, 4)
  })
  afterEach(() => {
    for (const each of ours.splice(0)) each.underlay.close()
    middle?.close()
    middle = null
  })
  afterAll(async () => {
    try {
      await cleanUp()
    } finally {
      await lab.down()
    }
  })
  const links = () => lab.tool(1, 'gnunet-core')

  test('we dial it, and both have a session within a second', async () => {
    const device = await make(11)
    device.wants(url)
    const ms = await until(() => device.story.includes(`up ${daemon}`))
    expect(ms).toBeLessThan(1_000)
    await until(async () => (await links()).includes(`established         ${device.name}`))
    // Its DHT asks every newcomer for peers, once it has heard what we understand.
    await until(() => device.got > 0)
    const [status] = device.underlay.status()
    expect(status!.state).toBe('up')
    expect(device.story).toEqual([`up ${daemon}`])
  })

  test('its HELLO is read, ours is, and each says the same of it', async () => {
    const hub = await make(12, [{ host: '127.0.0.1', port: lab.ownPort(6) }])
    await lab.tool(1, 'gnunet-peerinfo', '-p', hub.underlay.helloUrl())
    await until(async () => (await lab.tool(1, 'gnunet-peerinfo', '-n')).includes(hub.name))
    const listed = await lab.tool(1, 'gnunet-peerinfo', '-n')
    const entry = new RegExp(
      `${hub.name}.*\\n\\s*Expires: (.+?) \\s*tcp\\.0\\.127\\.0\\.0\\.1:${lab.ownPort(6)}`,
    )
    const [, expires] = entry.exec(listed)!
    const [own] = parseHelloUrl(hub.underlay.helloUrl()).addresses
    expect(Math.abs(Date.parse(`${expires} UTC`) - own!.expiresAt)).toBeLessThan(60_000)
  })

  test('it validates our address, dials us, and has a session', async () => {
    const hub = await make(13, [{ host: '127.0.0.1', port: lab.ownPort() }])
    await lab.tool(1, 'gnunet-peerinfo', '-p', hub.underlay.helloUrl())
    await until(() => hub.story.includes(`up ${daemon}`))
    await until(async () => (await links()).includes(`established         ${hub.name}`))
    expect(hub.counters.read()['transport.ping_refused'] ?? 0).toBe(0)
  })

  test('we validate its address when another of our peers speaks of it', async () => {
    const hub = await make(14, [{ host: '127.0.0.1', port: lab.ownPort(4) }])
    const heard = await make(15, [{ host: '127.0.0.1', port: lab.ownPort(5) }])
    heard.wants(url)
    await until(() => heard.story.length > 0)
    // CORE has proved it to one of ours, which passes it on to the other.
    hub.wants(heard.underlay.helloUrl())
    await until(() => (hub.counters.read()['transport.validated'] ?? 0) > 0)
  })

  test('it restarts, and the session stands again within seconds', async () => {
    const device = await make(16)
    device.wants(url)
    await until(() => device.story.length === 1)
    await lab.stop(1)
    await until(() => device.story.length === 2)
    await lab.startAgain(1)
    const ms = await until(() => device.story.length === 3)
    expect(ms).toBeLessThan(10_000)
    expect(device.story).toEqual([`up ${daemon}`, `down ${daemon}`, `up ${daemon}`])
  })

  test('we restart, keeping our key, and the session stands again at once', async () => {
    const former = await make(17)
    former.wants(url)
    await until(() => former.story.length === 1)
    former.underlay.close()
    const device = await make(17)
    device.wants(url)
    expect(await until(() => device.story.length === 1)).toBeLessThan(5_000)
    await until(() => device.got > 0)
  })

  test('we move to another network, and are back within 20 seconds', async () => {
    middle = new Middle(lab.ownPort(2), lab.port + 1)
    const device = await make(18)
    device.wants(url.replace(`:${lab.port + 1}`, `:${lab.ownPort(2)}`))
    await until(() => device.story.length === 1)
    await until(() => device.got > 0)
    const { got } = device
    middle.abandon()
    const ms = await until(() => device.story.length === 3, 30_000)
    expect(ms).toBeLessThan(20_000)
    await until(() => device.got > got)
  })

  test('we lose power, it knows nothing of it, and we are back at once', async () => {
    middle = new Middle(lab.ownPort(2), lab.port + 1)
    const there = url.replace(`:${lab.port + 1}`, `:${lab.ownPort(2)}`)
    const former = await make(19)
    former.wants(there)
    await until(() => former.story.length === 1)
    middle.abandon()
    former.underlay.close()
    const device = await make(19)
    device.wants(there)
    expect(await until(() => device.story.length === 1)).toBeLessThan(5_000)
    await until(() => device.got > 0)
  })
})
