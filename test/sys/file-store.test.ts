import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { fileStore } from '../../src/sys/file-store.ts'
import { Journal } from '../../src/sys/journal.ts'
import { compile, start } from './program.ts'
import { scratchDirectory } from './scratch.ts'

const bytes = (...values: number[]) => Uint8Array.from(values)

describe('a store in a directory', () => {
  test('gives back what was set, also to the next process', () => {
    const directory = join(scratchDirectory(), 'deep', 'state')
    const store = fileStore(directory)
    expect(store.get('a')).toBeNull()
    store.set('a', bytes(1, 2))
    store.set('a', bytes(3))
    store.set('empty', bytes())
    store.delete('never')
    const again = fileStore(directory)
    expect(again.get('a')).toEqual(bytes(3))
    expect(again.get('empty')).toEqual(bytes())
    expect([...again.names()].sort()).toEqual(['a', 'empty'])
    again.delete('a')
    expect(fileStore(directory).get('a')).toBeNull()
  })

  test('gives plain bytes whose slices are copies', () => {
    const store = fileStore(scratchDirectory())
    store.set('a', bytes(1, 2, 3))
    expect(store.get('a')!.constructor).toBe(Uint8Array)
  })

  test('is readable for its owner only', () => {
    const directory = join(scratchDirectory(), 'state')
    fileStore(directory).set('key', bytes(1))
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(join(directory, 'key')).mode & 0o777).toBe(0o600)
  })

  test('takes any name and never leaves its directory', () => {
    const outer = scratchDirectory()
    const names = ['..', '.', '../up', '/etc/x', 'Ä b~', '.new-a', 'a.b', '%2E', "*'()!", 'con:1']
    const store = fileStore(join(outer, 'state'))
    names.forEach((name, i) => {
      store.set(name, bytes(i))
    })
    names.forEach((name, i) => {
      expect(store.get(name), name).toEqual(bytes(i))
    })
    expect([...fileStore(join(outer, 'state')).names()].sort()).toEqual(names.sort())
    expect(readdirSync(outer)).toEqual(['state'])
    expect(() => store.set('', bytes())).toThrow(RangeError)
    expect(() => store.set('x'.repeat(300), bytes())).toThrow(RangeError)
  })

  test('removes what a crash left half done, and lists no stranger', () => {
    const directory = scratchDirectory()
    writeFileSync(join(directory, '.new-a'), 'half')
    writeFileSync(join(directory, '100%'), 'not ours')
    const store = fileStore(directory)
    expect(readdirSync(directory)).toEqual(['100%'])
    expect(store.names()).toEqual([])
  })

  test('names the file that cannot be read or written, and keeps the old value', () => {
    const directory = scratchDirectory()
    const store = fileStore(directory)
    mkdirSync(join(directory, 'odd'))
    writeFileSync(join(directory, 'huge'), '')
    truncateSync(join(directory, 'huge'), 2 ** 30)
    expect(() => store.get('odd')).toThrow(
      expect.objectContaining({
        code: 'STATE_UNREADABLE',
        message: expect.stringContaining('odd'),
      }),
    )
    expect(() => store.get('huge')).toThrow(expect.objectContaining({ code: 'STATE_UNREADABLE' }))
    store.set('value', bytes(1))
    mkdirSync(join(directory, '.new-value'))
    expect(() => store.set('value', bytes(2))).toThrow(
      expect.objectContaining({
        code: 'STATE_UNWRITABLE',
        message: expect.stringContaining('value'),
      }),
    )
    expect(store.get('value')).toEqual(bytes(1))
  })

  test('refuses a directory in which others can write, and one that cannot be made', () => {
    const directory = scratchDirectory()
    chmodSync(directory, 0o777)
    expect(() => fileStore(directory)).toThrow(
      expect.objectContaining({
        code: 'STATE_UNWRITABLE',
        message: expect.stringContaining('chmod'),
      }),
    )
    writeFileSync(join(directory, 'file'), '')
    expect(() => fileStore(join(directory, 'file', 'x'))).toThrow(
      expect.objectContaining({ code: 'STATE_UNWRITABLE' }),
    )
  })

  test('says which disk is full', () => {
    // The device that is always full stands in for the unfinished file.
    const directory = scratchDirectory()
    const store = fileStore(directory)
    store.set('value', bytes(1))
    symlinkSync('/dev/full', join(directory, '.new-value'))
    expect(() => store.set('value', bytes(2))).toThrow(/value: ENOSPC/)
    expect(store.get('value')).toEqual(bytes(1))
  })
})

test('a folder beside the values is none of them', () => {
  const directory = scratchDirectory()
  const store = fileStore(directory)
  store.set('grants', new Uint8Array(1))
  mkdirSync(join(directory, 'push'))
  expect(store.names()).toEqual(['grants'])
})

test('a process killed at any moment leaves a store, a journal and a lock that open', async () => {
  const directory = scratchDirectory()
  const program = compile('writer-program.ts', directory)
  const state = join(directory, 'state')
  let number = 1
  for (let kill = 0; kill < 20; kill++) {
    const writer = start(program, state, String(number))
    const before = number
    while (number < before + 1 + (kill % 7)) {
      await writer.next()
      expect(writer.process.exitCode).toBeNull()
      number = Number(writer.lines.at(-1) ?? before)
    }
    await writer.kill()
    const last = Number(writer.lines.at(-1))
    const store = fileStore(join(state, 'store'))
    const value = store.get('number')!
    expect(value).toHaveLength(100_000)
    expect(value.every(byte => byte === value[0])).toBe(true)
    expect([last % 256, (last + 1) % 256]).toContain(value[0])
    expect(readdirSync(join(state, 'store')).some(name => name.startsWith('.'))).toBe(false)
    const journal = new Journal(join(state, 'journal'), { sizeMax: 20_000, durable: false })
    const numbers = journal.entries().map(entry => (entry as { number: number }).number)
    journal.close()
    expect([last, last + 1]).toContain(numbers.at(-1))
    expect(numbers).toEqual([...numbers.keys()].map(i => numbers[0]! + i))
    expect(readFileSync(join(state, 'journal')).length).toBeLessThanOrEqual(20_000)
    number = numbers.at(-1)! + 1
  }
})

test('says at once that a directory cannot be made where the kernel makes none', () => {
  expect(() => fileStore('/proc/nowhere/below')).toThrow(
    expect.objectContaining({ code: 'STATE_UNWRITABLE' }),
  )
})
