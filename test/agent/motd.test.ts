import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { messageOfTheDay } from '../../agent/motd.ts'

let home: string
const said = (...names: string[]) =>
  Buffer.from(
    messageOfTheDay(
      home,
      names.map(name => join(home, name)),
    ),
  ).toString()

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'box-motd-'))
  writeFileSync(join(home, 'one'), 'grüße\nfrom here\n')
  writeFileSync(join(home, 'two'), 'and there\n')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

test('has the line ends of a terminal, and its bytes as they are', () => {
  expect(said('one', 'two')).toBe('grüße\r\nfrom here\r\nand there\r\n')
})

test('is empty where no file is there, and for whoever wants silence', () => {
  expect(said('none')).toBe('')
  writeFileSync(join(home, '.hushlogin'), '')
  expect(said('one')).toBe('')
})
