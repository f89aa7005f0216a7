/** Names: what inherits from what, which type a name has, uniforms, templates. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import {
  degree,
  family,
  fromPsycDate,
  inherits,
  isRouting,
  lineage,
  matches,
  nearest,
  toPsycDate,
  variableType,
} from '../../src/psyc/keyword.ts'
import { fillTemplate } from '../../src/psyc/template.ts'
import { parseUniform, renderUniform } from '../../src/psyc/uniform.ts'
import { VECTORS } from './vectors.ts'

test('a keyword inherits what it begins with, up to an underscore', () => {
  const long = '_failure_unsuccessful_delivery_death'
  expect(inherits(long, '_failure_unsuccessful')).toBe(true)
  expect(inherits(long, '_fail')).toBe(false)
  expect(inherits(long, '_failure_delivery')).toBe(false)
  expect(inherits(long, long)).toBe(true)
  expect(inherits('_messages', '_message')).toBe(false)
  expect(inherits('_a', '_a_b')).toBe(false)
})

test('a keyword matches where its parts occur in order', () => {
  const long = '_failure_unsuccessful_delivery_death'
  expect(matches(long, '_failure_delivery')).toBe(true)
  expect(matches(long, '_delivery_failure')).toBe(false)
  expect(matches(long, '_fail')).toBe(false)
})

test('a lineage ends at the family', () => {
  expect([...lineage('_message_private_x')]).toEqual([
    '_message_private_x',
    '_message_private',
    '_message',
  ])
  expect([...lineage('______')].length).toBeLessThan(7)
  expect([...lineage('_')]).toEqual([])
})

test('the most specific rule is found', () => {
  const rules = new Map([
    ['_notice', 1],
    ['_notice_sensor', 2],
  ])
  expect(nearest(rules, '_notice_sensor_temperature')).toBe(2)
  expect(nearest(rules, '_notice_sensors')).toBe(1)
  expect(nearest(rules, '_message')).toBe(null)
})

test('a type is the first part of a name, and nothing else', () => {
  expect(variableType('_list_members')).toBe('list')
  expect(variableType('_amount')).toBe('amount')
  for (const none of ['_last', '_lost_foo', '_colorful', '_listfoo', '_foo', 'bar', '______', '_'])
    expect(variableType(none), none).toBe(null)
})

test('routing variables have no descendants', () => {
  expect(isRouting('_source')).toBe(true)
  for (const none of ['_source_foo', '_sourcherry', '_sour']) expect(isRouting(none)).toBe(false)
})

test('families have the flags of libpsyc, and those it forgot', () => {
  expect(family('_message_private')).toEqual({ name: '_message', flags: 28 })
  expect(family('_echo_context_enter')?.flags).toBe(7)
  expect(family('_error_x')?.flags).toBe(15)
  expect(family('_request_friendship')?.flags).toBe(13)
  expect(family('_converse')?.flags).toBe(28)
  expect(family('_data')?.flags).toBe(0)
  expect(family('_fail')).toBe(null)
})

test('dates count from the epoch of PSYC, degrees are a digit', () => {
  expect(toPsycDate(1_440_444_041_000)).toBe('0')
  expect(fromPsycDate(toPsycDate(1_800_000_000_000))).toBe(1_800_000_000_000)
  expect(fromPsycDate('soon')).toBe(null)
  expect(['7', '42', 'x', ''].map(degree)).toEqual([7, 4, 0, 0])
})

describe('uniforms', () => {
  test.for(VECTORS.uniforms.valid)('reads %s', ([text, parts]) => {
    expect(parseUniform(text)).toEqual(parts)
    expect(renderUniform(parseUniform(text))).toBe(text)
  })

  test.for(VECTORS.uniforms.invalid)('refuses %s for its %s', ([text, part]) => {
    expect(() => parseUniform(text)).toThrow(part)
  })

  test('noise is refused, or renders to what is read again', () => {
    const noise = fc.stringMatching(/^psyc:\/\/[a-z.:/#~@0-9-]{0,20}$/)
    fc.assert(
      fc.property(fc.oneof(noise, fc.string()), text => {
        try {
          const uniform = parseUniform(text)
          expect(parseUniform(renderUniform(uniform))).toEqual(uniform)
        } catch (error) {
          expect(error).toBeInstanceOf(BoxError)
        }
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('templates', () => {
  const known =
    (values: Record<string, string>) =>
    (name: string): string | null =>
      Object.hasOwn(values, name) ? values[name]! : null

  test.for([
    [{ _foo: 'Foo', _bar: 'Bar' }, 'Hello Foo & Bar!'],
    [{ _foo: '', _bar: '' }, 'Hello  & !'],
    [{}, 'Hello [_foo] & [_bar]!'],
  ] as const)('fills in what is known (%#)', ([values, wanted]) => {
    expect(fillTemplate('Hello [_foo] & [_bar]!', known({ ...values }))).toBe(wanted)
  })

  test('brackets that are no variable stay', () => {
    for (const text of ['[]', '[ _a]', '[_a', '_a]', '[;]', '[:]', '[? ]'])
      expect(fillTemplate(text, known({ _a: 'x' }))).toBe(text)
  })

  test('conditions choose', () => {
    const text = '[? _a]A is [_a][:]no A[;][! _b], no B[;].'
    expect(fillTemplate(text, known({ _a: '1' }))).toBe('A is 1, no B.')
    expect(fillTemplate(text, known({ _b: '1' }))).toBe('no A.')
    const nested = '[? _a]([? _b]ab[:]a[;])[:]-[;]'
    expect(fillTemplate(nested, known({ _a: '', _b: '' }))).toBe('(ab)')
    expect(fillTemplate(nested, known({ _b: '' }))).toBe('-')
  })

  test('a value is never looked at again', () => {
    expect(fillTemplate('[_a]', known({ _a: '[_b][? _b]', _b: 'secret' }))).toBe('[_b][? _b]')
  })
})
