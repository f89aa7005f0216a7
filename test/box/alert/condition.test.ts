/** The language of the rules: what it means, what is not known, and where a mistake is. */

import { describe, expect, test } from 'vitest'
import { BoxError } from '../../../src/base/errors.ts'
import { parseCondition } from '../../../src/box/alert/condition.ts'
import { factsOf } from '../../../src/box/alert/facts.ts'
import { judge } from '../../../src/box/alert/judgement.ts'
import { toPsycDate } from '../../../src/psyc/keyword.ts'

const NOW = 1_800_000_000_000
const values = (texts: Record<string, string>) =>
  new Map(Object.entries(texts).map(([name, text]) => [name, new TextEncoder().encode(text)]))

const KITCHEN = values({
  _nick: 'kitchen',
  _version_agent: '0.1.0',
  _amount_load_hundredths: '600',
  _amount_processors: '4',
  _amount_memory_total: '1000',
  _amount_memory_available: '250',
  _dict_disks_total: '{/} 1000{/var} 500{/mnt} 0',
  _dict_disks_used: '{/} 100{/var} 475{/mnt} 0',
  _dict_temperatures_thousandths: '{cpu} 48312{disk} 61000',
  _date_boot: toPsycDate(NOW - 3_600_000),
  _configuration_state: 'put_back',
  _amount_configuration_drift: '2',
  _dict_services_state: '{nginx} failed{ssh} running',
  _amount_clock_offset_milliseconds: '-7200000',
  _amount_clock_error_milliseconds: '250',
  _probe_ups_charge: '42.5',
  _probe_ups_state: 'on battery',
  _probe_ups_age: '9',
})
const facts = factsOf(KITCHEN, NOW)
const verdict = (text: string) => judge(parseCondition(text), facts)

describe('a condition', () => {
  test.for([
    ['disk_used_ratio > 0.9', true, 'disk_used_ratio 95 % (/var)'],
    ['disk_used_ratio > 90 %', true, 'disk_used_ratio 95 % (/var)'],
    ['disk_used_ratio["/"] > 90%', false, ''],
    ['disk_used_ratio > 90 % and disk_total > 600', false, ''],
    [
      'disk_used_ratio > 5 % and disk_total > 600',
      true,
      'disk_used_ratio 10 % (/), disk_total 1000 (/)',
    ],
    [
      'disk_free < 1 k and temperature > 60',
      true,
      'disk_free 900 (/), temperature 61 (disk), disk_free 25 (/var), temperature 61 (disk)',
    ],
    ['load_ratio > 1', true, 'load_ratio 150 %'],
    ['_load > 5 and memory_used_ratio >= 75%', true, 'load 6, memory_used_ratio 75 %'],
    ['uptime < 2 h', true, 'uptime 3600'],
    ['uptime / 60 > 10 * 6 - 1', true, 'uptime 3600'],
    ['not (load < 5 or processors == 2)', true, 'load 6, processors 4'],
    ['configuration_state == "put_back"', true, 'configuration_state put_back'],
    ['version_agent != "0.1.0"', false, ''],
    ['configuration_drift > 0', true, 'configuration_drift 2'],
    ['_amount_configuration_drift > 0', true, 'amount_configuration_drift 2'],
    ['_probe_ups_* < 10', true, 'probe_ups_age 9'],
    ['_probe_* == "on battery"', true, 'probe_ups_state on battery'],
    ['probe_ups_charge == "42.5"', true, 'probe_ups_charge 42.5'],
    ['missing(probe_ups_volts)', true, 'probe_ups_volts is missing'],
    ['missing(probe_ups_charge)', false, ''],
    ['missing(disk_used["/srv"])', true, 'disk_used is missing'],
    ['-load < -5', true, 'load 6'],
    ['load > 5 or nothing > 5', true, 'load 6'],
    ['service_state == "failed"', true, 'service_state failed (nginx)'],
    ['service_state["ssh"] != "running"', false, ''],
    ['clock_offset < -1 h and clock_error < 1', true, 'clock_offset -7200, clock_error 0.25'],
    ['clock_wrong > 1 min', true, 'clock_wrong 7200'],
  ] as const)('%s', ([text, holds, value]) => {
    expect(verdict(text)).toEqual({ holds, value })
  })

  test.for([
    'nothing > 5',
    'not nothing > 5',
    'load < 5 or nothing > 5',
    'load > 5 and nothing > 5',
    'load / (processors - 4) > 1',
    'configuration_state > 5',
    'nothing["/"] == "x"',
  ])('%s is not known', text => {
    expect(verdict(text).holds).toBeNull()
  })

  test.for([
    ['', 'Column 1 of the condition: a variable, a number or a text is expected, not the end.'],
    ['load', 'Column 5 of the condition: a comparison like "> 5" is expected, not the end.'],
    [
      'load > ',
      'Column 8 of the condition: a variable, a number or a text is expected, not the end.',
    ],
    ['load > 5 6', 'Column 10 of the condition: "and", "or" or the end is expected, not "6".'],
    ['load = 5', 'Column 6 of the condition: it is compared with "==".'],
    ['load > 5 && x > 1', 'Column 10 of the condition: it is joined with "and" or "or".'],
    ['load > 5 furlong', 'Column 10 of the condition: "furlong" is no unit'],
    ['Load > 5', 'Column 1 of the condition: "Load" is no name of a variable'],
    ['disk_used["/] > 5', 'Column 11 of the condition: the text has no end.'],
    ['(load > 5', 'Column 10 of the condition: ")" is expected, not the end.'],
    ['(load > 5) > 3', 'Column 12 of the condition: "and", "or" or the end is expected, not ">".'],
    [
      'load + (x > 3) > 3',
      'Column 16 of the condition: a value, not a comparison, is expected, not ">".',
    ],
    ['missing(5)', 'Column 9 of the condition: "missing" takes a variable.'],
    [
      `${'('.repeat(40)}load > 5${')'.repeat(40)}`,
      'Column 18 of the condition: it is nested too deeply.',
    ],
    ['x'.repeat(513), 'The condition has more than 512 characters.'],
    ['disk_used > 1 and temperature > 1 and interface_sent > 1', 'more than two lists'],
    ['process.exit() > 1', 'Column 8 of the condition: "." means nothing here.'],
  ] as const)('%s is refused, and where', ([text, complaint]) => {
    try {
      parseCondition(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(BoxError)
      expect((error as BoxError).code).toBe('ALERT_INVALID')
      expect((error as BoxError).detail).toContain(complaint)
    }
  })
})

test('values that make no sense are no facts', () => {
  const odd = factsOf(
    values({ _dict_disks_total: '{', _date_boot: 'x', _amount_memory_total: '0', _amount: '7' }),
    NOW,
  )
  expect(odd.of('_disk_total')).toEqual([])
  expect(odd.of('_uptime')).toEqual([])
  expect(odd.of('_memory_used_ratio')).toEqual([])
  expect(odd.of('_amount')).toMatchObject([{ number: 7 }])
})
