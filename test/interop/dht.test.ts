/** Our DHT among real daemons: 0.19.3 and 0.20.0. */

import { afterAll, beforeAll, expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import { Counters } from '../../src/base/counters.ts'
import { hashCode, type PeerId, peerId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import type { Address } from '../../src/base/stream.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { decryptRecords, deriveLabelKey } from '../../src/crypto/zone-key.ts'
import { zoneFromText } from '../../src/gns/name.ts'
import { EphemeralCore } from '../../src/mesh/core/ephemeral/ephemeral-core.ts'
import { BLOCK, legacyHelloKey, readBlock } from '../../src/mesh/dht/blocks.ts'
import { NodeDht } from '../../src/mesh/dht/dht.ts'
import { readHello } from '../../src/mesh/dht/hello.ts'
import { DHT_OPTION, type DhtBlock, type DhtQuery, type DhtResult } from '../../src/mesh/mesh.ts'
import { LegacyTransport } from '../../src/mesh/transport/legacy/transport.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { askDaemon } from './dht-client.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

const { everywhere, recordRoute, truncated } = DHT_OPTION
/** The daemons of the release under test. */
let lab: Lab

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const keyOfText = (name: string) => hashCode(sha512(utf8(name)))
const pidOf = (id: string): PeerId => peerId(decodeBase32(id.trim(), 32))

async function until<T>(get: () => T | null | undefined | false, ms = 20_000): Promise<T> {
  const deadline = Date.now() + ms
  for (;;) {
    const value = get()
    if (value) return value
    if (Date.now() > deadline) throw new Error(`nothing after ${ms} ms: ${get}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

/** Asks a daemon again and again, as its first answers may come too early. */
async function untilTool(
  pattern: RegExp,
  peer: number,
  name: string,
  ...words: string[]
): Promise<string> {
  let out = ''
  for (let i = 0; i < 8 && !pattern.test(out); i++) out = (await lab.try(peer, name, ...words)).out
  expect(out).toMatch(pattern)
  return out
}

/** A peer of ours, down from CADET. */
class Node {
  readonly key: SigningKey
  readonly self: PeerId
  readonly counters = new Counters()
  readonly transport: LegacyTransport
  readonly core: EphemeralCore
  readonly dht: NodeDht
  readonly heardOf: PeerId[] = []

  constructor(seed: number, listen: Address[] = []) {
    this.key = SigningKey.fromSeed(new Uint8Array(32).fill(seed))
    this.self = peerId(this.key.publicKey)
    const [clock, random, log] = [systemClock, systemRandom, silentLog]
    const ports = { clock, random, log, counters: this.counters, key: this.key }
    const network = { network: tcpNetwork, store: memoryStore(), listen, advertise: listen }
    this.transport = new LegacyTransport({ ...ports, ...network })
    this.core = new EphemeralCore(ports)
    const hello = {
      uris: () => (listen.length > 0 ? [this.transport.helloUrl()] : []),
      found: (peer: PeerId) => void this.heardOf.push(peer),
    }
    this.dht = new NodeDht({ ...ports, core: this.core, routes: true, hello })
  }

  async start(...hellos: string[]): Promise<this> {
    await this.transport.start(this.core.linkEvents)
    for (const hello of hellos) this.transport.want(this.transport.introduce(hello.trim()))
    await until(() => this.counters.read()['dht.neighbours'] === hellos.length)
    return this
  }

  close(): void {
    this.dht.close()
    this.transport.close()
    this.core.close()
  }

  search(query: DhtQuery): { found: DhtResult[]; close(): void } {
    const found: DhtResult[] = []
    const listening = this.dht.get(query, result => void found.push(result))
    return { found, close: () => listening.close() }
  }
}

const testBlock = (name: string, options: number = everywhere): DhtBlock => ({
  type: BLOCK.test,
  key: keyOfText(name),
  data: utf8(`data of ${name}`),
  expiresAt: Date.now() + 600_000,
  replication: 5,
  options,
})

/** A HELLO without an address: that of a peer behind NAT. */
const helloBlock = (pid: PeerId): DhtBlock => ({
  type: BLOCK.legacyHello,
  key: legacyHelloKey(pid),
  data: concat(Uint8Array.from([0, 40, 0, 17, 0, 0, 0, 0]), pid),
  expiresAt: Date.now() + 600_000,
  replication: 3,
  options: everywhere | recordRoute,
})

/** What CADET asks for to find the way to a peer. */
const announcementOf = (pid: PeerId): DhtQuery => ({
  type: BLOCK.legacyHello,
  key: legacyHelloKey(pid),
  replication: 3,
  options: everywhere | recordRoute,
})

const query = (name: string, options: number = everywhere): DhtQuery => ({
  type: BLOCK.test,
  key: keyOfText(name),
  replication: 5,
  options,
})

/** What a node found wrong; results that come too late or in a circle are not. */
const droppedBy = ({ counters }: Node): string[] =>
  Object.keys(counters.read()).filter(
    name => name.startsWith('dht.dropped') && !/unasked|circle/.test(name),
  )

const nodes: Node[] = []

withEachRelease('in a line of three real daemons, at its end', release => {
  let node: Node
  let ids: PeerId[]

  beforeAll(async () => {
    lab = new Lab(release, { seed: 'dht' })
    await lab.up(3, 'line')
    ids = await Promise.all([1, 2, 3].map(async peer => pidOf(await lab.id(peer))))
    node = await new Node(1).start(await lab.hello(1))
    nodes.push(node)
  })

  afterAll(async () => {
    for (const each of nodes.splice(0)) each.close()
    try {
      await cleanUp()
    } finally {
      await lab?.down()
    }
  })

  const daemonPut = (peer: number, name: string, ...more: string[]) =>
    lab.tool(peer, 'gnunet-dht-put', '-k', name, '-d', `data of ${name}`, '-t', '8', '-x', ...more)

  test.for([1, 2])('what daemon %i puts is got by us', async peer => {
    await daemonPut(peer, `from ${peer}`)
    const { found, close } = node.search(query(`from ${peer}`))
    await until(() => found.length > 0)
    close()
    expect(text(found[0]!.data)).toBe(`data of from ${peer}`)
  })

  test.for([1, 2])('what we put is got from daemon %i', async peer => {
    const block = testBlock(`for ${peer}`)
    node.dht.put(block)
    const words = ['-k', `for ${peer}`, '-t', '8', '-x', '-T', '3 s', '-r', '5']
    await untilTool(new RegExp(`data of for ${peer}`), peer, 'gnunet-dht-get', ...words)
  })

  test('the recorded way to a daemon two hops away leads over the first', async () => {
    await daemonPut(2, 'routed', '-R')
    const { found, close } = node.search(query('routed', everywhere | recordRoute))
    await until(() => found.length > 0)
    close()
    for (const { putPath, getPath, options } of found) {
      expect(options & truncated).toBe(0)
      expect([...putPath, ...getPath]).toEqual([ids[1], ids[0]])
    }
  })

  test('the announcement of a daemon gives the way to it', async () => {
    const wanted = announcementOf(ids[1]!)
    const { found, close } = node.search(wanted)
    await until(() => found.length > 0)
    close()
    const { data, putPath, getPath } = found[0]!
    expect([...putPath, ...getPath]).toEqual([ids[1], ids[0]])
    expect(readBlock(BLOCK.legacyHello, data, sha512(data)).key).toEqual(wanted.key)
  })

  test.for([
    [1, 0],
    [2, 1],
  ] as const)(
    'our HELLO without an address is found by daemon %i, with the way to us',
    async ([peer, hops]) => {
      node.dht.put(helloBlock(node.self))
      const [answer] = await askDaemon(lab.socket(peer, 'dht'), announcementOf(node.self))
      expect(answer).toMatchObject({ isTruncated: false, data: helloBlock(node.self).data })
      // A daemon behind this one may be the first to answer: then the way to us goes on to there.
      expect(answer!.path.slice(0, hops + 1).map(encodeBase32)).toEqual(
        [node.self, ...ids.slice(0, hops)].map(encodeBase32),
      )
    },
  )

  test('a name published by gnunet-namestore is got, verified and decrypted', async () => {
    const zone = zoneFromText(await lab.makeEgo(2, 'alice', 'PKEY'))
    const words = ['-z', 'alice', '-a', '-n', 'www', '-t', 'TXT', '-V', 'hello', '-e', '1 d', '-p']
    await lab.tool(2, 'gnunet-namestore', ...words)
    const { query: key } = deriveLabelKey(zone, 'www')
    const { found, close } = node.search({
      type: BLOCK.gns,
      key,
      replication: 10,
      options: everywhere,
    })
    await until(() => found.length > 0)
    close()
    const { data } = found[0]!
    expect(readBlock(BLOCK.gns, data, sha512(data)).isProven()).toBe(true)
    const expiry = new DataView(data.buffer, data.byteOffset).getBigUint64(104)
    expect(text(decryptRecords(zone, 'www', expiry, data.subarray(112)))).toContain('hello')
  })

  test('a second peer of ours, at the other end, is found over all three daemons', async () => {
    const far = await new Node(2).start(await lab.hello(2))
    nodes.push(far)
    far.dht.put(helloBlock(far.self))
    const { found, close } = node.search(announcementOf(far.self))
    await until(() => found.length > 0)
    close()
    const ways = found.map(({ putPath, getPath }) => [...putPath, ...getPath])
    expect(ways).toContainEqual([far.self, ids[1], ids[0]])
  })

  test('a daemon asks us for peers, and we were never wrong about anything', async () => {
    await until(() => node.counters.read()['dht.received.DHT_P2P_GET'])
    expect(droppedBy(node)).toEqual([])
  })
})

withEachRelease('as the only hub of two real daemons', release => {
  let hub: Node
  let ids: PeerId[]

  beforeAll(async () => {
    // The ends of a line refuse each other; the daemon between them makes place for us.
    lab = new Lab(release, { seed: 'dht' })
    await lab.up(3, 'line')
    await lab.stop(2)
    ids = await Promise.all([1, 3].map(async peer => pidOf(await lab.id(peer))))
    hub = new Node(3, [{ host: '127.0.0.1', port: lab.ownPort() }])
    nodes.push(hub)
    await hub.start()
    for (const peer of [1, 3])
      await lab.tool(peer, 'gnunet-peerinfo', '-p', hub.transport.helloUrl())
    await until(() => hub.counters.read()['dht.neighbours'] === 2, 60_000)
  })

  afterAll(async () => {
    for (const each of nodes.splice(0)) each.close()
    try {
      await cleanUp()
    } finally {
      await lab?.down()
    }
  })

  test.for([
    [1, 3],
    [3, 1],
  ] as const)('what daemon %i puts is got from daemon %i', async ([from, to]) => {
    const name = `over us from ${from}`
    const data = ['-d', `data of ${name}`, '-e', '600 s']
    await lab.tool(from, 'gnunet-dht-put', '-k', name, '-t', '8', '-r', '3', ...data)
    const words = ['-k', name, '-t', '8', '-T', '3 s', '-r', '3']
    await untilTool(new RegExp(`data of ${name}`), to, 'gnunet-dht-get', ...words)
    expect(hub.counters.read()['dht.sent.put'] ?? 0).toBeGreaterThan(0)
  })

  test.for([
    [1, 1],
    [3, 0],
  ] as const)('daemon %i finds the other with the way over us', async ([peer, other]) => {
    const [answer] = await askDaemon(lab.socket(peer, 'dht'), announcementOf(ids[other]!))
    expect(answer?.path.map(encodeBase32)).toEqual([ids[other]!, hub.self].map(encodeBase32))
    expect(answer?.isTruncated).toBe(false)
  })

  test('the DHT HELLO of a daemon is signed as we think, and says where it is', async () => {
    const wanted = { type: BLOCK.dhtHello, key: hashCode(sha512(ids[0]!)), replication: 3 }
    const { found, close } = hub.search({ ...wanted, options: everywhere })
    await until(() => found.length > 0)
    close()
    const { pid, uris, isSigned } = readHello(found[0]!.data)
    expect(pid).toEqual(ids[0])
    expect(uris.join()).toContain(`tcp.0.127.0.0.1:${lab.port + 1}`)
    expect(isSigned()).toBe(true)
    await until(() => hub.heardOf.length > 0)
  })

  test('our DHT HELLO is taken by a daemon, and found', async () => {
    const wanted = { type: BLOCK.dhtHello, key: hashCode(sha512(hub.self)), replication: 3 }
    const [answer] = await askDaemon(lab.socket(1, 'dht'), { ...wanted, options: everywhere })
    expect(readHello(answer!.data).uris).toEqual([hub.transport.helloUrl()])
  })

  test('nothing that the daemons said was dropped', () => {
    expect(hub.counters.read()['dht.received.DHT_P2P_GET']).toBeGreaterThan(0)
    expect(droppedBy(hub)).toEqual([])
  })
})
