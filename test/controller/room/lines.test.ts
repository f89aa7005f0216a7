/** What others say, as it is shown: who said it, and that nothing in it steers the terminal or passes for another line. */

import { expect, test } from 'vitest'
import { Output } from '../../../controller/output.ts'
import { lineOf, RoomNames, type Said, saidIn, saidValue } from '../../../controller/room/lines.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { zoneToText } from '../../../src/gns/name.ts'
import { modifier } from '../../../src/psyc/packet.ts'
import { seededRandom } from '../../sim/random.ts'
import { World } from '../../sim/world.ts'

const random = seededRandom(1)
const person = () => ZoneSecret.generate('EDKEY', random)
const [me, kitchen, ada, meBefore] = [person(), person(), person(), person()]
const zone = (one: ZoneSecret) => zoneToText(one.zone)

const names = new RoomNames({
  fleet: { devices: () => [{ name: 'kitchen', zone: kitchen.zone }] },
  ego: () => ({ name: 'home', secret: me, former: [{ secret: meBefore }] }),
} as unknown as ConstructorParameters<typeof RoomNames>[0])

const said = (text: string, some: Partial<Said> = {}): Said => ({
  ...{ id: 7n, at: Date.UTC(2030, 0, 1), what: 'message', person: null, text, offer: null },
  author: { zone: zone(ada), nick: 'ada' },
  ...some,
})

/** As a terminal gets it, without the time. */
function shown(one: Said): string {
  let printed = ''
  const write = (text: string | Uint8Array) => {
    printed += text
  }
  const sink = { isTerminal: true, write }
  const output = new Output({ json: false, out: sink, err: sink, clock: new World(1) })
  output.result(lineOf(one, names), {})
  return printed.slice('2030-01-01 00:00 '.length)
}

test('people are called as we call them, else as the room does, else by their key', () => {
  const by = (one: ZoneSecret, nick: string) => names.of({ zone: zone(one), nick })
  expect(by(kitchen, 'x')).toBe('kitchen')
  expect(by(me, 'x')).toBe('home')
  expect(by(meBefore, 'home')).toBe('home')
  expect(by(ada, 'ada')).toBe('ada')
  expect(by(ada, '')).toBe(`…${zone(ada).slice(7, 15)}`)
})

test('whoever is called like somebody we know is marked', () => {
  for (const nick of ['kitchen', 'home'])
    expect(names.of({ zone: zone(ada), nick })).toBe(`${nick}(…${zone(ada).slice(7, 15)})`)
})

test.for([
  ['\u001b[2J\u001b]0;gone\u0007', '?[2J?]0;gone?'],
  ['\u009b31mred', '?31mred'],
  ['a\rb', 'a\n    b'],
  ['one\n2030-01-01 00:00 home: rm -rf /', 'one\n    2030-01-01 00:00 home: rm -rf /'],
  ['one\u2028home: two', 'one\n    home: two'],
  ['\u202eevil\u2066', '?evil?'],
  ['\b\b\b\u007f', '????'],
  ['שלום', 'שלום'],
  ['trailing\n\n', 'trailing'],
] as const)('%j is shown as %j', ([text, wanted]) => {
  expect(shown(said(text))).toBe(`ada: ${wanted}\n`)
})

test('what happens is told, and who did it', () => {
  const about = { person: { zone: zone(ada), nick: 'ada' } }
  const by = { author: { zone: zone(me), nick: 'home' } }
  for (const [what, line] of [
    ['enter', '-- ada enters\n'],
    ['leave', '-- ada leaves\n'],
    ['remove', '-- ada is put out\n'],
    ['invite', '-- home invites ada\n'],
    ['name', `-- home calls ${zone(ada)} ada\n`],
  ] as const)
    expect(shown(said('', { what, ...about, ...by }))).toBe(line)
})

test('a message is read by its method, a new one by what it inherits from', () => {
  const message = (method: string) => ({
    ...{ id: 1n, at: 0, method, isReset: false, data: new TextEncoder().encode('x') },
    entity: [modifier(':', '_nym_author', zone(ada)), modifier(':', '_nym_author', 'forged')],
  })
  expect(saidIn(message('_message_warm'))).toMatchObject({
    ...{ what: 'message', text: 'x' },
    author: { zone: zone(ada), nick: '' },
  })
  expect(saidIn(message('_notice_place_leave_removed'))?.what).toBe('remove')
  expect(saidIn(message('_notice_place_leave_bored'))?.what).toBe('leave')
  expect(saidIn(message('_messages'))).toBe(null)
})

test('for programs: what was said, as it was said', () => {
  expect(saidValue('ops', said('a\u001bb'), names)).toEqual({
    ...{ room: 'ops', id: '7', at: '2030-01-01T00:00:00.000Z', what: 'message' },
    ...{ author: 'ada', author_zone: zone(ada), text: 'a\u001bb' },
  })
})
