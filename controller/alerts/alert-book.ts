/**
 * What `box up` keeps of alerts: of each device what fires and whether anybody was told, and what is still to be told
 * to whom. One file, replaced as a whole: whatever ends `box up`, nobody is told twice, or not at all.
 */

import { BoxError } from '../../src/base/errors.ts'
import type { AlertRecord } from '../../src/box/alert/keeper.ts'
import { readRecords } from '../../src/box/alert/report.ts'
import type { State } from '../state.ts'
import type { Origin } from './shown-alert.ts'

/** Something fires that did not when it was last looked at. */
export interface Standing {
  readonly origin: Origin
  readonly record: AlertRecord
  /** Whether those who are to be told were, or will be. */
  readonly told: boolean
}

export interface DeviceNotes {
  /** Of our own rules. */
  readonly records: readonly AlertRecord[]
  readonly standing: readonly Standing[]
  /** Of the device's own rules, what was over and has been seen: rule and when it began. Null: it was never heard. */
  readonly over: readonly string[] | null
}

export interface AlertEvent {
  /** The same for everybody who is told, and for nothing else. */
  readonly id: string
  readonly is: 'fires' | 'over'
  readonly device: string
  readonly zone: string
  readonly origin: Origin
  readonly record: AlertRecord
}

/** What one target is to be told. */
export interface Delivery {
  readonly target: string
  readonly event: AlertEvent
  /** Milliseconds since 1970. */
  readonly at: number
  readonly notBefore: number
  /** How often it was begun. */
  readonly tries: number
  /** Of a message in a room that tells several: its tag, base32. */
  readonly batch: string | null
}

export interface AlertBook {
  readonly devices: ReadonlyMap<string, DeviceNotes>
  readonly deliveries: readonly Delivery[]
}

export const BOOK_FILE = 'alert-book'
const VERSION = 1
export const EMPTY_BOOK: AlertBook = { devices: new Map(), deliveries: [] }

/** What is damaged counts as nothing: then somebody may be told again. */
export function recallBook(state: State): AlertBook {
  const text = state.readText(BOOK_FILE)
  if (text === null) return EMPTY_BOOK
  try {
    return parseAlertBook(text)
  } catch (error) {
    if (error instanceof BoxError) return EMPTY_BOOK
    throw error
  }
}

export const formatBook = ({ devices, deliveries }: AlertBook): string =>
  `${JSON.stringify({ version: VERSION, devices: Object.fromEntries(devices), deliveries })}\n`

/** Throws STATE_UNREADABLE. */
export function parseAlertBook(text: string): AlertBook {
  try {
    const { version, devices, deliveries } = JSON.parse(text) as Record<string, unknown>
    if (version !== VERSION || !Array.isArray(deliveries)) throw new TypeError('another version')
    return {
      devices: new Map(
        Object.entries(devices as object).map(([zone, notes]) => [zone, notesOf(notes)]),
      ),
      deliveries: deliveries.map(deliveryOf),
    }
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `The file ${BOOK_FILE} is damaged.`, cause)
  }
}

function notesOf(value: unknown): DeviceNotes {
  const { records, standing, over } = (value ?? {}) as Record<string, unknown>
  const isRight =
    Array.isArray(standing) &&
    (over === null || (Array.isArray(over) && over.every(one => typeof one === 'string'))) &&
    standing.every(one => typeof one?.told === 'boolean')
  if (!isRight) throw new TypeError('nothing of ours')
  return {
    ...{ records: readRecords(records), over },
    standing: standing.map(one => ({ ...ownOf(one), told: one.told as boolean })),
  }
}

function ownOf(value: unknown): Pick<Standing, 'origin' | 'record'> {
  const { origin, record } = (value ?? {}) as Record<string, unknown>
  if (origin !== 'device' && origin !== 'controller') throw new TypeError('nothing of ours')
  return { origin, record: readRecords([record])[0]! }
}

function deliveryOf(value: unknown): Delivery {
  const { target, event, at, notBefore, tries, batch } = (value ?? {}) as Record<string, unknown>
  const { id, is, device, zone } = (event ?? {}) as Record<string, unknown>
  const isRight =
    [target, id, device, zone].every(one => typeof one === 'string') &&
    [at, notBefore, tries].every(one => typeof one === 'number') &&
    (is === 'fires' || is === 'over') &&
    (batch === null || typeof batch === 'string')
  if (!isRight) throw new TypeError('nothing of ours')
  return { ...(value as Delivery), event: { ...(event as AlertEvent), ...ownOf(event) } }
}
