/** What the owner writes into alerts.json, and what is wrong with it. */

import { expect, test } from 'vitest'
import { isAbout, parseAlertConfig } from '../../../controller/alerts/alert-config.ts'

test('without a file silence is an alert, and nobody is told', () => {
  const { rules, targets } = parseAlertConfig('{}')
  expect(rules.map(({ name, text, devices }) => [name, text, devices])).toEqual([
    ['silent', 'silent > 10 min for 0s', '@all'],
  ])
  expect(targets).toEqual([])
  expect(parseAlertConfig('{"rules":[]}').rules).toEqual([])
})

test('commands and rooms are told, each of what it is for', () => {
  const text = JSON.stringify({
    rules: [{ name: 'busy', when: 'load > 5', devices: '@routers' }],
    deliver: [
      { command: '/usr/local/bin/page' },
      { command: ['mail', '-s', 'box; rm -rf /', 'me'], rules: ['busy'], devices: 'kitchen' },
      { room: 'ops' },
    ],
  })
  const { rules, targets } = parseAlertConfig(text)
  expect(rules[0]).toMatchObject({ name: 'busy', devices: '@routers' })
  expect(targets.map(({ to, rules: only, devices }) => [to, only, devices])).toEqual([
    [{ is: 'command', words: ['/usr/local/bin/page'] }, null, '@all'],
    [{ is: 'command', words: ['mail', '-s', 'box; rm -rf /', 'me'] }, ['busy'], 'kitchen'],
    [{ is: 'room', room: 'ops' }, null, '@all'],
  ])
  const device = { name: 'kitchen', tags: ['routers'] }
  expect(['@all', '@routers', 'kitchen', 'attic', '@lab'].map(one => isAbout(one, device))).toEqual(
    [...[true, true, true, false, false]],
  )
})

test.for([
  ['[', 'It is no JSON'],
  ['[]', 'The file is no { … }.'],
  ['{"rule":[]}', 'The file has "rule"'],
  ['{"rules":[{"name":"a","when":"load >"}]}', 'Column 7'],
  ['{"rules":[{"name":"a","when":"load > 1","devices":5}]}', '"devices" of the rule "a"'],
  ['{"deliver":{}}', '"deliver" is no list'],
  ['{"deliver":[{}]}', 'deliver[0] takes either "command" or "room"'],
  ['{"deliver":[{"room":"ops","command":"a"}]}', 'deliver[0] takes either'],
  ['{"deliver":[{"room":"a b"}]}', '"room" of deliver[0]'],
  ['{"deliver":[{"command":[]}]}', '"command" of deliver[0] is no list'],
  ['{"deliver":[{"command":["a",5]}]}', '"command" of deliver[0] is no list'],
  ['{"deliver":[{"command":"bin/page"}]}', 'is no path from the root'],
  ['{"deliver":[{"room":"ops","rules":["A"]}]}', '"rules" of deliver[0]'],
  ['{"deliver":[{"room":"ops","devices":""}]}', '"devices" of deliver[0]'],
] as const)('%s is refused', ([text, complaint]) => {
  expect(() => parseAlertConfig(text)).toThrow(complaint)
})
