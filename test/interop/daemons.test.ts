/**
 * The programs a person uses, with unmodified GNUnet daemons as their only company: 0.19.3 and 0.20.0.
 * Daemons 1 and 2 are neighbours; ours dial daemon 1 only, so that daemon 2 is a hop away from them.
 */

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type PeerId, type PortId, peerId, portId } from '../../src/base/ids.ts'
import { silentLog } from '../../src/base/log.ts'
import { memoryStore } from '../../src/base/store.ts'
import { portText } from '../../src/box/ports.ts'
import { zoneFromText } from '../../src/gns/name.ts'
import { createEmbedded, type EmbeddedMesh } from '../../src/mesh/embedded.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { tcpNetwork } from '../../src/sys/tcp.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { message, rest } from '../../src/wire/layout.ts'
import { Agent, type AgentStatus, Controller } from './fleet.ts'
import { Lab, withEachRelease } from './lab.ts'
import { cleanUp } from './program.ts'

/** The daemon that ours dial, and the one behind it. */
const [NEAR, FAR] = [1, 2]
/** What `gnunet-cadet` wraps its bytes in (GNUNET_MESSAGE_TYPE_CADET_CLI). */
const Cli = message('CADET_CLI', 1_059, { text: rest })

const portOf = (text: string): PortId =>
  portId(new Uint8Array(createHash('sha512').update(text).digest()))
const peerOf = (text: string): PeerId => peerId(decodeBase32(text, 32))
const say = (channel: Channel, text: string) =>
  channel.send(Cli.encode({ text: new TextEncoder().encode(text) }))

/** A peer of ours inside this process, that only dials. */
async function ourPeer(hub: string): Promise<EmbeddedMesh> {
  const [clock, random, log] = [systemClock, systemRandom, silentLog]
  const parts = { clock, random, log, network: tcpNetwork, store: memoryStore() }
  const mesh = await createEmbedded({ ...parts, hubs: [hub] })
  await new Promise<void>(resolve => mesh.watch({ up: () => resolve(), down: () => {} }))
  return mesh
}

/** The next message of the CLI's type. */
const heard = (channel: Channel): Promise<string> =>
  new Promise((resolve, reject) =>
    channel.attach({
      message: raw => resolve(Buffer.from(Cli.decode(raw).text).toString()),
      drained: () => {},
      closed: reject,
    }),
  )

const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
  const begun = performance.now()
  const done = await work
  console.log(`${what}: ${Math.round(performance.now() - begun)} ms`)
  return done
}

withEachRelease('among real daemons', release => {
  const lab = new Lab(release)
  const apart = new Lab(release, { number: 1 })
  let hello = ''
  let far = ''
  let agent: Agent
  let device: AgentStatus
  let owner: Controller

  beforeAll(async () => {
    await lab.up(2, 'line')
    hello = await lab.hello(NEAR)
    far = await lab.id(FAR)
    agent = new Agent('device', ['--hub-url', hello])
    device = await agent.linked()
    owner = new Controller('owner')
    await owner.must('init', '--ego', 'home')
  })

  afterAll(async () => {
    try {
      await cleanUp()
    } finally {
      await Promise.all([lab.down(), apart.down()])
    }
  })

  test('gnunet-cadet finds our agent, two hops away, and knocks at its SSH port', async () => {
    const port = portText('ssh', zoneFromText(device.device_zone))
    const stock = lab.start(FAR, 'gnunet-cadet', device.pid, port)
    stock.child.stdin!.write('hello?\n')
    await timed('gnunet-cadet to our agent and refused', stock.ended())
    await agent.program.until(/not served.*purpose=ssh/)
    const tunnels = await lab.tool(FAR, 'gnunet-cadet', '-T')
    expect(tunnels).toMatch(new RegExp(`^${device.pid} .*CONNs: [1-9]`, 'm'))
    const { neighbours } = await agent.status()
    expect(neighbours.map(({ pid }) => pid)).toEqual([await lab.id(NEAR)])
  })

  test('gnunet-cadet finds a peer of ours and hears its own words from it', async () => {
    const mesh = await ourPeer(hello)
    const channels: Channel[] = []
    mesh.listen(portOf('echo'), channel => {
      channels.push(channel)
      channel.attach({
        message: raw => void channel.send(raw.slice()),
        drained: () => {},
        closed: () => {},
      })
    })
    const stock = lab.start(FAR, 'gnunet-cadet', encodeBase32(mesh.self), 'echo')
    stock.child.stdin!.write('is anybody there\n')
    await timed('gnunet-cadet to our peer and back', stock.until(/is anybody there/))
    const near = await lab.id(NEAR)
    expect(channels[0]!.path()!.map(pid => encodeBase32(pid))).toEqual([
      encodeBase32(mesh.self),
      near,
      far,
    ])
    stock.kill()
    await stock.ended()
    await mesh.close()
  })

  test('our peer reaches a gnunet-cadet that listens, and both hear each other', async () => {
    const stock = lab.start(FAR, 'gnunet-cadet', '-o', 'tea')
    const mesh = await ourPeer(hello)
    const opening = mesh.connect(peerOf(far), portOf('tea'))
    const channel = await timed('our peer to gnunet-cadet -o', opening)
    expect(channel.path()!.map(pid => encodeBase32(pid))).toEqual([
      encodeBase32(mesh.self),
      await lab.id(NEAR),
      far,
    ])
    say(channel, 'from us\n')
    await stock.until(/from us/)
    const answer = heard(channel)
    stock.child.stdin!.write('from them\n')
    expect(await answer).toBe('from them\n')
    channel.close()
    await stock.ended()
    await mesh.close()
  })

  test('a controller pairs with our agent and runs things there, over the daemon alone', async () => {
    const code = await agent.pairingCode()
    await timed('box pair', owner.must('pair', code, '--as', 'kitchen', '--json'))
    const echo = owner.must('exec', 'kitchen', '--', 'echo', 'over GNUnet')
    expect(await timed('box exec', echo)).toBe('kitchen | over GNUnet\n')
    const said = await owner.must('ssh', 'kitchen', '--json', '--tty', '--', 'tty; exit 0')
    const report = JSON.parse(said) as { path: string[]; output: string }
    expect(report.path.slice(1)).toEqual([await lab.id(NEAR), device.pid])
    expect(report.output).toMatch(/^\/dev\/pts\/\d+/)
    const ended = await owner.box('ssh', 'kitchen', '--', 'exit 7')
    expect(ended).toMatchObject({ code: 7, err: '' })
  })

  test('a name that gnunet-namestore publishes is resolved by box name lookup', async () => {
    const zone = await lab.makeEgo(FAR, 'friend', 'EDKEY')
    const publish = (type: string, value: string) => {
      const words = ['-z', 'friend', '-a', '-n', 'www', '-t', type, '-V', value, '-e', '1 h', '-p']
      return lab.tool(FAR, 'gnunet-namestore', ...words)
    }
    await publish('TXT', 'hello from the namestore')
    await publish('A', '192.0.2.7')
    const asked = owner.must('name', 'lookup', `www.${zone}`, 'TXT')
    expect(await timed('box name lookup', asked)).toBe('hello from the namestore\n')
    const all = await owner.must('name', 'lookup', `www.${zone}`)
    expect(all.trim().split('\n').sort()).toEqual(['A 192.0.2.7', 'TXT hello from the namestore'])
  })

  test('what our agent and our controller publish is resolved by gnunet-gns', async () => {
    const [, id] = /([0-9A-Z]{58})/.exec(await owner.must('id'))!
    for (const name of [device.device_zone, `kitchen.${id}`]) {
      // gnunet-gns 0.19.3 and 0.20.0 have no text form for SSHFP: the TXT record has the same hash.
      const [text] = await timed(`gnunet-gns ${name.slice(0, 12)}…`, resolved(name, 'TXT'))
      expect(text).toMatch(
        new RegExp(`^box1 pid=${device.pid} .*hostkey=[0-9a-f]{64} hub=gnunet://hello/`),
      )
    }
  })

  /** What the stock resolver at the far daemon says; it may not have the block at the first try. */
  async function resolved(name: string, type: string): Promise<string[]> {
    for (let tries = 0; tries < 5; tries++) {
      const words = ['-r', '-u', name, '-t', type, '-T', '4 s']
      const { out } = await lab.try(FAR, 'gnunet-gns', ...words)
      const lines = out.split('\n').filter(line => line !== '')
      if (lines.length > 0) return lines
    }
    return []
  }

  test('daemons that know only our hub reach each other, and a device behind it', async () => {
    await apart.up(2, 'apart')
    const hub = new Agent('hub', ['--hub', '--listen', `127.0.0.1:${apart.ownPort()}`])
    const { hello, pid } = await hub.status(status => status.hello.includes('+tcp'))
    for (const daemon of [1, 2]) await apart.tool(daemon, 'gnunet-peerinfo', '-p', hello)
    for (const daemon of [1, 2]) await apart.linked(daemon, 1)

    const stock = apart.start(2, 'gnunet-cadet', '-o', 'tea')
    const other = apart.start(1, 'gnunet-cadet', await apart.id(2), 'tea')
    other.child.stdin!.write('over a hub\n')
    await timed('gnunet-cadet over our hub', stock.until(/over a hub/))
    stock.child.stdin!.write('and back\n')
    await other.until(/and back/)

    const behind = new Agent('behind', ['--hub-url', hello])
    const { pid: target, device_zone } = await behind.linked()
    const knocking = apart.start(
      1,
      'gnunet-cadet',
      target,
      portText('ssh', zoneFromText(device_zone)),
    )
    knocking.child.stdin!.write('hello?\n')
    await timed('gnunet-cadet over our hub to our agent', knocking.ended())
    await behind.program.until(/not served.*purpose=ssh/)

    for (const daemon of [1, 2]) {
      const links = await apart.tool(daemon, 'gnunet-core')
      expect(links.match(/connection established.*/g)).toHaveLength(1)
      expect(links).toContain(` ${pid.slice(0, 4)} `)
    }
  })
})
