/**
 * What a device says in a room that it hosts when somebody there asks it something: `@kitchen status`. It goes by the
 * grants of whoever asks, as everywhere; being in the room is no right. What it answers, all in the room hear.
 */

import type { Clock } from '../src/base/clock.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { GrantBook } from '../src/box/grant.ts'
import type { Figures } from './probes.ts'
import { Allowance } from './talk-allowance.ts'

/** Who asks without end hears nothing: each answer takes its place in the history. */
const QUESTIONS = { burst: 5, everyMs: 10_000 }
/** A name of a device, and one word. */
const QUESTION = /^@([\p{L}\p{N}_][\p{L}\p{M}\p{N}_.-]*?)[:,]?\s+([a-z]+)\s*[?!.]?\s*$/u
const REFUSAL = 'I tell my status to whoever has the right status here.'
const WORDS = 'I answer to: status'
const DISKS_MAX = 4
const ALERTS_MAX = 8

export interface RoomAnswersOptions {
  /** What it calls itself. */
  readonly name: string
  readonly grants: GrantBook
  readonly clock: Clock
  readonly look: () => Figures
}

export class RoomAnswers {
  readonly name: string
  private readonly options: RoomAnswersOptions
  private readonly asked: Allowance

  constructor(options: RoomAnswersOptions) {
    this.name = options.name
    this.options = options
    this.asked = new Allowance(QUESTIONS, options.clock)
  }

  /** What to say to this; null: nothing. */
  to(zone: ZoneKey, text: string): string | null {
    const [, name, word] = QUESTION.exec(text) ?? []
    if (name === undefined || !this.isMeant(name)) return null
    const { grants, clock, look } = this.options
    const now = clock.now()
    const isStatus = word === 'status'
    // To somebody with no right here it says no more than that.
    if (!isStatus && !grants.find(zone, now)) return null
    if (!this.asked.take(zone)) return null
    if (!isStatus) return WORDS
    return grants.allows(zone, 'status', now) ? statusLine(look(), now) : REFUSAL
  }

  /** By what it calls itself, or by what somebody calls it who has a right here. */
  private isMeant(name: string): boolean {
    const wanted = name.toLowerCase()
    const names = [this.name, ...this.options.grants.held().map(({ deviceName }) => deviceName)]
    return names.some(one => one.toLowerCase() === wanted)
  }
}

/** All that matters at a glance, in one line. */
export function statusLine(figures: Figures, now: number): string {
  const { bootedAt, load, processors, memory, disks, temperatures, alerts } = figures
  const hottest = Math.max(...temperatures.values())
  const parts = [
    bootedAt === null ? null : `up ${span(now - bootedAt)}`,
    load === null ? null : `load ${(load / 100).toFixed(2)} of ${processors}`,
    memory && memory.total > 0
      ? `memory ${share(memory.total - memory.available, memory.total)}`
      : null,
    ...[...disks]
      .toSorted(([, a], [, b]) => b.used / b.total - a.used / a.total)
      .slice(0, DISKS_MAX)
      .map(([where, { used, total }]) => `${where} ${share(used, total)}`),
    Number.isFinite(hottest) ? `${(hottest / 1_000).toFixed(0)} °C` : null,
  ]
  const firing = alerts.records
    .filter(({ until }) => until === null)
    .map(({ rule }) => rule)
    .slice(0, ALERTS_MAX)
  const wrong = firing.length === 0 ? 'no alert' : `ALERT ${firing.join(', ')}`
  return [...parts.filter(part => part !== null), wrong].join(', ')
}

const share = (part: number, whole: number): string => `${Math.round((100 * part) / whole)} %`

function span(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000))
  const [days, hours] = [Math.floor(minutes / 1_440), Math.floor(minutes / 60) % 24]
  if (days > 0) return `${days} d ${hours} h`
  return hours > 0 ? `${hours} h ${minutes % 60} min` : `${minutes} min`
}
