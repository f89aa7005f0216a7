/** State: every operator, all or nothing, reset and resync; and dispatch by inheritance. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import { Dispatcher } from '../../src/psyc/dispatch.ts'
import { type Modifier, modifier, type Operator, renderPacket } from '../../src/psyc/packet.ts'
import { difference, State } from '../../src/psyc/state.ts'
import { WireError } from '../../src/wire/layout.ts'
import { fromLatin, readAll, toLatin } from './vectors.ts'

const apply = (state: State, ...entity: Modifier[]) => state.apply({ sync: null, entity })
const text = (state: State, name: string) => {
  const value = state.get(name)
  return value && toLatin(value)
}
const all = (state: State) => state.under('').map(([name, value]) => [name, toLatin(value)])

/** What is left of a variable after these operations. */
function after(name: string, ...steps: [Operator, string][]): string | null {
  const state = new State()
  for (const [operator, value] of steps) apply(state, modifier(operator, name, value))
  return text(state, name)
}

describe('each operator', () => {
  test.for([
    ['_topic', [['=', 'a']], 'a'],
    ['_topic', [[':', 'a']], null],
    [
      '_topic',
      [
        ['=', 'a'],
        ['=', ''],
      ],
      null,
    ],
    [
      '_topic',
      [
        ['=', 'a'],
        ['+', 'b'],
      ],
      'ab',
    ],
    [
      '_topic',
      [
        ['=', 'a'],
        ['-', 'b'],
      ],
      null,
    ],
    [
      '_amount_x',
      [
        ['=', '40'],
        ['+', '2'],
      ],
      '42',
    ],
    ['_amount_x', [['+', '2']], '2'],
    [
      '_amount_x',
      [
        ['=', '40'],
        ['-', '50'],
      ],
      '-10',
    ],
    [
      '_amount_x',
      [
        ['=', '9007199254740993'],
        ['+', '1'],
      ],
      '9007199254740994',
    ],
    [
      '_degree_x',
      [
        ['=', '7'],
        ['+', '5'],
      ],
      '9',
    ],
    [
      '_degree_x',
      [
        ['=', '7'],
        ['-', '8'],
      ],
      '0',
    ],
    [
      '_list_x',
      [
        ['=', '| a| b'],
        ['+', '| c|=_t d'],
      ],
      '| a| b| c|=_t d',
    ],
    [
      '_list_x',
      [
        ['+', '_t| a'],
        ['+', '|=_t b|=_u c'],
      ],
      '_t| a| b|=_u c',
    ],
    [
      '_list_x',
      [
        ['=', '| a| b| a|1 a'],
        ['-', '| a'],
      ],
      '| b',
    ],
    [
      '_list_x',
      [
        ['=', '_t| a|=_u a'],
        ['-', '|=_t a'],
      ],
      '_t|=_u a',
    ],
    [
      '_list_x',
      [
        ['=', '| a'],
        ['-', '| a'],
      ],
      null,
    ],
    [
      '_dict_x',
      [
        ['=', '{a} 1{b} 2'],
        ['+', '{b} 3{c} 4'],
      ],
      '{a} 1{b} 3{c} 4',
    ],
    [
      '_dict_x',
      [
        ['=', '{a} 1{b} 2'],
        ['-', '{a}{x}'],
      ],
      '{b} 2',
    ],
    [
      '_list_x',
      [
        ['=', '| a| b| c'],
        ['@', '#1 = x'],
      ],
      '| a| x| c',
    ],
    [
      '_list_x',
      [
        ['=', '| a| b'],
        ['@', '#2 = x'],
      ],
      '| a| b| x',
    ],
    [
      '_list_x',
      [
        ['=', '| a| b'],
        ['@', '#0 ='],
      ],
      '| b',
    ],
    [
      '_list_x',
      [
        ['=', '| 5'],
        ['@', '#0 + 7'],
      ],
      '| 12',
    ],
    [
      '_list_x',
      [
        ['=', '|=_amount 5'],
        ['@', '#0 - 7'],
      ],
      '|=_amount -2',
    ],
    [
      '_dict_x',
      [
        ['=', '{a} 1'],
        ['@', '{b} = 2'],
      ],
      '{a} 1{b} 2',
    ],
    [
      '_dict_x',
      [
        ['=', '{a} 1{b} 2'],
        ['@', '{a} ='],
      ],
      '{b} 2',
    ],
    [
      '_dict_x',
      [
        ['=', '{a}=_list:3 | x'],
        ['@', '{a}#1 = y'],
      ],
      '{a}=_list | x| y',
    ],
    [
      '_list_x',
      [
        ['=', '|=_nick kris|=_amount 1'],
        ['@', '._amount + 1'],
      ],
      '|=_nick kris|=_amount 2',
    ],
  ] as [string, [Operator, string][], string | null][])(
    '%s after %j is %j',
    ([name, steps, wanted]) => {
      expect(after(name, ...steps)).toBe(wanted)
    },
  )

  test('a field of a struct in a dict', () => {
    const state = new State()
    apply(
      state,
      modifier('=', '_struct_member', '|=_nick|=_amount'),
      modifier('=', '_dict_members', '{a}=_struct_member:8 | kris| '),
      modifier('@', '_dict_members', '{a}._amount = 7'),
    )
    expect(text(state, '_dict_members')).toBe('{a}=_struct_member | kris| 7')
  })
})

describe('what does not fit', () => {
  test.for([
    ['+', '_amount_x', 'ten'],
    ['+', '_list_x', 'x'],
    ['-', '_dict_x', '| a'],
    ['@', '_list_x', '#7 = x'],
    ['@', '_list_x', '._nick = x'],
    ['@', '_list_x', 'nonsense'],
    ['+', '_amount_x', '9'.repeat(31)],
    ['?', '_x', ''],
    ['!', '_x', ''],
  ] as [Operator, string, string][])(
    '%s %s %s changes nothing, nor what came before it',
    ([operator, name, value]) => {
      const state = new State()
      apply(state, modifier('=', '_amount_x', '1'), modifier('=', '_list_x', '| a'))
      const before = all(state)
      const good = modifier('=', '_topic', 'new')
      expect(() => apply(state, good, modifier(operator, name, value))).toThrow(WireError)
      expect(all(state)).toEqual(before)
      const both = { sync: 'reset' as const, entity: [good, modifier(operator, name, value)] }
      expect(() => state.apply(both)).toThrow(WireError)
      expect(all(state)).toEqual(before)
    },
  )

  test('a state has a size', () => {
    const state = new State()
    const large = new Uint8Array(100_000).fill(0x61)
    const grow = () => {
      for (let i = 0; i < 20; i++) apply(state, modifier('=', `_x_${i}`, large))
    }
    expect(grow).toThrow(BoxError)
    expect(state.under('').length).toBe(10)
    expect(renderPacket(state.snapshot()).length).toBeGreaterThan(1_000_000)
    apply(state, modifier('=', '_x_0', ''), modifier('=', '_y', large))
    const many = () => {
      for (let i = 0; i < 5_000; i++) apply(state, modifier('=', `_z_${i}`, 'x'))
    }
    expect(many).toThrow(BoxError)
  })
})

test('a reset forgets, then applies', () => {
  const state = new State()
  apply(state, modifier('=', '_a', '1'), modifier('=', '_b', '1'))
  state.apply({ sync: 'reset', entity: [modifier('=', '_c', '2'), modifier('+', '_c', '3')] })
  expect(all(state)).toEqual([['_c', '23']])
})

test('variables are found by inheritance', () => {
  const state = new State()
  apply(state, modifier('=', '_degree', '1'), modifier('=', '_degree_mood_today', '2'))
  expect(state.nearest('_degree_mood')?.name).toBe('_degree')
  expect(state.under('_degree_mood').map(([name]) => name)).toEqual(['_degree_mood_today'])
  expect(state.under('_deg')).toEqual([])
})

test('the modifiers of a packet lie over the state while it is handled', () => {
  const state = new State()
  apply(state, modifier('=', '_a', '1'))
  const seen = state.overlaid([modifier(':', '_a', '2'), modifier(':', '_b', '3')])
  expect([...seen].map(([name, value]) => [name, toLatin(value)])).toEqual([
    ['_a', '2'],
    ['_b', '3'],
  ])
  expect(text(state, '_a')).toBe('1')
})

const name = fc.constantFrom('_topic', '_amount_x', '_degree_y', '_list_z', '_dict_d', '_struct')
const value = fc.oneof(
  fc.constantFrom('| a| b', '_t| a', '{a} 1', '{b}=_list:3 | x', '#0 = 1', '{a} =', '7', '', '12'),
  fc.string({ maxLength: 6 }),
)
const operator = fc.constantFrom<Operator>('=', '=', '+', '-', '@', ':', '?')
const steps = fc.array(fc.tuple(operator, name, value), { maxLength: 40 })

test('whatever is applied fits whole or not at all, and a copy by resync is equal', () => {
  fc.assert(
    fc.property(steps, list => {
      const state = new State()
      for (const [op, of, what] of list) {
        const before = all(state)
        try {
          apply(state, modifier('=', '_x', `${before.length}`), modifier(op, of, what))
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
          expect(all(state)).toEqual(before)
        }
      }
      const copy = new State()
      apply(copy, modifier('=', '_corrupted', 'yes'))
      copy.apply(readAll([renderPacket(state.snapshot())]).packets[0]!)
      expect(all(copy)).toEqual(all(state))
    }),
    { numRuns: 500 },
  )
})

test('a difference makes one state out of another', () => {
  const before = new Map([
    ['_a', fromLatin('1')],
    ['_b', fromLatin('2')],
  ])
  const changed = new Map([
    ['_b', fromLatin('2')],
    ['_c', fromLatin('3')],
  ])
  const changes = difference(before, changed, equalBytes)
  expect(changes.map(({ name: of, value: v }) => [of, toLatin(v)])).toEqual([
    ['_c', '3'],
    ['_a', ''],
  ])
})

describe('dispatch', () => {
  test('goes from the most specific handler to the root, until one stops', () => {
    const calls: string[] = []
    const dispatcher = new Dispatcher<number>()
    dispatcher.on('', (_, method) => {
      calls.push(`root ${method}`)
      return 'go on'
    })
    dispatcher.on('_notice', () => {
      calls.push('notice')
      return 'go on'
    })
    dispatcher.on('_notice_a_b', () => {
      calls.push('a_b')
      return 'go on'
    })
    dispatcher.on('_message', () => {
      calls.push('message')
      return 'stop'
    })
    expect(dispatcher.dispatch('_notice_a_b_c', 1)).toBe(true)
    expect(dispatcher.dispatch('_message_x', 1)).toBe(true)
    expect(calls).toEqual(['a_b', 'notice', 'root _notice_a_b_c', 'message'])
  })

  test('what nobody handles, and compact keywords, are not handled', () => {
    const dispatcher = new Dispatcher<number>()
    dispatcher.on('_notice', () => 'stop')
    for (const method of ['_message', '_noticed', 'notice', '', '_', 'n'])
      expect(dispatcher.dispatch(method, 1), method).toBe(false)
  })
})
