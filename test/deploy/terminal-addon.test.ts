import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { expect, test } from 'vitest'
import { layDown } from '../../deploy/terminal-addon.ts'
import { scratchDirectory } from '../sys/scratch.ts'

const CONTENT = new TextEncoder().encode('a library')

test('is laid down once, under its hash, for its owner only', () => {
  const directory = join(scratchDirectory(), 'above', 'cache')
  const path = layDown(directory, CONTENT)
  const { ino, mode } = statSync(path)
  expect(mode & 0o777).toBe(0o600)
  expect(statSync(directory).mode & 0o777).toBe(0o700)
  expect(layDown(directory, CONTENT)).toBe(path)
  expect(statSync(path).ino).toBe(ino)
  expect(readdirSync(directory)).toEqual([basename(path)])
  expect(layDown(directory, Uint8Array.of(1))).not.toBe(path)
})

test.for([
  ['cut off', (path: string) => writeFileSync(path, 'a lib')],
  ['changed', (path: string) => writeFileSync(path, 'b library')],
  ['open to others', (path: string) => chmodSync(path, 0o666)],
] as const)('a file that is %s is replaced', ([, damage]) => {
  const directory = scratchDirectory()
  const path = layDown(directory, CONTENT)
  damage(path)
  expect(layDown(directory, CONTENT)).toBe(path)
  expect(readFileSync(path)).toEqual(Buffer.from(CONTENT))
  expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('a directory in which others could replace it is refused', () => {
  const open = join(scratchDirectory(), 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  expect(() => layDown(open, CONTENT)).toThrow('not ours alone')
  const link = join(scratchDirectory(), 'link')
  symlinkSync(scratchDirectory(), link)
  expect(() => layDown(link, CONTENT)).toThrow('not ours alone')
})

test.skipIf(process.getuid?.() !== 0)('a directory of somebody else is refused', () => {
  const theirs = join(scratchDirectory(), 'theirs')
  mkdirSync(theirs, { mode: 0o700 })
  chownSync(theirs, 65_534, 65_534)
  expect(() => layDown(theirs, CONTENT)).toThrow('not ours alone')
})
