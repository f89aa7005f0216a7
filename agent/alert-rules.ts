/**
 * The rules of this device: those of agent.json, and those of a file beside it that a bundle may push. The file is
 * read again when it changes; while something is wrong with it, the rules before hold, and the status says what.
 */

import { readFileSync, statSync } from 'node:fs'
import { BoxError } from '../src/base/errors.ts'
import { type AlertRule, RULES_MAX, readRules } from '../src/box/alert/rule.ts'
import { roomName } from '../src/box/room-address.ts'

/** A rule of a device: its alerts may be said in a room that the device hosts. */
export interface DeviceRule extends AlertRule {
  readonly room: string | null
}

const FILE_SIZE_MAX = 64 * 1_024

/** Throws ALERT_INVALID. */
export const readDeviceRules = (value: unknown): readonly DeviceRule[] =>
  readRules(value, ['room'] as const).map(({ extra, ...rule }) => ({
    ...rule,
    room: extra.room === undefined ? null : roomOf(extra.room, rule.name),
  }))

function roomOf(value: unknown, rule: string): string {
  try {
    if (typeof value === 'string') return roomName(value)
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
  }
  throw new BoxError('ALERT_INVALID', `"room" of the rule "${rule}" is no name of a room.`)
}

export class AlertRules {
  private readonly own: readonly DeviceRule[]
  private readonly path: string
  private seen = ''
  private pushed: readonly DeviceRule[] = []
  /** What is wrong with the file; null: nothing. */
  fault: string | null = null

  constructor(own: readonly DeviceRule[], path: string) {
    this.own = own
    this.path = path
  }

  /** All that hold now; a rule of the file takes the place of one of agent.json with its name. */
  all(): readonly DeviceRule[] {
    this.look()
    const names = new Set(this.pushed.map(({ name }) => name))
    return [...this.own.filter(({ name }) => !names.has(name)), ...this.pushed].slice(0, RULES_MAX)
  }

  private look(): void {
    const mark = markOf(this.path)
    if (mark === this.seen) return
    this.seen = mark
    try {
      this.pushed = mark === '' ? [] : this.read()
      this.fault = null
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.fault = `${this.path}: ${error.detail}`
    }
  }

  private read(): readonly DeviceRule[] {
    let value: unknown
    try {
      const text = readFileSync(this.path, 'utf8')
      if (text.length > FILE_SIZE_MAX) throw new BoxError('ALERT_INVALID', 'The file is too long.')
      value = JSON.parse(text)
    } catch (error) {
      if (error instanceof BoxError) throw error
      throw new BoxError('ALERT_INVALID', `It is no JSON, or cannot be read.`, error)
    }
    return readDeviceRules(value)
  }
}

/** What changes with the file; '' where there is none. */
function markOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return ''
  }
}
