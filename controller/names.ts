/** The ego's zone: a name for each device, resolved for ourselves and published for everybody else. */

import { concat } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { memoryStore, type Store } from '../src/base/store.ts'
import { NOTICES_LABEL, noticeRecords, type OwnerNotice } from '../src/box/owner-notices.ts'
import { successionChain } from '../src/box/succession.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { NamestoreKeeper } from '../src/gns/namestore-keeper.ts'
import { Publisher } from '../src/gns/publisher.ts'
import type { ZoneRecord } from '../src/gns/record.ts'
import { delegationRecord, txtRecord } from '../src/gns/record-data.ts'
import { Resolver, type ResolverOptions } from '../src/gns/resolver.ts'
import { ZoneDatabase } from '../src/gns/zone.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import type { Context } from './context.ts'
import type { Ego } from './ego.ts'
import type { Device } from './fleet.ts'
import { publishedRevocations } from './revocation-book.ts'
import { revocationNotices } from './revocations.ts'
import { republishRevocations } from './revoked-zones.ts'
import type { State } from './state.ts'

/** A name leads to a device's zone, which does not change: it may be kept for a day (GNUnet's default). */
const DELEGATION_MS = 24 * 3_600_000
/** As long as a block of GNS lives here: who says nothing for a day is not heard any more (docs/operations.md). */
const NOTICES_EXPIRY = { afterMs: DELEGATION_MS }
/** What ends within this is left to end. */
const COVER_MIN_MS = 60_000
/** What is out is put again when a quarter of its life is over, or when something has changed. */
const PUBLISH_EVERY_MS = 6 * 3_600_000
/** A command that has nothing else to do waits so long for its names to leave. */
const PUBLISH_WAIT_MS = 2_000
/** One that is there for that: a link to a hub comes up first. */
export const PUBLISH_PATIENCE_MS = 15_000
const LOOK_EVERY_MS = 25
const FILE = 'published'

/** The ego's zone on a store: what the fleet says, whatever was in the store. */
function zoneOn(
  store: Store,
  { secret }: Pick<Ego, 'secret'>,
  devices: readonly Device[],
  more: MoreNames = NOTHING_MORE,
  database: ZoneDatabase = new ZoneDatabase(store),
): ZoneDatabase {
  database.adopt(secret.zone)
  for (const { label, records } of more.records) database.replace(secret.zone, label, records)
  for (const { name, zone } of devices)
    database.replace(secret.zone, name, [delegationRecord(zone, { afterMs: DELEGATION_MS })])
  return database
}

/** What a GNUnet daemon knows beside us. */
export interface MoreNames {
  /** A zone for a suffix that is none of ours; null where there is none. */
  readonly zones: (suffix: string) => ZoneKey | null
  /** What else stands in the zone of the ego. */
  readonly records: readonly { readonly label: string; readonly records: readonly ZoneRecord[] }[]
}

const NOTHING_MORE: MoreNames = { zones: () => null, records: [] }

export interface ResolvingWith extends Pick<ResolverOptions, 'revocations'> {
  readonly more?: MoreNames | undefined
}

/** A resolver that knows the ego by its name. */
export const openResolver = (
  mesh: Mesh,
  clock: Clock,
  ego: Ego,
  devices: readonly Device[],
  { more = NOTHING_MORE, revocations }: ResolvingWith = {},
): Resolver =>
  new Resolver({
    mesh,
    clock,
    ...(revocations && { revocations }),
    zones: suffix => (suffix === ego.name ? ego.secret.zone : more.zones(suffix)),
    database: zoneOn(memoryStore(), ego, devices, more),
  })

/** What is out: of which names, since when, and the expiry of each block, which must never go back. */
interface Published {
  readonly at: number
  readonly digest: string
  readonly expiries: Readonly<Record<string, string>>
}

/**
 * Publishes the ego's zone where something has changed or it was long ago; resolves when all of it has
 * left, or after a moment. A zone that could not be published this time will be the next time.
 */
export async function publishZone(
  context: Context,
  { waitMs = PUBLISH_WAIT_MS }: { readonly waitMs?: number } = {},
): Promise<void> {
  const { state, fleet, clock, random, log } = context
  const ego = context.ego()
  const devices = fleet.devices()
  const notices = { now: revocationNotices(state, ego.secret), before: successionNotices(ego) }
  const revoked = publishedRevocations(state).map(({ work }) => work.intent.zone)
  const digest = digestOf(ego, devices, notices.now, revoked)
  const last = readPublished(state)
  const age = clock.now() - last.at
  const isNothing =
    last.digest === '' && devices.length === 0 && notices.now.length === 0 && ego.before === null
  if (isNothing || (last.digest === digest && age >= 0 && age < PUBLISH_EVERY_MS)) return
  const store = memoryStore()
  for (const [name, hex] of Object.entries(last.expiries)) store.set(name, Buffer.from(hex, 'hex'))
  const database = zoneOn(store, ego, devices)
  database.replace(ego.secret.zone, NOTICES_LABEL, noticeRecords(notices.now, NOTICES_EXPIRY))
  const gone = coverGone(database, ego, clock.now())
  if (ego.before) {
    // Who knows us by the key before finds our devices by it, and what came after it.
    zoneOn(store, { secret: ego.before }, devices, NOTHING_MORE, database)
    database.replace(ego.before.zone, NOTICES_LABEL, noticeRecords(notices.before, NOTICES_EXPIRY))
  }
  const mesh = await context.mesh()
  const namestore = mesh.names && (await mesh.names.canStore()) ? mesh.names : null
  const publisher = namestore
    ? new NamestoreKeeper({ namestore, mesh, clock, log, database })
    : new Publisher({ mesh, clock, random, log, database })
  publisher.publish(ego.secret)
  if (ego.before) publisher.publish(ego.before)
  const isThere = (zone: ZoneKey, label: string) => publisher.publishedUntil(zone, label) !== null
  const isOut = () =>
    [...devices.map(({ name }) => name), ...gone].every(one => isThere(ego.secret.zone, one)) &&
    (notices.now.length === 0 || isThere(ego.secret.zone, NOTICES_LABEL)) &&
    (!ego.before || isThere(ego.before.zone, NOTICES_LABEL))
  const deadline = clock.elapsed() + waitMs
  while (!isOut() && clock.elapsed() < deadline)
    await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
  await republishRevocations(context)
  const isComplete = isOut()
  publisher.close()
  await writePublished(context, {
    at: isComplete ? clock.now() : 0,
    digest,
    expiries: expiriesIn(store),
  })
}

/**
 * A name that was taken away would lead on to its device until its last block expires: until then another block
 * stands in its place, which leads nowhere. The labels of these.
 */
function coverGone(database: ZoneDatabase, { secret }: Ego, now: number): readonly string[] {
  const living = database
    .gone(secret.zone)
    .map(({ label, expiry }) => ({ label, atMs: Number(expiry / 1_000n) }))
    .filter(({ atMs }) => atMs > now + COVER_MIN_MS)
  for (const { label, atMs } of living)
    database.replace(secret.zone, label, [txtRecord('gone', { atMs })])
  return living.map(({ label }) => label)
}

/** Of all that is in the zone, and of whose it is. */
const digestOf = (
  { secret }: Ego,
  devices: readonly Device[],
  notices: readonly OwnerNotice[],
  revoked: readonly ZoneKey[],
): string => {
  const encoder = new TextEncoder()
  const names = devices.flatMap(({ name, zone }) => [encoder.encode(`${name}\n`), zone])
  const parts = [secret.zone, ...names, ...notices.map(({ signed }) => signed), ...revoked]
  return Buffer.from(sha256(concat(...parts))).toString('hex')
}

const successionNotices = ({ chain }: Ego): readonly OwnerNotice[] =>
  chain.length === 0 ? [] : [{ is: 'succession', signed: successionChain(chain) }]

function readPublished(state: State): Published {
  try {
    const { at, digest, expiries } = JSON.parse(state.readText(FILE) ?? '') as Published
    if (typeof at === 'number' && typeof digest === 'string') return { at, digest, expiries }
  } catch {
    // Nothing is lost: it is published again.
  }
  return { at: 0, digest: '', expiries: {} }
}

async function writePublished({ state, log }: Context, published: Published): Promise<void> {
  try {
    await state.exclusively(() => state.writeText(FILE, `${JSON.stringify(published)}\n`))
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    log.note('warn', 'controller', 'publication not noted', { code: error.code })
  }
}

const expiriesIn = (store: Store): Record<string, string> =>
  Object.fromEntries(
    store
      .names()
      .filter(name => name.startsWith('gns-expiry.'))
      .map(name => [name, Buffer.from(store.get(name)!).toString('hex')]),
  )
