/** A command and its input, in the place of a path. */

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { askedShortly, askShortly, endOnce, isAskedShortly } from '../../src/box/short-command.ts'

const NOTHING = new Uint8Array(0)

describe('what is asked for', () => {
  it.for([
    ['echo here', NOTHING],
    ['printf "\\0\\n" “ü”', randomBytes(1_000)],
    ['', NOTHING],
    ['x'.repeat(10_000), randomBytes(5_000)],
  ] as const)('is read as it was said, number %$', ([line, input]) => {
    const asked = askShortly({ line, input })!
    expect(isAskedShortly(asked)).toBe(true)
    const read = askedShortly(asked)!
    expect([read.line, Buffer.from(read.input).equals(input)]).toEqual([line, true])
  })

  it('is not where it is longer than a packet', () => {
    expect(askShortly({ line: 'cat', input: new Uint8Array(30_000) })).toBeNull()
    expect(askShortly({ line: '“'.repeat(10_000), input: NOTHING })).toBeNull()
  })

  it('is no path, and no path is that', () => {
    for (const path of ['/run/some.sock', 'box-command', ''])
      expect(isAskedShortly(path)).toBe(false)
    const mark = askShortly({ line: '', input: NOTHING })!.replace(/\{.*/, '')
    for (const words of ['', '{', '[]', 'null', '{"line":1,"input":""}', '{"line":"x"}'])
      expect(askedShortly(mark + words)).toBeNull()
  })
})

it('lets a channel end but once, that ends what has ended', async () => {
  let ends = 0
  class Channel extends Writable {
    override _write(_chunk: unknown, _encoding: string, done: () => void) {
      done()
    }
    override end(): this {
      ends++
      return super.end()
    }
    override destroy(): this {
      this.end()
      return this
    }
  }
  const channel = new Channel()
  endOnce(channel)
  channel.write('all')
  channel.end()
  await once(channel, 'finish')
  channel.destroy()
  expect(ends).toBe(1)
})
