/**
 * Our CADET among unmodified daemons (0.19.3 and 0.20.0) and their `gnunet-cadet`: both roles, both orders
 * of pids, direct, over a real daemon, and as the relay between two of them.
 */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compareBytes } from '../../src/base/bytes.ts'
import { type PeerId, type PortId, peerId, portId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp, type Program } from './program.ts'

const SEED = 'cadet'

/** `gnunet-cadet` wraps what it reads in messages of this type (GNUNET_MESSAGE_TYPE_CADET_CLI). */
const CLI = 1_059
/** Peers 1 and 2 are neighbours; 3 and 4 know nobody. */
const DAEMONS = 4

/** The lab derives the keys of its peers from the seed. */
const nameOf = (daemon: number): string => {
  const seed = createHash('sha256').update(`${SEED} ${daemon}`).digest()
  return encodeBase32(SigningKey.fromSeed(new Uint8Array(seed)).publicKey)
}
const portOf = (name: string): PortId =>
  portId(new Uint8Array(createHash('sha512').update(name).digest()))

function wrapped(text: string | Uint8Array): Uint8Array {
  const body = Buffer.from(text as string)
  const raw = new Uint8Array(4 + body.length)
  const view = new DataView(raw.buffer)
  view.setUint16(0, raw.length)
  view.setUint16(2, CLI)
  raw.set(body, 4)
  return raw
}

/** One end of a channel that collects what `gnunet-cadet` says. */
class Talk {
  readonly channel: Channel
  readonly hash = createHash('sha256')
  text = ''
  bytes = 0
  closed = false
  onDrained: () => void = () => {}

  constructor(channel: Channel) {
    this.channel = channel
    channel.attach({
      message: raw => {
        this.bytes += raw.length - 4
        this.hash.update(raw.subarray(4))
        if (this.bytes < 10_000) this.text += Buffer.from(raw.subarray(4)).toString()
      },
      drained: () => this.onDrained(),
      closed: () => {
        this.closed = true
      },
    })
  }

  async until(holds: (talk: Talk) => boolean, ms = 20_000): Promise<void> {
    const deadline = Date.now() + ms
    while (!holds(this)) {
      if (Date.now() > deadline) throw new Error(`only ${this.bytes} bytes: ${this.text}`)
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }

  /** Sends all of `data` in messages of 50 kB, as fast as the channel takes them. */
  async pour(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += 50_000) {
      if (this.channel.send(wrapped(data.subarray(at, at + 50_000)))) continue
      await new Promise<void>(resolve => {
        this.onDrained = resolve
      })
    }
  }
}

const meshes: EmbeddedMesh[] = []
/** The daemons of the release under test. */
let lab: Lab

async function linked(mesh: EmbeddedMesh, count: number): Promise<void> {
  const up = () => mesh.status().neighbours.filter(({ state }) => state === 'up').length
  for (let i = 0; i < 1_000 && up() < count; i++) await new Promise(r => setTimeout(r, 10))
  expect(up()).toBeGreaterThanOrEqual(count)
}

async function start(seed: Uint8Array, hubs: string[], port?: number): Promise<EmbeddedMesh> {
  const store = memoryStore()
  store.set('peer-seed', seed)
  const mesh = await createEmbedded({
    ...{ clock: systemClock, random: systemRandom, network: tcpNetwork, log: silentLog, store },
    hubs,
    listen: port ? [{ host: '127.0.0.1', port }] : [],
  })
  meshes.push(mesh)
  await linked(mesh, hubs.length)
  return mesh
}

/** A stock `gnunet-cadet`. */
const stock = (daemon: number, ...words: string[]): Program =>
  lab.start(daemon, 'gnunet-cadet', ...words)

const write = (program: Program, text: string | Uint8Array) => void program.child.stdin!.write(text)

/** A seed whose pid comes before, or after, those of all daemons. */
function seedFor(
  order: 'smaller' | 'larger',
  daemons: readonly PeerId[],
  round: number,
): Uint8Array {
  for (let n = round * 5_000; ; n++) {
    const seed = new Uint8Array(createHash('sha256').update(`cadet ${n}`).digest())
    const pid = SigningKey.fromSeed(seed).publicKey
    const fits = daemons.every(daemon => compareBytes(pid, daemon) < 0 === (order === 'smaller'))
    if (fits) return seed
  }
}

/** What a stock client at a daemon and our listener say to each other. */
async function stockReachesUs(mesh: EmbeddedMesh, daemon: number, name: string): Promise<Talk> {
  const accepted = new Promise<Talk>(resolve => {
    const listening = mesh.listen(portOf(name), channel => {
      listening.close()
      resolve(new Talk(channel))
    })
  })
  const client = stock(daemon, encodeBase32(mesh.self), name)
  write(client, `hello from ${daemon}\n`)
  const talk = await accepted
  await talk.until(({ text }) => text === `hello from ${daemon}\n`)
  talk.channel.send(wrapped('welcome\n'))
  await client.until(/welcome/)
  client.kill()
  await talk.until(({ closed }) => closed)
  return talk
}

/** What our client and a stock listener at a daemon say to each other. */
async function weReachStock(
  mesh: EmbeddedMesh,
  daemon: number,
  pid: PeerId,
  name: string,
): Promise<number> {
  const listener = stock(daemon, '-o', name)
  await new Promise(resolve => setTimeout(resolve, 200))
  const since = Date.now()
  const talk = new Talk(await mesh.connect(pid, portOf(name)))
  const took = Date.now() - since
  talk.channel.send(wrapped('knock knock\n'))
  await listener.until(/knock knock/)
  write(listener, 'who is there\n')
  await talk.until(({ text }) => text === 'who is there\n')
  talk.channel.close()
  listener.kill()
  return took
}

withEachRelease('among real daemons', release => {
  let ids: PeerId[]

  beforeAll(async () => {
    // They would tell each other their addresses, and need no hub any more.
    const refusing = (daemon: number, other: number) =>
      `[transport-blacklist-${nameOf(daemon)}]\n${nameOf(other)} =\n`
    const configuration = { 3: refusing(3, 4), 4: refusing(4, 3) }
    lab = new Lab(release, { seed: SEED, minimal: true, configuration })
    await lab.up(DAEMONS, 'none')
    await lab.link(1, 2)
    await lab.linked(1, 1)
    const numbers = Array.from({ length: DAEMONS }, (_, at) => at + 1)
    const all = await Promise.all(numbers.map(number => lab.id(number)))
    ids = all.map(id => peerId(decodeBase32(id, 32)))
  })

  afterAll(async () => {
    try {
      await Promise.all(meshes.splice(0).map(mesh => mesh.close()))
    } finally {
      await cleanUp()
      await lab?.down()
    }
  })

  describe.for(['smaller', 'larger'] as const)('with a pid %s than theirs', order => {
    let mesh: EmbeddedMesh
    beforeAll(async () => {
      mesh = await start(seedFor(order, ids, 0), [await lab.hello(1)])
    })
    afterAll(() => mesh.close())

    test.for([1, 2])('gnunet-cadet at daemon %i reaches our listener', async daemon => {
      await stockReachesUs(mesh, daemon, `ours ${order} ${daemon}`)
    })

    test.for([1, 2])('we reach gnunet-cadet -o at daemon %i', async daemon => {
      await weReachStock(mesh, daemon, ids[daemon - 1]!, `theirs ${order} ${daemon}`)
    })

    test('we reach it over the way we name, and know that way', async () => {
      const name = `via ${order}`
      const listener = stock(2, '-o', name)
      await new Promise(resolve => setTimeout(resolve, 200))
      const channel = await mesh.connect(ids[1]!, portOf(name), { via: [[ids[0]!]] })
      expect(channel.path()).toEqual([mesh.self, ids[0], ids[1]])
      channel.close()
      listener.kill()
    })

    test('ten megabytes arrive whole, in both directions, over a daemon', async () => {
      const data = new Uint8Array(10_000_000)
      for (let at = 0; at < data.length; at++) data[at] = (at * 7 + (at >> 8)) & 0xff
      const sum = createHash('sha256').update(data).digest('hex')
      const name = `bulk ${order}`
      const accepted = new Promise<Talk>(resolve => {
        mesh.listen(portOf(name), channel => resolve(new Talk(channel)))
      })
      const client = stock(2, encodeBase32(mesh.self), name)
      write(client, data)
      const talk = await accepted
      await talk.until(({ bytes }) => bytes === data.length, 60_000)
      expect(talk.hash.digest('hex')).toBe(sum)
      client.child.stdout!.removeAllListeners('data')
      const back = createHash('sha256')
      let got = 0
      client.child.stdout!.on('data', (chunk: Buffer) => {
        got += chunk.length
        back.update(chunk)
      })
      await talk.pour(data)
      for (let i = 0; i < 6_000 && got < data.length; i++)
        await new Promise(resolve => setTimeout(resolve, 10))
      expect(got).toBe(data.length)
      expect(back.digest('hex')).toBe(sum)
      client.kill()
    })

    test.for([1, 2])('after our restart we reach daemon %i again within seconds', async daemon => {
      const seed = seedFor(order, ids, daemon)
      const hub = await lab.hello(1)
      const before = await start(seed, [hub])
      await weReachStock(before, daemon, ids[daemon - 1]!, `before ${order} ${daemon}`)
      await before.close()
      const after = await start(seed, [hub])
      const took = await weReachStock(after, daemon, ids[daemon - 1]!, `after ${order} ${daemon}`)
      expect(took).toBeLessThan(5_000)
      await after.close()
    })
  })

  test('two daemons that know only our hub reach each other over it', async () => {
    const hub = await start(new Uint8Array(32).fill(77), [], lab.ownPort())
    for (const daemon of [3, 4]) await lab.tool(daemon, 'gnunet-peerinfo', '-p', hub.hello())
    await linked(hub, 2)
    await new Promise(resolve => setTimeout(resolve, 2_000))
    const listener = stock(4, '-o', 'over us')
    const client = stock(3, encodeBase32(ids[3]!), 'over us')
    write(client, 'through the hub\n')
    await listener.until(/through the hub/)
    write(listener, 'and back\n')
    await client.until(/and back/)
    const { counters } = hub.status()
    expect(counters['cadet.routes']).toBeGreaterThan(0)
    expect(counters['cadet.relayed']).toBeGreaterThan(5)
    client.kill()
    listener.kill()
  })
})
