import { expect, test } from 'vitest'
import { EscapeFilter } from '../../controller/terminal.ts'

const typed = (...pieces: string[]) => {
  const filter = new EscapeFilter()
  let pass = ''
  const said: string[] = []
  for (const piece of pieces) {
    const taken = filter.take(new TextEncoder().encode(piece))
    pass += new TextDecoder().decode(taken.pass)
    if (taken.said) said.push(taken.said)
  }
  return { pass, said }
}

test('what is typed passes as it is', () => {
  expect(typed('ls ~/x\r', 'a~.b\r')).toEqual({ pass: 'ls ~/x\ra~.b\r', said: [] })
})

test('tilde and dot at the beginning of a line leave, whatever the pieces', () => {
  expect(typed('~.')).toEqual({ pass: '', said: ['leave'] })
  expect(typed('ls\r', '~', '.', 'rest').said).toEqual(['leave'])
  expect(typed('ls\n~.')).toEqual({ pass: 'ls\n', said: ['leave'] })
})

test('tilde and question mark explain, and the rest of what was typed is not lost', () => {
  expect(typed('~?ls\r')).toEqual({ pass: 'ls\r', said: ['help'] })
})

test('tilde and ^Z suspend, and what follows is typed', () => {
  expect(typed('~\u001a', 'fg\r')).toEqual({ pass: 'fg\r', said: ['suspend'] })
  expect(typed('a~\u001a').said).toEqual([])
})

test('two tildes are one, and a tilde before anything else is itself', () => {
  expect(typed('~~.')).toEqual({ pass: '~.', said: [] })
  expect(typed('~root\r')).toEqual({ pass: '~root\r', said: [] })
})

test('a tilde waits for the next key', () => {
  expect(typed('~').pass).toBe('')
  expect(typed('~', '\r~.')).toEqual({ pass: '~\r', said: ['leave'] })
})
