/**
 * The rules of this device: those of agent.json, and those of a file beside it that a bundle may push. While something
 * is wrong with that file, the rules before hold, and the status says what.
 */

import { BoxError } from '../src/base/errors.ts'
import { type AlertRule, RULES_MAX, readRules } from '../src/box/alert/rule.ts'
import { roomName } from '../src/box/room-address.ts'
import { PushedFile } from './pushed-file.ts'

/** A rule of a device: its alerts may be said in a room that the device hosts. */
export interface DeviceRule extends AlertRule {
  readonly room: string | null
}

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
  private readonly file: PushedFile<readonly DeviceRule[]>

  constructor(own: readonly DeviceRule[], path: string) {
    this.own = own
    this.file = new PushedFile({ path, none: [], read: readDeviceRules, code: 'ALERT_INVALID' })
  }

  /** What is wrong with the file; null: nothing. */
  get fault(): string | null {
    return this.file.fault
  }

  /** All that hold now; a rule of the file takes the place of one of agent.json with its name. */
  all(): readonly DeviceRule[] {
    const pushed = this.file.value()
    const names = new Set(pushed.map(({ name }) => name))
    return [...this.own.filter(({ name }) => !names.has(name)), ...pushed].slice(0, RULES_MAX)
  }
}
