import { closeSync, existsSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fillFolder } from '../../deploy/output-folder.ts'
import { scratchDirectory } from '../sys/scratch.ts'

const names = (folder: string) => readdirSync(folder).sort()

test('leaves the files of the last build alone, and nothing beside the folder', () => {
  const beside = scratchDirectory()
  const folder = join(beside, 'bin')
  fillFolder(
    folder,
    new Map<string, string | Uint8Array>([
      ['box.js', '#!/usr/bin/env node\nstart()'],
      ['part-1.js', 'one'],
      ['part-1.cache', Buffer.of(0xff, 0)],
    ]),
  )
  expect(statSync(join(folder, 'box.js')).mode & 0o777).toBe(0o755)
  expect(statSync(join(folder, 'part-1.js')).mode & 0o777).toBe(0o644)
  expect(readFileSync(join(folder, 'part-1.cache'))).toEqual(Buffer.of(0xff, 0))

  fillFolder(folder, new Map([['box.js', '#!/usr/bin/env node\nnext()']]))
  expect(names(folder)).toEqual(['box.js'])
  expect(readFileSync(join(folder, 'box.js'), 'utf8')).toContain('next()')
  expect(names(beside)).toEqual(['bin'])
})

test('who has opened a file reads what it was, whole', () => {
  const folder = join(scratchDirectory(), 'bin')
  fillFolder(folder, new Map([['part.js', 'as it was']]))
  const opened = openSync(join(folder, 'part.js'), 'r')
  try {
    fillFolder(folder, new Map([['part.js', 'as it is now']]))
    expect(readFileSync(opened, 'utf8')).toBe('as it was')
  } finally {
    closeSync(opened)
  }
})

test('a build that fails leaves no file half written', () => {
  const beside = scratchDirectory()
  const folder = join(beside, 'bin')
  fillFolder(folder, new Map([['part.js', 'whole']]))
  expect(() => fillFolder(folder, new Map([['no/such.js', '']]))).toThrow('ENOENT')
  expect(readFileSync(join(folder, 'part.js'), 'utf8')).toBe('whole')
  expect(names(beside)).toEqual(['bin'])
  expect(existsSync(join(folder, 'no'))).toBe(false)
})
