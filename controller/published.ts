/**
 * What of our zones is out: which labels with which records, since when, and the expiry of each block, which must
 * never go back. A command has a moment for publishing, in which some eighty names leave: it goes on where the last
 * one has stopped.
 */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Store } from '../src/base/store.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { ZoneDatabase } from '../src/gns/zone.ts'
import type { Context } from './context.ts'
import type { State } from './state.ts'

/** What is out is put again when a quarter of its life is over, or when something has changed. */
const PUBLISH_EVERY_MS = 6 * 3_600_000
/** Bytes of a digest: nobody else chooses what is in it. */
const DIGEST_SIZE = 16
const FILE = 'published'

export interface Published {
  /** Since when all of it is out; 0: some is not. */
  readonly at: number
  /** Of all that is to be out. */
  readonly digest: string
  readonly out: Out
  readonly expiries: Readonly<Record<string, string>>
}

/** By zone and label. */
type Out = Readonly<Record<string, { readonly at: number; readonly digest: string }>>

/** A label that is to be out. */
export interface LabelOut {
  readonly zone: ZoneKey
  readonly label: string
  /** Of the records it has now. */
  readonly digest: string
}

export function readPublished(state: State): Published {
  try {
    const read = JSON.parse(state.readText(FILE) ?? '') as Published
    const { at, digest, out = {}, expiries } = read
    const isOurs = typeof at === 'number' && typeof digest === 'string'
    if (isOurs && isMap(out) && isMap(expiries)) return { at, digest, out, expiries }
  } catch {
    // Nothing is lost: it is published again.
  }
  return { at: 0, digest: '', out: {}, expiries: {} }
}

export async function writePublished({ state, log }: Context, published: Published): Promise<void> {
  try {
    await state.exclusively(() => state.writeText(FILE, `${JSON.stringify(published)}\n`))
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'publication not noted', { code: error.code })
  }
}

/** Whether what was put `at` need not be put again yet. */
export const isRecent = (at: number, now: number): boolean =>
  now >= at && now - at < PUBLISH_EVERY_MS

/** All labels of a zone, as they are to be out. */
export const labelsOut = (database: ZoneDatabase, zone: ZoneKey): readonly LabelOut[] =>
  database.labels(zone).map(label => ({ zone, label, digest: digestOf(database, zone, label) }))

/** Whether a label is out as it is to be, and for long enough. */
export function isOut({ out }: Published, one: LabelOut, now: number): boolean {
  const known = out[keyOf(one)]
  return known?.digest === one.digest && isRecent(known.at, now)
}

/** What is out now that all `due` labels have left but those that are `missing`. */
export function outNow(
  before: Published,
  labels: Readonly<Record<'all' | 'due' | 'missing', readonly LabelOut[]>>,
  now: number,
): Out {
  const due = new Set(labels.due)
  const missing = new Set(labels.missing)
  const there = labels.all.filter(one => !missing.has(one))
  const outOf = (one: LabelOut) =>
    due.has(one) ? { at: now, digest: one.digest } : before.out[keyOf(one)]!
  return Object.fromEntries(there.map(one => [keyOf(one), outOf(one)]))
}

/** Since when all of it is out; `now` where there is nothing. */
export const oldest = (out: Out, now: number): number =>
  Math.min(now, ...Object.values(out).map(({ at }) => at))

export const expiriesIn = (store: Store): Record<string, string> =>
  Object.fromEntries(
    store
      .names()
      .filter(name => name.startsWith('gns-expiry.'))
      .map(name => [name, Buffer.from(store.get(name)!).toString('hex')]),
  )

const isMap = (value: unknown): boolean => typeof value === 'object' && value !== null

const keyOf = ({ zone, label }: LabelOut): string => `${zoneToText(zone)} ${label}`

function digestOf(database: ZoneDatabase, zone: ZoneKey, label: string): string {
  const records = database
    .records(zone, label)
    .map(({ data, ...rest }) => [rest, Buffer.from(data).toString('hex')])
  const digest = sha256(new TextEncoder().encode(JSON.stringify(records)))
  return Buffer.from(digest.subarray(0, DIGEST_SIZE)).toString('hex')
}
