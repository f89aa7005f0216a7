import { expect, test } from 'vitest'
import { Typing } from '../../agent/typing.ts'
import { Conversation } from '../../src/box/conversation.ts'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { channelPair } from '../sim/fake-channel.ts'
import { FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'
import { CALLER, connectOver, newServer, run, shell } from './ssh-fixture.ts'

test('it begins with a key and ends some seconds after the last one', () => {
  const world = new World(1)
  const typing = new Typing(world)
  const told: boolean[] = []
  typing.join(isOn => told.push(isOn))
  expect(typing.isOn).toBe(false)
  for (let key = 0; key < 10; key++) {
    typing.typed()
    world.run(2_900)
    expect(typing.isOn).toBe(true)
  }
  world.run(200)
  expect(typing.isOn).toBe(false)
  expect(told).toEqual([true, false])
})

test('who joins later is told at once, and who leaves is not any more', () => {
  const world = new World(1)
  const typing = new Typing(world)
  typing.typed()
  const told: boolean[] = []
  const leave = typing.join(isOn => told.push(isOn))
  expect(told).toEqual([true])
  leave()
  world.run(5_000)
  expect(told).toEqual([true])
  expect(world.pending).toBe(0)
})

test('it ends with its connection, without a word', () => {
  const world = new World(1)
  const typing = new Typing(world)
  const told: boolean[] = []
  typing.join(isOn => told.push(isOn))
  typing.typed()
  typing.close()
  world.run(5_000)
  expect([told, typing.isOn, world.pending]).toEqual([[true], false, 0])
})

test('the channel below hurries from the opening of a terminal to some seconds after the last key', async () => {
  const net = new FakeNet({ clock: systemClock, latencyMs: 0 })
  const [owner, device] = [net.peer(), net.peer()]
  const [near, far] = channelPair(net, owner, device, [])
  const server = newServer()
  // As after a handshake.
  const talk = new Conversation(far, { clock: systemClock, timeoutMs: 60_000 })
  void server.serve(asDuplex(talk.release(), systemClock), CALLER)
  const client = await connectOver(asDuplex(near, systemClock))
  expect(String((await run(client, 'echo no terminal')).out)).toBe('no terminal\n')
  expect(far.hurries).toEqual([])
  const terminal = await shell(client, { rows: 24, cols: 80 })
  terminal.resume()
  expect(far.hurries).toEqual([true])
  terminal.write('x')
  await expect.poll(() => far.hurries, { timeout: 8_000 }).toEqual([true, false])
  terminal.write('y')
  await expect.poll(() => far.hurries).toEqual([true, false, true])
  terminal.close()
  client.end()
  await server.close()
})
