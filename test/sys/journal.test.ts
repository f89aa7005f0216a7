import { appendFileSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Journal } from '../../src/sys/journal.ts'
import { scratchDirectory } from './scratch.ts'

const OPTIONS = { sizeMax: 10_000, durable: true }

function journalOf(entries: readonly unknown[], options = OPTIONS): string {
  const path = join(scratchDirectory(), 'events')
  const journal = new Journal(path, options)
  for (const entry of entries) journal.append(entry)
  journal.close()
  return path
}

function reopened(path: string, options = OPTIONS) {
  const journal = new Journal(path, options)
  const { damaged, torn } = journal
  const entries = journal.entries()
  journal.close()
  return { entries, damaged, torn }
}

describe('a journal', () => {
  test('gives back its entries in order, whatever they are', () => {
    return fc.assert(
      fc.property(fc.array(fc.jsonValue(), { maxLength: 8 }), entries => {
        const path = journalOf(entries, { sizeMax: 1_000_000, durable: false })
        const plain = JSON.parse(JSON.stringify(entries))
        expect(reopened(path)).toEqual({ entries: plain, damaged: 0, torn: 0 })
      }),
      { numRuns: 50 },
    )
  })

  test('cut anywhere, it keeps every whole entry and goes on', () => {
    const path = journalOf([{ a: 1 }, 'two', [3]])
    const whole = readFileSync(path)
    const ends = [...whole.keys()].filter(at => whole[at] === 10).map(at => at + 1)
    for (let size = 0; size <= whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      const count = ends.filter(end => end <= size).length
      const journal = new Journal(path, OPTIONS)
      expect(journal.torn).toBe(size - (ends[count - 1] ?? 0))
      journal.append('next')
      expect(journal.entries()).toEqual([...[{ a: 1 }, 'two', [3]].slice(0, count), 'next'])
      journal.close()
      expect(reopened(path).torn).toBe(0)
    }
  })

  test('passes over a line that was damaged, and says so', () => {
    const path = journalOf(['one', 'two', 'three'])
    writeFileSync(path, readFileSync(path, 'latin1').replace('two', 'tvo'), 'latin1')
    expect(reopened(path)).toEqual({ entries: ['one', 'three'], damaged: 1, torn: 0 })
    appendFileSync(path, 'noise\nnoise')
    expect(reopened(path)).toEqual({ entries: ['one', 'three'], damaged: 1, torn: 11 })
  })

  test('never grows beyond its size, and keeps the newest', () => {
    const path = join(scratchDirectory(), 'events')
    const journal = new Journal(path, { sizeMax: 4_000, durable: false })
    for (let i = 0; i < 1_000; i++) {
      journal.append({ i, text: 'x'.repeat(i % 100) })
      expect(statSync(path).size).toBeLessThanOrEqual(4_000)
    }
    const kept = journal.entries().map(entry => (entry as { i: number }).i)
    expect(kept.length).toBeGreaterThan(15)
    expect(kept).toEqual([...kept.keys()].map(at => 1_000 - kept.length + at))
    expect(() => journal.append('x'.repeat(2_000))).toThrow(RangeError)
    journal.close()
  })

  test('is rewritten as a whole', () => {
    const path = journalOf([1, 2, 3])
    const journal = new Journal(path, OPTIONS)
    journal.rewrite(journal.entries().filter(entry => entry !== 2))
    journal.append(4)
    journal.close()
    expect(reopened(path).entries).toEqual([1, 3, 4])
    expect(statSync(path).mode & 0o777).toBe(0o600)
  })

  test('says which file cannot be written', () => {
    const directory = scratchDirectory()
    symlinkSync('/dev/full', join(directory, 'events'))
    expect(() => new Journal(join(directory, 'events', 'x'), OPTIONS)).toThrow(/events/)
    const path = journalOf([1])
    const journal = new Journal(path, { sizeMax: 200, durable: false })
    symlinkSync('/dev/full', join(path, '..', '.new-events'))
    expect(() => journal.rewrite([1, 2])).toThrow(/ENOSPC/)
    expect(journal.entries()).toEqual([1])
    journal.append(2)
    journal.close()
    expect(reopened(path).entries).toEqual([1, 2])
  })
})
