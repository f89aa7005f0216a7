import { describe, expect, test } from 'vitest'
import {
  AUDIT_BEGIN,
  type AuditEntry,
  AuditLog,
  firstBroken,
  memoryEntries,
} from '../../src/box/audit.ts'

const event = (detail: string) => ({
  ...{ who: 'ada', zone: 'Z', key: 'K', what: 'exec', detail, result: 'begun' },
})

function written(count: number): { log: AuditLog; entries: AuditEntry[] } {
  const log = new AuditLog(memoryEntries())
  for (let i = 1; i <= count; i++) log.note(event(`command ${i}`), 1_000 * i)
  return { log, entries: [...log.all()] }
}

describe('the audit journal', () => {
  test('has what happened in order, each entry following from the one before', () => {
    const { entries } = written(5)
    expect(entries.map(({ number, detail }) => `${number} ${detail}`)).toEqual(
      [1, 2, 3, 4, 5].map(i => `${i} command ${i}`),
    )
    expect(firstBroken(AUDIT_BEGIN, entries)).toBeNull()
  })

  test('goes on where it ended', () => {
    const file = memoryEntries()
    new AuditLog(file).note(event('before'), 1)
    new AuditLog(file).note(event('after'), 2)
    expect(firstBroken(AUDIT_BEGIN, new AuditLog(file).all())).toBeNull()
  })

  test('shows where an entry was taken out, put elsewhere or changed', () => {
    const { entries } = written(5)
    expect(firstBroken(AUDIT_BEGIN, entries.toSpliced(2, 1))).toBe(3)
    expect(firstBroken(AUDIT_BEGIN, entries.slice(1))).toBe(1)
    const [a, b, c] = entries as [AuditEntry, AuditEntry, AuditEntry]
    expect(firstBroken(AUDIT_BEGIN, [a, c, b])).toBe(2)
    for (const change of [{ detail: 'x' }, { who: 'eve' }, { at: 5 }, { result: 'refused' }])
      expect(firstBroken(AUDIT_BEGIN, entries.with(3, { ...entries[3]!, ...change }))).toBe(4)
  })

  test('that is written anew is another for whoever has seen the old one', () => {
    const { entries } = written(5)
    const other = new AuditLog(memoryEntries())
    for (let i = 1; i <= 5; i++) other.note(event('nothing to see'), 1_000 * i)
    expect(firstBroken(AUDIT_BEGIN, other.all())).toBeNull()
    expect(other.all()[4]!.hash).not.toBe(entries[4]!.hash)
  })

  test('passes over what is no entry', () => {
    const file = memoryEntries()
    for (const noise of [null, 5, {}, { number: 1 }]) file.append(noise)
    const log = new AuditLog(file)
    log.note(event('first'), 1)
    expect(log.all()).toHaveLength(1)
  })
})
