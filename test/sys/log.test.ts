import { expect, test } from 'vitest'
import { isLevel, lineLog } from '../../src/sys/log.ts'
import { World } from '../sim/world.ts'

function logOf(format: 'text' | 'json', world = new World(1)) {
  const lines: string[] = []
  const log = lineLog({ level: 'info', format, clock: world, write: line => lines.push(line) })
  return { log, lines, world }
}

test('an event is a line, and what is below the level is not written', () => {
  const { log, lines } = logOf('text')
  log.note('debug', 'core', 'ping')
  log.note('warn', 'core', 'session lost', { peer: 'ABCD', ms: 12, why: 'no "answer"\nfor long' })
  expect(lines).toEqual([
    '2030-01-01T00:00:00.000Z warn  core: session lost peer=ABCD ms=12 why="no \\"answer\\"\\nfor long"',
  ])
})

test('no value can end the line or command the terminal', () => {
  const { log, lines } = logOf('text')
  log.note('error', 'box', 'bad', { text: '\u001b[2J\u009b2J\u2028\r\n' })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
  expect(lines[0]).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028]/)
})

test('machines get JSON', () => {
  const { log, lines } = logOf('json')
  log.note('info', 'core', 'up', { peer: 'ABCD', address: null })
  expect(JSON.parse(lines[0]!)).toEqual({
    time: '2030-01-01T00:00:00.000Z',
    level: 'info',
    area: 'core',
    event: 'up',
    peer: 'ABCD',
    address: null,
  })
})

test('an event that comes again and again is written seldom, with the number left out', () => {
  const { log, lines, world } = logOf('json')
  for (let i = 0; i < 1_000; i++) {
    log.note('info', 'core', 'noise')
    world.run(100)
  }
  log.note('info', 'core', 'other')
  expect(lines.length).toBeLessThan(35)
  expect(lines.length).toBeGreaterThan(25)
  const left = lines.reduce((sum, line) => sum + (JSON.parse(line).suppressed ?? 0), 0)
  expect(left + lines.length - 1).toBeGreaterThan(900)
  expect(lines.at(-1)).toContain('other')
})

test('knows the levels', () => {
  expect(['debug', 'info', 'warn', 'error', 'loud', 'toString'].map(isLevel)).toEqual([
    true,
    true,
    true,
    true,
    false,
    false,
  ])
})
