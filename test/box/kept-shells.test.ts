import { expect, test } from 'vitest'
import {
  isShellId,
  type KeptShells,
  newShellId,
  parseShells,
  shellsText,
} from '../../src/box/kept-shells.ts'
import { seededRandom } from '../sim/random.ts'

const KEPT: KeptShells = {
  keepMs: 1_800_000,
  shells: [{ id: '4tq0w9zr', state: 'kept', program: 'vim', startedAt: 5, silentMs: 7 }],
}

test('a list of shells is read as it was written', () => {
  expect(parseShells(shellsText(KEPT))).toEqual(KEPT)
})

test('a new name is one, and another each time', () => {
  const random = seededRandom(1)
  const names = Array.from({ length: 100 }, () => newShellId(random))
  expect(names.every(isShellId)).toBe(true)
  expect(new Set(names).size).toBe(100)
})

test('what a device calls a program cannot steer our terminal', () => {
  const [shell] = KEPT.shells
  const program = `\u001b]0;x\u0007${'y'.repeat(100)}`
  const [read] = parseShells(shellsText({ ...KEPT, shells: [{ ...shell!, program }] })).shells
  expect(read!.program).toMatch(/^ \]0;x y+$/)
  expect(read!.program).toHaveLength(32)
})

test.for([
  '',
  'null',
  '{}',
  '{"keepMs":-1,"shells":[]}',
  '{"keepMs":1,"shells":[{"id":"../x"}]}',
  '{"keepMs":1,"shells":[{"id":"4tq0w9zr","state":"gone","program":"","startedAt":1,"silentMs":1}]}',
])('%s is no list of shells', text => {
  expect(() => parseShells(text)).toThrowError(
    expect.objectContaining({ code: 'STATE_UNEXPECTED' }),
  )
})
