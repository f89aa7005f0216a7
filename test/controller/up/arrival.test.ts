import { EventEmitter, once } from 'node:events'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { describe, expect, test } from 'vitest'
import { arriving } from '../../../controller/up/arrival.ts'
import { World } from '../../sim/world.ts'

/** The body of a file that comes as the test has it come. */
function coming() {
  const world = new World(1)
  const raw = new IncomingMessage(new Socket())
  raw.on('error', () => {})
  const answer = new EventEmitter()
  const request = { raw } as unknown as FastifyRequest
  const reply = { raw: answer } as unknown as FastifyReply
  const body = arriving(request, reply, world)[Symbol.asyncIterator]()
  return { world, raw, answer, body }
}

describe('a body that goes on for long', () => {
  test('is read for as long as some of it comes', async () => {
    const { world, raw, body } = coming()
    for (let i = 0; i < 100; i++) {
      const next = body.next()
      world.run(29_000)
      raw.push('x')
      expect((await next).value.length).toBe(1)
    }
    const last = body.next()
    raw.push(null)
    expect((await last).done).toBe(true)
    raw.destroy()
  })

  test('is cut off when none of it came for a while', async () => {
    const { world, raw, body } = coming()
    const next = body.next()
    world.run(31_000)
    await expect(next).rejects.toThrow()
    expect(raw.destroyed).toBe(true)
  })

  test('is not, while what has come is being handed on', async () => {
    const { world, raw, body } = coming()
    const next = body.next()
    raw.push('x')
    await next
    world.run(3_600_000)
    expect(raw.destroyed).toBe(false)
    raw.destroy()
  })

  test('has little time left once it was answered, and none of it is wanted', async () => {
    const { world, raw, answer, body } = coming()
    const next = body.next()
    raw.push('x')
    await next
    await body.return!()
    answer.emit('finish')
    world.run(9_000)
    expect(raw.destroyed).toBe(false)
    const closed = once(raw, 'close')
    world.run(2_000)
    await closed
    expect(raw.destroyed).toBe(true)
  })
})
