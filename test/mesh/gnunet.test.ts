import { expect, test } from 'vitest'
import { hashCode } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { createGnunet } from '../../src/mesh/gnunet.ts'
import { KEEP_PORT } from '../../src/mesh/ipc/keeper.ts'
import {
  ChannelAck,
  ChannelCreate,
  ChannelData,
  ChannelDestroy,
  DhtGet,
  DhtPut,
  DhtResultMessage,
  PortClose,
  PortOpen,
} from '../../src/mesh/ipc/messages.ts'
import { DHT_OPTION } from '../../src/mesh/mesh.ts'
import { messageType } from '../../src/wire/dispatch.ts'
import { framed, Inbox } from '../compliance/mesh.ts'
import {
  accepted,
  attach,
  bytesOf,
  OTHER,
  opened,
  PORT,
  peerOf,
  rig,
  started,
  THEIRS,
} from './ipc/attached.ts'
import type { FakeDaemon } from './ipc/fake-daemon.ts'

test('is the peer that CORE says it is, of the class that the sockets tell', async () => {
  const { mesh } = await started()
  expect(mesh.self).toEqual(peerOf('self'))
  expect(mesh.status()).toMatchObject({
    engine: 'gnunet',
    about: 'GNUnet 0.19 to 0.20, wire class A, /etc/box.conf',
    troubles: [],
  })
})

test.for([
  ['ENOENT', 'GNUNET_ABSENT', /\/run\/gnunet\/gnunet-service-core\.sock/],
  ['ECONNREFUSED', 'GNUNET_ABSENT', /\/run\/gnunet\/gnunet-service-core\.sock/],
  ['EACCES', 'GNUNET_FORBIDDEN', /group gnunet may use it: usermod -aG gnunet/],
] as const)('a socket that says %s is told as %s, with what to do', async ([door, code, text]) => {
  const { world, daemon } = rig()
  daemon.core.door = door
  await expect(attach(world, daemon)).rejects.toMatchObject({
    code,
    family: 'setup',
    message: expect.stringMatching(text),
  })
})

test('a service that says nothing, and a daemon that is too old, are told', async () => {
  const silent = rig()
  silent.daemon.core.answer = () => {}
  await expect(attach(silent.world, silent.daemon)).rejects.toMatchObject({ code: 'GNUNET_SILENT' })
  const old = rig()
  old.daemon.version = '0.14.1'
  await expect(attach(old.world, old.daemon)).rejects.toMatchObject({ code: 'GNUNET_TOO_OLD' })
  const { world, daemon } = rig()
  daemon.files.clear()
  await expect(attach(world, daemon)).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
})

test('sends no more than it has licences for, and holds the sender back', async () => {
  const all = await started()
  const { world, daemon } = all
  const [channel, number] = await opened(all)
  const inbox = new Inbox()
  channel.attach(inbox)
  let taken = 0
  while (channel.send(framed(Uint8Array.of(taken++))) && taken < 100);
  await world.pass(10)
  expect(daemon.cadet.of(ChannelData)).toHaveLength(4)
  expect(taken).toBe(12)
  let drained = false
  inbox.drained = () => {
    drained = true
  }
  for (let i = 0; i < 8; i++) daemon.cadet.say(ChannelAck.encode({ channel: number }))
  await world.pass(10)
  expect(drained).toBe(true)
  const sent = daemon.cadet.of(ChannelData).map(({ payload }) => payload[4])
  expect(sent).toEqual(Array.from({ length: 12 }, (_, n) => n))
})

test('allows the service one more message only when one was taken', async () => {
  const all = await started()
  const { world, daemon } = all
  const channel = await accepted(all)
  const say = (n: number) =>
    daemon.cadet.say(ChannelData.encode({ channel: THEIRS, payload: framed(Uint8Array.of(n)) }))
  say(1)
  await world.pass(10)
  expect(daemon.cadet.of(ChannelAck)).toHaveLength(0)
  const inbox = new Inbox()
  channel.attach(inbox)
  await world.pass(10)
  expect(daemon.cadet.of(ChannelAck)).toEqual([{ channel: THEIRS }])
  channel.pause()
  say(2)
  await world.pass(1_000)
  expect(daemon.cadet.of(ChannelAck)).toHaveLength(1)
  channel.resume()
  await world.pass(10)
  expect(inbox.messages.map(message => message[4])).toEqual([1, 2])
  expect(daemon.cadet.of(ChannelAck)).toHaveLength(2)
})

test('a channel that the other side ends is over, after what had come', async () => {
  const all = await started()
  const { world, daemon } = all
  const channel = await accepted(all)
  daemon.cadet.say(ChannelData.encode({ channel: THEIRS, payload: framed(Uint8Array.of(1)) }))
  daemon.cadet.say(ChannelDestroy.encode({ channel: THEIRS }))
  await world.pass(10)
  const inbox = new Inbox()
  channel.attach(inbox)
  expect(inbox.messages).toHaveLength(1)
  expect(inbox.reason?.code).toBe('CHANNEL_CLOSED')
  expect(channel.send(framed(new Uint8Array(1)))).toBe(false)
})

test('when CADET is lost, channels end, ports open again, and what waits is asked again', async () => {
  const all = await started()
  const { world, daemon, mesh } = all
  const [channel] = await opened(all)
  const inbox = new Inbox()
  channel.attach(inbox)
  mesh.listen(PORT, () => {})
  const waiting = mesh.connect(peerOf('third'), PORT)
  await world.pass(10)
  daemon.cadet.heard.length = 0
  daemon.cadet.door = 'ECONNREFUSED'
  daemon.cadet.hangUp()
  await world.pass(10)
  expect(inbox.reason?.code).toBe('CHANNEL_LOST')
  expect(inbox.reason?.message).toContain('The GNUnet daemon is gone.')
  expect(mesh.status().troubles).toEqual([
    expect.objectContaining({ kind: 'service', detail: expect.stringContaining('cadet') }),
  ])
  await world.pass(10_000)
  daemon.cadet.door = 'open'
  await world.pass(6_000)
  const ports = daemon.cadet.of(PortOpen).map(({ port }) => port)
  expect(ports).toEqual(expect.arrayContaining([PORT, KEEP_PORT]))
  const asked = daemon.cadet.of(ChannelCreate).at(-1)!
  expect(asked.peer).toEqual(peerOf('third'))
  daemon.cadet.say(ChannelAck.encode({ channel: asked.channel }))
  expect((await world.until(waiting, 1_000)).peer).toEqual(peerOf('third'))
  expect(mesh.status().troubles).toEqual([])
})

test.for(['core', 'cadet', 'dht', 'peerinfo'] as const)(
  'whatever %s says, the engine goes on',
  async name => {
    const { world, daemon, mesh } = await started()
    for (let round = 0; round < 60; round++) {
      const noise = world.random.bytes(world.random.below(200))
      // Half of it looks like messages, of types that mean something.
      if (noise.length >= 4 && world.random.chance(0.5)) {
        const view = new DataView(noise.buffer)
        view.setUint16(0, noise.length)
        view.setUint16(2, world.random.pick([65, 79, 1020, 1021, 1024, 1025, 1037, 1040, 145, 332]))
      }
      daemon[name].say(noise)
      await world.pass(10_000)
    }
    expect(mesh.status().engine).toBe('gnunet')
    expect(daemon[name].connections.size).toBeGreaterThan(0)
  },
)

test('a CADET that hangs is told, and no longer when it answers again', async () => {
  const { world, daemon, mesh } = await started()
  const { answer } = daemon.cadet
  daemon.cadet.answer = () => {}
  await world.pass(60_000)
  expect(mesh.status().troubles).toMatchObject([
    { kind: 'service', detail: expect.stringContaining('cadet') },
  ])
  daemon.cadet.answer = answer
  await world.pass(60_000)
  expect(mesh.status().troubles).toEqual([])
})

test('a frame that is too short makes the connection anew', async () => {
  const { world, daemon, mesh } = await started()
  const [before] = daemon.core.connections
  before!.say(Uint8Array.of(0, 3, 0, 65))
  await world.pass(1_000)
  expect(daemon.core.connections.has(before!)).toBe(false)
  expect(daemon.core.connections.size).toBe(1)
  expect(mesh.status().counters['ipc.malformed.core']).toBe(1)
})

test('a payload that is no message ends its channel and no other', async () => {
  const all = await started()
  const { world, daemon } = all
  const [other] = await opened(all)
  const bad = await accepted(all)
  const [inbox, still] = [new Inbox(), new Inbox()]
  bad.attach(inbox)
  other.attach(still)
  const large = new Uint8Array(65_000)
  for (const payload of [large, new Uint8Array(2)])
    daemon.cadet.say(ChannelData.encode({ channel: THEIRS, payload }))
  await world.pass(10)
  expect(inbox.reason?.code).toBe('CHANNEL_LOST')
  expect(inbox.messages).toEqual([])
  expect(daemon.cadet.of(ChannelDestroy)).toEqual([{ channel: THEIRS }])
  expect(still.reason).toBeNull()
})

test('a channel to a port that was closed meanwhile is refused', async () => {
  const { world, daemon, mesh } = await started()
  mesh.listen(PORT, () => {}).close()
  daemon.cadet.say(ChannelCreate.encode({ channel: THEIRS, peer: OTHER, port: PORT }))
  await world.pass(10)
  expect(daemon.cadet.of(PortClose)).toHaveLength(1)
  expect(daemon.cadet.of(ChannelDestroy)).toEqual([{ channel: THEIRS }])
})

test('gives up a channel that nobody answers, and takes the request back', async () => {
  const { world, daemon, mesh } = await started()
  const trying = mesh.connect(OTHER, PORT)
  await expect(world.until(trying, 40_000)).rejects.toMatchObject({ code: 'PEER_UNREACHABLE' })
  const [asked] = daemon.cadet.of(ChannelCreate)
  expect(daemon.cadet.of(ChannelDestroy)).toEqual([{ channel: asked!.channel }])
})

test('asks the DHT again when it is back, and reports a block once', async () => {
  const { world, daemon, mesh } = await started()
  const query = { type: 8, key: hashCode(sha512(bytesOf('key'))), replication: 5, options: 1 }
  const found: string[] = []
  const search = mesh.dht.get(query, ({ data }) => found.push(new TextDecoder().decode(data)))
  await world.pass(10)
  daemon.dht.hangUp()
  await world.pass(10)
  mesh.dht.put({ ...query, data: bytesOf('put while it is away'), expiresAt: world.now() + 1_000 })
  await world.pass(1_000)
  const asked = daemon.dht.of(DhtGet)
  expect(asked).toHaveLength(2)
  expect(daemon.dht.of(DhtPut).map(({ data }) => new TextDecoder().decode(data))).toEqual([
    'put while it is away',
  ])
  for (const text of ['one', 'one', 'two'])
    daemon.dht.say(
      DhtResultMessage.encode({
        blockType: 8,
        options: 1,
        putPathLength: 0,
        getPathLength: 0,
        query: asked[1]!.query,
        expiry: 0n,
        key: query.key,
        pathsAndData: bytesOf(text),
      }),
    )
  await world.pass(10)
  expect(found).toEqual(['one', 'two'])
  search.close()
})

test('asks no daemon of 0.21 or later for routes: that crashes the newest', async () => {
  const { world, daemon } = rig()
  daemon.peerinfo.door = 'ENOENT'
  const dial: FakeDaemon['dial'] = (path, events) =>
    path.includes('peerstore') ? daemon.peerinfo.dial(events) : daemon.dial(path, events)
  const { installation } = daemon
  const parts = { clock: world, random: world.random, log: silentLog, dial, installation }
  const mesh = await world.until(createGnunet({ ...parts, file: '/etc/box.conf' }), 20_000)
  const { recordRoute, everywhere } = DHT_OPTION
  const key = hashCode(sha512(bytesOf('key')))
  mesh.dht.get({ type: 8, key, replication: 1, options: recordRoute | everywhere }, () => {})
  await world.pass(10)
  expect(daemon.dht.of(DhtGet).map(({ options }) => options)).toEqual([everywhere])
  await mesh.close()
})

test('never says type 1 to a service', async () => {
  const all = await started()
  const [channel] = await opened(all)
  const deadly = framed(new Uint8Array(0))
  deadly[2] = 0
  deadly[3] = 1
  expect(() => channel.send(deadly)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
  const { core, cadet, dht, peerinfo } = all.daemon
  for (const { heard } of [core, cadet, dht, peerinfo])
    expect(heard.map(raw => messageType(raw))).not.toContain(1)
})
