/**
 * The audit journal of a device: who did what, when, by which key, and how it ended. Each entry carries the
 * hash of itself and of the one before, so that nobody can take one out, or change one, unseen. Whoever has
 * seen the last entry once notices also when all of it is written anew.
 */

import { sha256 } from '../crypto/hash.ts'
import { encodeBase32 } from '../wire/base32.ts'

/** What is to be written down. */
export interface AuditEvent {
  /** How the caller calls itself, and its zone key as text. */
  readonly who: string
  readonly zone: string
  /** The fingerprint of its SSH key; empty where none was used. */
  readonly key: string
  readonly what: string
  readonly detail: string
  readonly result: string
}

export interface AuditEntry extends AuditEvent {
  /** Counted from 1. */
  readonly number: number
  /** Milliseconds since 1970. */
  readonly at: number
  readonly hash: string
}

/** A place in the chain: all that somebody needs to keep to notice a change before it. */
export type AuditHead = Pick<AuditEntry, 'number' | 'hash'>

/** Where entries are kept; sys/journal.ts is one. */
export interface EntryFile {
  append(entry: unknown): void
  entries(): readonly unknown[]
}

/** Before the first entry. */
export const AUDIT_BEGIN: AuditHead = { number: 0, hash: '' }
/** A command line that is longer is cut: it is in the device's own logs, if anywhere. */
const DETAIL_MAX = 2_048

const encoder = new TextEncoder()

/** The next entry after `head`. */
export function auditEntry(head: AuditHead, event: AuditEvent, at: number): AuditEntry {
  const { who, zone, key, what, result } = event
  const detail = event.detail.slice(0, DETAIL_MAX)
  const number = head.number + 1
  const plain = { number, at, who, zone, key, what, detail, result }
  return { ...plain, hash: hashOf(head.hash, plain) }
}

function hashOf(before: string, plain: Omit<AuditEntry, 'hash'>): string {
  const { number, at, who, zone, key, what, detail, result } = plain
  const text = JSON.stringify([before, number, at, who, zone, key, what, detail, result])
  return encodeBase32(sha256(encoder.encode(text)))
}

/** The number of the first entry that does not follow from the one before it; null where all do. */
export function firstBroken(head: AuditHead, entries: readonly AuditEntry[]): number | null {
  let before = head
  for (const entry of entries) {
    if (entry.number !== before.number + 1 || hashOf(before.hash, entry) !== entry.hash)
      return before.number + 1
    before = entry
  }
  return null
}

/** What was read, if it is an entry. */
export function parseAuditEntry(value: unknown): AuditEntry | null {
  if (value === null || typeof value !== 'object') return null
  const { number, at, ...texts } = value as Record<string, unknown>
  if (!Number.isInteger(number) || typeof at !== 'number') return null
  const names = ['who', 'zone', 'key', 'what', 'detail', 'result', 'hash']
  return names.every(name => typeof texts[name] === 'string') ? (value as AuditEntry) : null
}

/** The journal of this device. */
export class AuditLog {
  private readonly file: EntryFile
  private head: AuditHead

  constructor(file: EntryFile) {
    this.file = file
    this.head = this.all().at(-1) ?? AUDIT_BEGIN
  }

  /** Throws STATE_UNWRITABLE: the next entry then follows the one before. */
  note(event: AuditEvent, at: number): void {
    const entry = auditEntry(this.head, event, at)
    this.file.append(entry)
    this.head = entry
  }

  all(): readonly AuditEntry[] {
    return this.file.entries().flatMap(value => parseAuditEntry(value) ?? [])
  }
}

/** A journal that lasts as long as the process. */
export function memoryEntries(): EntryFile {
  const kept: unknown[] = []
  return { append: entry => void kept.push(structuredClone(entry)), entries: () => kept }
}
