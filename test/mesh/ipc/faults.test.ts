import { expect, test } from 'vitest'
import { equalBytes } from '../../../src/base/bytes.ts'
import { KEEP_PORT } from '../../../src/mesh/ipc/keeper.ts'
import { ChannelCreate, ChannelDestroy, CoreMonitorNotify } from '../../../src/mesh/ipc/messages.ts'
import { Inbox } from '../../compliance/mesh.ts'
import { OTHER, opened, PORT, peerOf, started } from './attached.ts'

test.for([
  ['stale-tunnel', 1, 'PEER_TIMEOUT', /was restarted, and GNUnet keeps the old keys/],
  ['lost-path', 0, 'PEER_UNREACHABLE', /does not search again/],
] as const)('recognises a %s and says the cure', async ([kind, connections, code, text]) => {
  const all = await started()
  const { world, daemon, mesh } = all
  const [channel] = await opened(all)
  channel.close()
  daemon.tunnels = [{ peer: OTHER, connections }]
  const trying = mesh.connect(OTHER, PORT)
  await expect(world.until(trying, 40_000)).rejects.toMatchObject({ code })
  expect(mesh.status().troubles).toEqual([
    {
      kind,
      peer: OTHER,
      detail: expect.stringMatching(text),
      cure: 'gnunet-arm -c /etc/box.conf -k cadet; gnunet-arm -c /etc/box.conf -i cadet',
    },
  ])
  await opened(all)
  expect(mesh.status().troubles).toEqual([])
})

test('keeps a channel open to a peer in use, long after the last of ours is closed', async () => {
  const all = await started()
  const { world, daemon } = all
  const [channel] = await opened(all)
  channel.close()
  await world.pass(30_000)
  const kept = () =>
    daemon.cadet.of(ChannelCreate).filter(({ port }) => equalBytes(port, KEEP_PORT))
  expect(kept()).toHaveLength(1)
  const number = kept()[0]!.channel
  daemon.cadet.say(ChannelDestroy.encode({ channel: number }))
  await world.pass(61_000)
  expect(kept()).toHaveLength(2)
  await world.pass(2 * 3_600_000)
  const before = kept().length
  await world.pass(3_600_000)
  expect(kept()).toHaveLength(before)
})

test('ends a channel whose peer has had no connection for minutes', async () => {
  const all = await started()
  const { world, daemon } = all
  daemon.tunnels = [{ peer: OTHER, connections: 1 }]
  const [channel] = await opened(all)
  const inbox = new Inbox()
  channel.attach(inbox)
  await world.pass(600_000)
  expect(inbox.reason).toBeNull()
  daemon.tunnels = []
  await world.pass(200_000)
  expect(inbox.reason?.code).toBe('CHANNEL_LOST')
})

test('tells of neighbours, and of all of them again when the daemon is back', async () => {
  const { world, daemon, mesh } = await started()
  const story: string[] = []
  mesh.watch({ up: () => story.push('up'), down: () => story.push('down') })
  daemon.neighbours = [OTHER]
  daemon.core.say(CoreMonitorNotify.encode({ state: 3, peer: OTHER, timeout: 0n }))
  await world.pass(10)
  daemon.core.hangUp()
  await world.pass(1_000)
  daemon.core.say(CoreMonitorNotify.encode({ state: 5, peer: OTHER, timeout: 0n }))
  await world.pass(10)
  expect(story).toEqual(['up', 'down', 'up', 'down'])
})

test('a daemon that comes back as another peer is that peer, and says so', async () => {
  const { world, daemon, mesh } = await started()
  daemon.self = peerOf('somebody else')
  daemon.core.hangUp()
  await world.pass(1_000)
  expect(mesh.self).toEqual(peerOf('somebody else'))
  expect(mesh.status().troubles).toMatchObject([{ kind: 'identity-changed' }])
})
