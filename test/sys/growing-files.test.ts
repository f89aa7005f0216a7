import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { growingFiles } from '../../src/sys/growing-files.ts'
import { utf8 } from '../vectors.ts'

let top: string
const folder = () => join(top, 'recordings')

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'box-growing-'))
})

afterEach(() => rmSync(top, { recursive: true }))

test('a folder that was never made has nothing in it, and is not made by looking', () => {
  expect(growingFiles(folder()).list()).toEqual([])
  expect(existsSync(folder())).toBe(false)
})

test('what is appended is read again, from anywhere, also while more comes', () => {
  const files = growingFiles(folder())
  const file = files.create('b')
  file.append(utf8('hello'))
  expect(files.read('b', 0, 100)).toEqual(utf8('hello'))
  file.append(utf8(' there'))
  file.close()
  file.close()
  expect(files.read('b', 3, 4)).toEqual(utf8('lo t'))
  expect(files.read('b', 50, 4)).toHaveLength(0)
  files.create('a').close()
  expect(files.list()).toEqual([
    { name: 'a', size: 0 },
    { name: 'b', size: 11 },
  ])
  expect(statSync(join(folder(), 'b')).mode & 0o777).toBe(0o600)
  files.remove('b')
  files.remove('b')
  expect(files.list()).toHaveLength(1)
})

test('a file is not begun twice, and none is begun where that cannot be', () => {
  const files = growingFiles(folder())
  files.create('a').close()
  const unwritable = expect.objectContaining({ code: 'STATE_UNWRITABLE' })
  expect(() => files.create('a')).toThrow(unwritable)
  writeFileSync(join(top, 'file'), '')
  expect(() => growingFiles(join(top, 'file', 'x')).create('a')).toThrow(unwritable)
})

test('a file is gone on with behind its first bytes, and what it had beyond them is no more', () => {
  const files = growingFiles(folder())
  const file = files.create('a')
  file.append(utf8('hello there'))
  file.close()
  const again = files.goOn('a', 5)
  again.append(utf8('!'))
  again.close()
  expect(files.read('a', 0, 100)).toEqual(utf8('hello!'))
  const unwritable = expect.objectContaining({ code: 'STATE_UNWRITABLE' })
  expect(() => files.goOn('b', 0)).toThrow(unwritable)
})

test('how much is free is known before the folder is there, and after', () => {
  const files = growingFiles(folder())
  expect(files.free()).toBeGreaterThan(0)
  expect(existsSync(folder())).toBe(false)
  files.create('a').close()
  expect(files.free()).toBeGreaterThan(0)
})

test('a file that cannot be gone on with is left as it is, and not held open', () => {
  const files = growingFiles(folder())
  files.create('a').close()
  const held = () => readdirSync('/proc/self/fd').length
  const before = held()
  for (let i = 0; i < 5; i++) expect(() => files.goOn('a', 1.5)).toThrow()
  expect(held()).toBe(before)
})
