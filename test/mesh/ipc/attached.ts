/** The second engine on a daemon that is not there, in virtual time; and channels of it. */

import { expect, onTestFinished } from 'vitest'
import { type PeerId, type PortId, peerId, portId } from '../../../src/base/ids.ts'
import { silentLog } from '../../../src/base/log.ts'
import { sha256, sha512 } from '../../../src/crypto/hash.ts'
import { createGnunet, type GnunetMesh } from '../../../src/mesh/gnunet.ts'
import { ChannelAck, ChannelCreate } from '../../../src/mesh/ipc/messages.ts'
import type { Channel } from '../../../src/mesh/mesh.ts'
import { World } from '../../sim/world.ts'
import { FakeDaemon } from './fake-daemon.ts'

export const bytesOf = (text: string) => new TextEncoder().encode(text)
export const peerOf = (text: string): PeerId => peerId(sha256(bytesOf(text)))
export const portOf = (text: string): PortId => portId(sha512(bytesOf(text)))
export const [OTHER, PORT] = [peerOf('other'), portOf('port')]
export const THEIRS = 7

export const rig = () => {
  const world = new World(1)
  return { world, daemon: new FakeDaemon(world, peerOf('self')) }
}

export const attach = (world: World, daemon: FakeDaemon): Promise<GnunetMesh> => {
  const { dial, installation } = daemon
  const parts = { clock: world, random: world.random, log: silentLog, dial, installation }
  return world.until(createGnunet({ ...parts, file: '/etc/box.conf' }), 20_000)
}

/** An engine on a daemon; whatever a test does, nothing is left of it. */
export async function started() {
  const { world, daemon } = rig()
  const mesh = await attach(world, daemon)
  onTestFinished(async () => {
    await mesh.close()
    await world.pass(3_600_000)
    expect(world.pending).toBe(0)
  })
  return { world, daemon, mesh }
}

type Started = Awaited<ReturnType<typeof started>>

/** A channel that we opened and the other side has accepted. */
export async function opened(
  { world, daemon, mesh }: Started,
  peer = OTHER,
): Promise<[Channel, number]> {
  const opening = mesh.connect(peer, PORT)
  await world.pass(10)
  const { channel } = daemon.cadet.of(ChannelCreate).at(-1)!
  for (let i = 0; i < 4; i++) daemon.cadet.say(ChannelAck.encode({ channel }))
  return [await world.until(opening, 1_000), channel]
}

/** A channel that somebody opened to us. */
export async function accepted(
  { world, daemon, mesh }: Started,
  number = THEIRS,
): Promise<Channel> {
  let channel: Channel | null = null
  mesh.listen(PORT, one => {
    channel = one
  })
  daemon.cadet.say(ChannelCreate.encode({ channel: number, peer: OTHER, port: PORT }))
  await world.pass(10)
  return channel!
}
