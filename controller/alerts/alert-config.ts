/**
 * What the owner wants to be told of at this controller, and how: alerts.json in the state directory. Rules about
 * devices, silence among them, and where alerts go, those of the devices' own rules too.
 */

import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { type AlertRule, RULE_NAME, readRules } from '../../src/box/alert/rule.ts'
import { roomName } from '../../src/box/room-address.ts'
import type { State } from '../state.ts'

export interface FleetRule extends AlertRule {
  /** A name, `@tag`, or `@all`. */
  readonly devices: string
}

/** To whom alerts are told. */
export interface Target {
  /** What tells it from others, also in what is kept. */
  readonly key: string
  readonly to:
    | { readonly is: 'command'; readonly words: readonly string[] }
    | { readonly is: 'room'; readonly room: string }
  /** Only these rules; null: all. */
  readonly rules: readonly string[] | null
  readonly devices: string
}

export interface AlertConfig {
  readonly rules: readonly FleetRule[]
  readonly targets: readonly Target[]
}

export const ALERTS_FILE = 'alerts.json'
/** All devices are to be heard of, unless the owner says otherwise. */
const SILENCE = { name: 'silent', when: 'silent > 10 min', for: '0s' }
const TARGETS_MAX = 8
const WORDS_MAX = 32
const WORD_SIZE_MAX = 1_024
const FILE_SIZE_MAX = 64 * 1_024
const FIELDS = ['rules', 'deliver']
const TARGET_FIELDS = ['command', 'room', 'rules', 'devices']

/** Throws ALERT_INVALID, STATE_UNREADABLE. */
export function alertConfig(state: State): AlertConfig {
  const text = state.readText(ALERTS_FILE)
  try {
    return parseAlertConfig(text ?? '{}')
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    throw new BoxError(error.code, `${join(state.directory, ALERTS_FILE)}: ${error.detail}`, error)
  }
}

/** Throws ALERT_INVALID. */
export function parseAlertConfig(text: string): AlertConfig {
  if (text.length > FILE_SIZE_MAX) throw invalid('It is too long.')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw invalid(`It is no JSON: ${(cause as Error).message}.`)
  }
  const { rules = [SILENCE], deliver = [] } = fieldsOf(value, FIELDS, 'The file')
  if (!Array.isArray(deliver) || deliver.length > TARGETS_MAX)
    throw invalid(`"deliver" is no list of up to ${TARGETS_MAX}.`)
  return {
    rules: readRules(rules, ['devices'] as const).map(({ extra, ...rule }) => ({
      ...rule,
      devices: devicesOf(extra.devices, `the rule "${rule.name}"`),
    })),
    targets: deliver.map((one, at) => targetOf(one, `deliver[${at}]`)),
  }
}

function targetOf(value: unknown, where: string): Target {
  const { command, room, rules, devices } = fieldsOf(value, TARGET_FIELDS, where)
  if ((command === undefined) === (room === undefined))
    throw invalid(`${where} takes either "command" or "room".`)
  const to =
    room === undefined
      ? ({ is: 'command', words: wordsOf(command, where) } as const)
      : ({ is: 'room', room: roomOf(room, where) } as const)
  return {
    ...{ key: JSON.stringify(to.is === 'room' ? { room: to.room } : to.words), to },
    rules: rules === undefined ? null : namesOf(rules, where),
    devices: devicesOf(devices, where),
  }
}

/** A program and its arguments; a text is a program without any. Nothing of it goes through a shell. */
function wordsOf(value: unknown, where: string): readonly string[] {
  const words: unknown = typeof value === 'string' ? [value] : value
  const isRight =
    Array.isArray(words) &&
    words.length > 0 &&
    words.length <= WORDS_MAX &&
    words.every(
      word => typeof word === 'string' && word.length <= WORD_SIZE_MAX && !word.includes('\0'),
    )
  if (!isRight) throw invalid(`"command" of ${where} is no list of a program and its arguments.`)
  const [program] = words as [string]
  if (!/^(\/|[^/]+$)/.test(program))
    throw invalid(`"command" of ${where} is no path from the root, nor a name in the PATH.`)
  return words
}

function roomOf(value: unknown, where: string): string {
  try {
    if (typeof value === 'string') return roomName(value)
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
  }
  throw invalid(`"room" of ${where} is no name of a room: see box room ls.`)
}

function namesOf(value: unknown, where: string): readonly string[] {
  const isRight =
    Array.isArray(value) && value.every(one => typeof one === 'string' && RULE_NAME.test(one))
  if (isRight) return value
  throw invalid(`"rules" of ${where} is no list of names of rules.`)
}

function devicesOf(value: unknown, where: string): string {
  if (value === undefined) return '@all'
  if (typeof value === 'string' && value !== '' && value !== '@') return value
  throw invalid(`"devices" of ${where} is no name, @tag or @all.`)
}

function fieldsOf(
  value: unknown,
  known: readonly string[],
  where: string,
): Readonly<Record<string, unknown>> {
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw invalid(`${where} is no { … }.`)
  const unknown = Object.keys(value).find(name => !known.includes(name))
  if (unknown === undefined) return value as Record<string, unknown>
  throw invalid(`${where} has "${unknown}", which is nothing here: there are ${known.join(', ')}.`)
}

/** Whether a rule or a target is about a device. */
export const isAbout = (
  devices: string,
  { name, tags }: { readonly name: string; readonly tags: readonly string[] },
): boolean =>
  devices === '@all' ||
  (devices.startsWith('@') ? tags.includes(devices.slice(1)) : devices === name)

const invalid = (what: string): BoxError => new BoxError('ALERT_INVALID', what)
