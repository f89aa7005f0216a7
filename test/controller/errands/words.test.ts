/** What a `box` and a `box up` say to each other about errands, and what comes of nonsense: see fuzz.test.ts too. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Answer,
  answerMessage,
  type Errand,
  ErrandReader,
  errandMessage,
  type Heard,
  inputMessage,
  PIECE_MAX,
  printedMessages,
  readAnswer,
  readErrand,
} from '../../../controller/errands/words.ts'
import { concat } from '../../../src/base/bytes.ts'
import { BoxError } from '../../../src/base/errors.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { WireError } from '../../../src/wire/layout.ts'
import { seededRandom } from '../../sim/random.ts'
import { toHex, utf8 } from '../../vectors.ts'

const { zone } = ZoneSecret.generate('EDKEY', seededRandom(3))
const text = fc.string({ maxLength: 60, unit: 'binary' })
const errand: fc.Arbitrary<Errand> = fc.record({
  zone: fc.constant(zone),
  line: text,
  user: fc.option(fc.constantFrom('ada', 'www-data')),
  timeoutMs: fc.integer({ min: 1 }),
  limitS: fc.option(fc.double({ min: 0.1, max: 1e6, noNaN: true })),
  approved: fc.boolean(),
})
const answer: fc.Arbitrary<Answer> = fc.oneof(
  fc.record({ say: fc.constantFrom('heard', 'ready', 'more') }),
  fc.record({ say: fc.constant('refused'), why: text }),
  fc.record({ say: fc.constant('greeting'), text }),
  fc.record({
    say: fc.constant('end'),
    exitCode: fc.option(fc.nat()),
    error: fc.option(fc.record({ code: fc.constantFrom('NOT_PERMITTED'), message: text })),
  }),
) as fc.Arbitrary<Answer>

/** All that is read of these bytes, cut at these places. */
function heard(bytes: Uint8Array, cuts: readonly number[]): Heard[] {
  const reader = new ErrandReader()
  const places = [0, ...cuts.map(cut => cut % (bytes.length + 1)), bytes.length].toSorted(
    (a, b) => a - b,
  )
  return places.slice(1).flatMap((end, at) => reader.push(bytes.subarray(places[at], end)))
}
const wordsOf = (one: Heard | undefined) => (one as { words: Uint8Array }).words
const about = (more: object) =>
  utf8(
    JSON.stringify({
      ...{ errand: 1, zone: zoneToText(zone), line: 'id', user: null, timeoutMs: 1 },
      ...{ limitS: null, approved: false, ...more },
    }),
  )

describe('words about errands', () => {
  test('have these bytes', () => {
    expect(toHex(answerMessage({ say: 'ready' }))).toBe(`0013bdf0${toHex(utf8('{"say":"ready"}'))}`)
    expect(toHex(inputMessage(utf8('a'), { isLast: false }))).toBe('0005bdf161')
    expect(toHex(inputMessage(utf8(''), { isLast: true }))).toBe('0004bdf2')
    expect(printedMessages('out', utf8('b')).map(toHex)).toEqual(['0005bdf362'])
    expect(printedMessages('err', utf8('c')).map(toHex)).toEqual(['0005bdf463'])
  })

  test('are read as they were said, wherever the stream is cut', () => {
    fc.assert(
      fc.property(errand, answer, fc.array(fc.nat(), { maxLength: 6 }), (errand, answer, cuts) => {
        const bytes = concat(
          errandMessage(errand),
          inputMessage(utf8('typed'), { isLast: true }),
          ...printedMessages('err', utf8('printed')),
          answerMessage(answer),
        )
        const [first, typed, printed, last] = heard(bytes, cuts)
        expect(readErrand(wordsOf(first))).toEqual(errand)
        expect(typed).toEqual({ input: utf8('typed'), isLast: true })
        expect(printed).toEqual({ from: 'err', piece: utf8('printed') })
        expect(readAnswer(wordsOf(last))).toEqual(answer)
      }),
    )
  })

  test('split what is printed, cut what is said at length, and refuse a line that no message holds', () => {
    const large = Uint8Array.from({ length: 2 * PIECE_MAX + 1 }, (_, i) => i)
    const pieces = printedMessages('out', large).flatMap(one => new ErrandReader().push(one))
    expect(pieces).toHaveLength(3)
    const again = concat(...pieces.map(one => (one as { piece: Uint8Array }).piece))
    expect(again).toEqual(large)
    const [said] = heard(answerMessage({ say: 'greeting', text: 'x'.repeat(9_000) }), [])
    expect(readAnswer(wordsOf(said))).toEqual({ say: 'greeting', text: 'x'.repeat(2_000) })
    const long = { zone, line: 'x'.repeat(70_000), user: null, timeoutMs: 1, limitS: null }
    expect(() => errandMessage({ ...long, approved: false })).toThrow(BoxError)
  })

  test.for([
    ['no JSON', utf8('{')],
    ['no object', utf8('[]')],
    ['another version', about({ errand: 2 })],
    ['no device', about({ zone: 'kitchen' })],
    ['no command', about({ line: 7 })],
    ['a user that is none', about({ user: '../root' })],
    ['no time at all', about({ timeoutMs: 0 })],
    ['a limit that is none', about({ limitS: 'soon' })],
    ['an unknown word', utf8('{"say":"done"}')],
    ['an exit that is none', utf8('{"say":"end","exitCode":-1,"error":null}')],
    [
      'an error that is none of ours',
      utf8('{"say":"end","exitCode":null,"error":{"code":"toString","message":""}}'),
    ],
  ] as const)('refuse %s', ([, json]) => {
    expect(() => readErrand(json)).toThrow(BoxError)
    expect(() => readAnswer(json)).toThrow(BoxError)
  })

  test('of another kind end the connection', () => {
    expect(() => new ErrandReader().push(Buffer.from('0004bde0', 'hex'))).toThrow(BoxError)
    expect(() => new ErrandReader().push(Buffer.from('0003bdf0', 'hex'))).toThrow(WireError)
  })
})
