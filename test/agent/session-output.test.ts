/** What a program prints beside somebody who types: in pieces, each when there is room on the way. */

import { PassThrough, Writable } from 'node:stream'
import type { ServerChannel } from 'ssh2'
import { expect, test } from 'vitest'
import type { CarryingStream } from '../../agent/carrier.ts'
import { SessionOutput } from '../../agent/session-output.ts'
import { Typing } from '../../agent/typing.ts'
import { World } from '../sim/world.ts'

function output() {
  const world = new World(1)
  const written: number[] = []
  const waiting: (() => void)[] = []
  const channel = new Writable({
    write: (piece: Uint8Array, _encoding, done) => {
      written.push(piece.length)
      done()
    },
  })
  const untilRoom = () => new Promise<void>(resolve => void waiting.push(resolve))
  const stream = Object.assign(new PassThrough(), { untilRoom }) as CarryingStream
  const typing = new Typing(world)
  const to = new SessionOutput(channel as unknown as ServerChannel, {
    stream,
    typing,
    clock: world,
  })
  const room = async () => {
    for (const told of waiting.splice(0)) told()
    await world.pass(0)
  }
  return { world, typing, to, written, room }
}

const MUCH = new Uint8Array(40_000)

test('waits for room before each piece but the first while somebody types', async () => {
  const { world, typing, to, written, room } = output()
  typing.typed()
  let isDone = false
  void to.write(MUCH, 'output').then(() => {
    isDone = true
  })
  for (const count of [1, 2, 3]) {
    await world.pass(0)
    expect([written.length, isDone]).toEqual([count, false])
    await room()
  }
  expect([written.reduce((sum, size) => sum + size), isDone]).toEqual([MUCH.length, true])
})

test('writes all at once where nobody types', async () => {
  const { world, to, written } = output()
  await to.write(MUCH, 'output')
  await world.pass(0)
  expect(written).toEqual([MUCH.length])
})

test('waits for nothing any more once its channel has gone', async () => {
  const world = new World(1)
  const stream = new PassThrough() as CarryingStream
  const typing = new Typing(world)
  // As ssh2: what is written to a channel that is not open is not heard of again.
  const channel = new Writable({ write: () => {} })
  const to = new SessionOutput(channel as unknown as ServerChannel, {
    stream,
    typing,
    clock: world,
  })
  const written: string[] = []
  void to.write(MUCH, 'output').then(() => written.push('one'))
  void to.write(MUCH, 'output').then(() => written.push('two'))
  await world.pass(0)
  expect(written).toEqual([])
  channel.emit('close')
  await world.pass(0)
  expect(written).toEqual(['one', 'two'])
  await to.write(MUCH, 'output')
})
