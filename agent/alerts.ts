/**
 * The alerts of this device: its rules, looked at with each look at the machine. What fires is told in the status,
 * in the log and the audit journal, and where the rule says so in a room that this device hosts, once for each time
 * it fires and once when it is over, also over restarts.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Store } from '../src/base/store.ts'
import { factsOf } from '../src/box/alert/facts.ts'
import { judge } from '../src/box/alert/judgement.ts'
import { AlertKeeper, type AlertRecord } from '../src/box/alert/keeper.ts'
import { type AlertReport, NO_ALERTS, readRecords } from '../src/box/alert/report.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { decodeBase32, encodeBase32 } from '../src/wire/base32.ts'
import type { AlertRules } from './alert-rules.ts'
import type { AuditNotes } from './audit-notes.ts'

const FILE = 'alerts'
const VERSION = 1
/** What could not be said for so long is no news any more. */
const SAY_WITHIN_MS = 3_600_000
const TAG_SIZE = 16
const SAYINGS_MAX = 32

/** Something that is to be said in a room. */
interface Saying {
  readonly room: string
  readonly text: string
  readonly at: number
  /** Base32: what is said twice with the same one is heard once. */
  readonly tag: string
}

export interface DeviceAlertsOptions {
  readonly rules: AlertRules
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly audit: AuditNotes
  /** Says it in a room of that name, once for each tag. Throws ROOM_UNKNOWN, STATE_UNREADABLE, STATE_UNWRITABLE. */
  readonly say: (room: string, text: string, tag: Uint8Array) => void
}

export class DeviceAlerts {
  private readonly options: DeviceAlertsOptions
  private readonly keeper: AlertKeeper
  private sayings: readonly Saying[]
  /** Where what fires was said, by rule: there it is said that it is over, whatever became of the rule. */
  private readonly rooms: Map<string, string>
  private lookedAt = Number.NEGATIVE_INFINITY
  private last = NO_ALERTS
  private wanting = ''

  constructor(options: DeviceAlertsOptions) {
    this.options = options
    const { records, sayings, rooms } = recall(options)
    this.keeper = new AlertKeeper({ clock: options.clock, kept: records })
    this.sayings = sayings
    this.rooms = rooms
  }

  /** How they stand, by the variables of the status as they are now. */
  look(variables: () => ReadonlyMap<string, Uint8Array>): AlertReport {
    const { rules, clock } = this.options
    // Asked twice in one moment, nothing has changed.
    if (clock.elapsed() === this.lookedAt) return this.last
    this.lookedAt = clock.elapsed()
    const all = rules.all()
    const facts = all.length === 0 ? null : factsOf(variables(), clock.now())
    const gone = this.keeper.forget(name => all.some(rule => rule.name === name))
    const changes = all.flatMap(rule => {
      if (!facts) return []
      const rests = rule.until ? { rests: judge(rule.until, facts) } : {}
      const change = this.keeper.look(rule, judge(rule.when, facts), rests)
      return change ? [{ ...change, rule }] : []
    })
    const isTidied = this.keeper.tidy()
    for (const { record } of gone) this.take(record, null)
    for (const { record, rule } of changes) this.take(record, rule.room)
    if (isTidied || changes.length + gone.length > 0) this.remember()
    this.sayAll()
    const names = all.map(({ name }) => name)
    this.last = { records: this.keeper.records(), rules: names, fault: rules.fault }
    return this.last
  }

  private take(record: AlertRecord, roomNow: string | null): void {
    this.note(record)
    const room = this.rooms.get(record.rule) ?? roomNow
    if (room === null) return
    if (record.until === null) this.rooms.set(record.rule, room)
    else this.rooms.delete(record.rule)
    const saying = { room, text: sentenceOf(record), at: this.options.clock.now() }
    const tag = sha256(new TextEncoder().encode(JSON.stringify([record.rule, saying])))
    this.sayings = [
      ...this.sayings,
      { ...saying, tag: encodeBase32(tag.slice(0, TAG_SIZE)) },
    ].slice(-SAYINGS_MAX)
  }

  private note({ rule, when, value, until }: AlertRecord): void {
    const { log, audit } = this.options
    const result = until === null ? 'fires' : 'over'
    log.note(until === null ? 'warn' : 'info', 'alerts', result, { rule, value })
    audit.note({ zone: null, what: 'alert', detail: `${rule}: ${when}: ${value}`, result })
  }

  /** First it is on the disk, then it is said, then it is off the disk: the room hears a tag once. */
  private sayAll(): void {
    if (this.sayings.length === 0) return
    const after = this.options.clock.now() - SAY_WITHIN_MS
    const left = this.sayings.filter(one => one.at > after && !this.isSaid(one))
    if (left.length === this.sayings.length) return
    this.sayings = left
    this.remember()
  }

  private isSaid({ room, text, tag }: Saying): boolean {
    const { say, log } = this.options
    try {
      say(room, text, decodeBase32(tag, TAG_SIZE))
      this.wanting = ''
      return true
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      if (this.wanting !== room) log.note('warn', 'alerts', 'not said', { room, code: error.code })
      this.wanting = room
      return false
    }
  }

  private remember(): void {
    const { store, log } = this.options
    const rooms = Object.fromEntries(this.rooms)
    const kept = { version: VERSION, records: this.keeper.records(), sayings: this.sayings, rooms }
    try {
      store.set(FILE, new TextEncoder().encode(JSON.stringify(kept)))
    } catch (error) {
      // A full disk is what some rules are for: they go on without.
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'alerts', 'not kept', { code: error.code })
    }
  }
}

/** For a room. */
const sentenceOf = ({ rule, when, value, until }: AlertRecord): string =>
  until === null ? `ALERT ${rule}: ${value} (${when})` : `over: ${rule} (${value || when})`

/** What was kept; what is damaged counts as nothing, for it is found out anew. */
function recall({ store, log }: DeviceAlertsOptions): {
  readonly records: readonly AlertRecord[]
  readonly sayings: readonly Saying[]
  readonly rooms: Map<string, string>
} {
  const bytes = store.get(FILE)
  const nothing = { records: [], sayings: [], rooms: new Map() }
  if (!bytes) return nothing
  try {
    const { version, records, sayings, rooms } = JSON.parse(new TextDecoder().decode(bytes))
    if (version !== VERSION) throw new TypeError('another version')
    return {
      records: readRecords(records),
      sayings: (sayings as unknown[]).map(sayingOf),
      rooms: new Map(Object.entries(rooms).map(([rule, room]) => [rule, `${room}`])),
    }
  } catch {
    log.note('warn', 'alerts', 'what was kept is damaged', {})
    return nothing
  }
}

function sayingOf(value: unknown): Saying {
  const { room, text, at, tag } = (value ?? {}) as Record<string, unknown>
  const isRight =
    typeof room === 'string' &&
    typeof text === 'string' &&
    typeof at === 'number' &&
    typeof tag === 'string' &&
    decodeBase32(tag, TAG_SIZE).length === TAG_SIZE
  if (!isRight) throw new TypeError('nothing of ours')
  return { room, text, at, tag }
}
