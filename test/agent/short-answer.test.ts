import { Duplex } from 'node:stream'
import type { Client, ClientChannel } from 'ssh2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HELD_MS, ShortAnswer } from '../../agent/short-answer.ts'
import type { SshServer } from '../../agent/ssh-server.ts'
import type { Clock } from '../../src/base/clock.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { channelPair } from '../sim/fake-channel.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'
import { CALLER, connectOver, ended, exec, newServer, shell } from './ssh-fixture.ts'

describe('what is said at the beginning of a command', () => {
  const left: string[] = []
  let world: World
  let carrier: Duplex
  let answer: ShortAnswer

  beforeEach(() => {
    left.length = 0
    world = new World(1)
    carrier = new Duplex({
      read: () => {},
      write: (chunk, _encoding, done) => {
        left.push(String(chunk))
        done()
      },
      writev: (pieces, done) => {
        left.push(pieces.map(({ chunk }) => String(chunk)).join(''))
        done()
      },
    })
    answer = new ShortAnswer(carrier, world)
  })

  it('leaves together, once it is released', () => {
    answer.hold()
    for (const piece of ['begun ', 'here ', 'exit']) carrier.write(piece)
    expect(left).toEqual([])
    answer.release()
    expect(left).toEqual(['begun here exit'])
    expect(world.pending).toBe(0)
  })

  it('is held for ten milliseconds at most, however often it is asked for', () => {
    answer.hold()
    carrier.write('begun ')
    world.run(0.6 * HELD_MS)
    answer.hold()
    carrier.write('here')
    world.run(0.6 * HELD_MS)
    expect(left).toEqual(['begun here'])
    carrier.write(' and on')
    expect(left).toEqual(['begun here', ' and on'])
    expect(world.pending).toBe(0)
  })

  it('is held for as long again from when the command runs, and no more where none is held', () => {
    answer.hold()
    carrier.write('begun ')
    world.run(0.6 * HELD_MS)
    answer.begun()
    world.run(0.6 * HELD_MS)
    expect(left).toEqual([])
    world.run(0.6 * HELD_MS)
    answer.begun()
    expect(left).toEqual(['begun '])
    expect(world.pending).toBe(0)
  })

  it('may be released twice', () => {
    answer.hold()
    answer.release()
    answer.release()
    carrier.write('here')
    expect(left).toEqual(['here'])
  })
})

describe('a connection', () => {
  let server: SshServer
  let client: Client
  /** Messages of the mesh, by who said them. */
  let said: { device: number; owner: number }

  /** On which nothing is released because it took too long: how fast this machine is says nothing about messages. */
  const patient: Clock = {
    ...systemClock,
    after: (ms, run) => systemClock.after(ms === HELD_MS ? 30_000 : ms, run),
  }

  const start = async (clock: Clock) => {
    server = newServer(clock)
    const net = new FakeNet({ clock: systemClock, latencyMs: 0 })
    const [owner, device] = [net.peer(), net.peer()]
    const [near, far] = channelPair(net, owner, device, [])
    void server.serve(asDuplex(far, systemClock), CALLER)
    client = await connectOver(asDuplex(near, systemClock))
    said = { device: 0, owner: 0 }
    net.tamper = (message, from) => {
      said[from === device.self ? 'device' : 'owner']++
      return message
    }
  }

  afterEach(async () => {
    client.end()
    await server.close()
  })

  it('needs two messages of the device for a short command, and three of ours', async () => {
    await start(patient)
    for (let i = 1; i <= 3; i++) {
      const channel = await exec(client, 'echo here')
      const all = ended(channel)
      channel.end()
      const { out, code } = await all
      expect([String(out), code]).toEqual(['here\n', 0])
      await expect.poll(() => said).toEqual({ device: 2 * i, owner: 3 * i })
    }
  })

  it('says at once that a command has begun where somebody waits for another', async () => {
    await start(patient)
    const first = await openedTerminal(client)
    const channel = await exec(client, 'read word; echo $word')
    const all = ended(channel)
    channel.end('there\n')
    expect(String((await all).out)).toBe('there\n')
    first.close()
  })

  it('does not wait for the end of a command that goes on', async () => {
    await start(systemClock)
    const channel = await exec(client, 'echo first; exec sleep 60')
    await new Promise(resolve => channel.once('data', resolve))
    channel.signal('TERM')
    expect(await ended(channel)).toMatchObject({ signal: 'SIGTERM' })
  })
})

const openedTerminal = (client: Client): Promise<ClientChannel> =>
  shell(client, { rows: 24, cols: 80 })
