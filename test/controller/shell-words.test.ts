import { spawnSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { commandLine } from '../../controller/shell-words.ts'

test('one word is a line of shell', () => {
  expect(commandLine(['ls *.txt | wc -l'])).toBe('ls *.txt | wc -l')
})

test('several words arrive as exactly those', () => {
  const words = ['printf', '%s|', 'a  b', "it's", '$HOME', '*', '', '-n', '~', 'ä\n"\\']
  const { stdout } = spawnSync('/bin/sh', ['-c', commandLine(words)], { encoding: 'utf8' })
  expect(stdout).toBe(
    words
      .slice(2)
      .map(word => `${word}|`)
      .join(''),
  )
})

test('no word can break out of its quotes', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 2 }), words => {
      const outside = commandLine(words)
        .replaceAll("'\\''", '')
        .replace(/'[^']*'/g, '')
      expect(outside).toMatch(/^[\w@%+=:,./ -]*$/)
    }),
  )
})
