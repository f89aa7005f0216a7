/** What an agent and the keeper of its shells say to each other, and what comes of nonsense: see fuzz.test.ts too. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Answer,
  bytesMessages,
  KeeperReader,
  type Order,
  readAnswer,
  readOrder,
  wordsMessage,
} from '../../agent/keeper/words.ts'
import { concat } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { WireError } from '../../src/wire/layout.ts'
import { toHex, utf8 } from '../vectors.ts'

const text = fc.string({ maxLength: 60 }).map(one => one.replaceAll('\0', ''))
const whole = fc.nat()
const program = fc.record({
  file: text,
  args: fc.array(text, { maxLength: 5 }),
  env: fc.dictionary(fc.stringMatching(/^[A-Z][A-Z_]{0,9}$/), text, {
    maxKeys: 9,
    noNullPrototype: true,
  }),
  cwd: text,
  columns: whole,
  rows: whole,
  as: fc.option(fc.record({ uid: whole, gid: whole, groups: fc.array(whole, { maxLength: 4 }) })),
})
const name = fc.constantFrom('INT', 'USR1', 'HUP')
const order: fc.Arbitrary<Order> = fc.oneof(
  fc.record({
    do: fc.constant('line'),
    versions: fc.array(whole, { maxLength: 4 }),
    keepMs: whole,
  }),
  fc.record({ do: fc.constant('open'), program, label: text }),
  fc.record({ do: fc.constantFrom('attach', 'end'), shell: whole }),
  fc.record({ do: fc.constant('resize'), shell: whole, columns: whole, rows: whole }),
  fc.record({ do: fc.constant('signal'), shell: whole, name }),
  fc.record({ do: fc.constant('seen'), shell: whole, isSeen: fc.boolean() }),
) as fc.Arbitrary<Order>
const held = fc.record({
  ...{ shell: whole, pid: whole, label: text, startedAt: whole, silentMs: whole },
  cutOffAt: fc.option(whole),
})
const exit = fc.oneof(fc.record({ code: fc.nat({ max: 255 }) }), fc.record({ signal: name }))
const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ say: fc.constant('line'), version: whole, holds: fc.array(held, { maxLength: 4 }) }),
  fc.record({ say: fc.constant('shell'), shell: whole, pid: whole }),
  fc.record({ say: fc.constant('exit'), exit, at: whole }),
) as fc.Arbitrary<Answer>

/** All that is read of these bytes, cut at these places. */
function heard(bytes: Uint8Array, cuts: readonly number[]): ReturnType<KeeperReader['push']> {
  const reader = new KeeperReader()
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  )
  return places.slice(1).flatMap((end, at) => reader.push(bytes.subarray(places[at], end)))
}

describe('words to and from the keeper', () => {
  test('have these bytes', () => {
    expect(toHex(wordsMessage({ do: 'end', shell: 7 }))).toBe(
      `001abde8${toHex(utf8('{"do":"end","shell":7}'))}`,
    )
    expect(bytesMessages(utf8('ls\r')).map(toHex)).toEqual(['0007bde96c730d'])
  })

  test('are read as they were said, wherever the stream is cut', () => {
    fc.assert(
      fc.property(order, answer, fc.array(whole, { maxLength: 6 }), (order, answer, cuts) => {
        const bytes = concat(
          wordsMessage(order),
          ...bytesMessages(utf8('typed')),
          wordsMessage(answer),
        )
        const [first, typed, last] = heard(bytes, cuts)
        expect(readOrder((first as { words: Uint8Array }).words)).toEqual(order)
        expect(typed).toEqual({ bytes: utf8('typed') })
        expect(readAnswer((last as { words: Uint8Array }).words)).toEqual(answer)
      }),
    )
  })

  test('split what is large, and refuse what no message holds', () => {
    const large = new Uint8Array(200_000).fill(7)
    const messages = bytesMessages(large)
    expect(messages.length).toBe(4)
    const parts = new KeeperReader().push(Buffer.concat(messages))
    expect(
      Buffer.concat(parts.map(part => ('bytes' in part ? part.bytes : [])) as Uint8Array[]),
    ).toEqual(Buffer.from(large))
    const env = { A: 'x'.repeat(70_000) }
    const program = { file: '/bin/sh', args: [], env, cwd: '/', columns: 80, rows: 24, as: null }
    expect(() => wordsMessage({ do: 'open', program, label: '' })).toThrow(BoxError)
  })

  test.for([
    ['no JSON', '{'],
    ['no object', '[]'],
    ['an unknown order', '{"do":"format"}'],
    ['a shell that is none', '{"do":"end","shell":-1}'],
    [
      'a NUL in a path',
      '{"do":"open","label":"","program":{"file":"/bin/sh\\u0000","args":[],"env":{},"cwd":"/","columns":1,"rows":1,"as":null}}',
    ],
    [
      'an account without groups',
      '{"do":"open","label":"","program":{"file":"/bin/sh","args":[],"env":{},"cwd":"/","columns":1,"rows":1,"as":{"uid":0,"gid":0}}}',
    ],
    [
      'an account that is not told',
      '{"do":"open","label":"","program":{"file":"/bin/sh","args":[],"env":{},"cwd":"/","columns":1,"rows":1}}',
    ],
    ['a signal that is a path', '{"do":"signal","shell":1,"name":"../"}'],
  ])('refuse %s', ([, text]) => {
    expect(() => readOrder(utf8(text!))).toThrow(BoxError)
    expect(() => readAnswer(utf8(text!))).toThrow(BoxError)
  })

  test('of another kind end the connection', () => {
    expect(() => new KeeperReader().push(Buffer.from('0004bde0', 'hex'))).toThrow(BoxError)
    expect(() => new KeeperReader().push(Buffer.from('0003bde8', 'hex'))).toThrow(WireError)
  })
})
