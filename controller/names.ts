/** The ego's zone: a name for each device, resolved for ourselves and published for everybody else. */

import { concat, equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { memoryStore, type Store } from '../src/base/store.ts'
import { NOTICES_LABEL, noticeRecords, type OwnerNotice } from '../src/box/owner-notices.ts'
import { successionChain } from '../src/box/succession.ts'
import { sha256 } from '../src/crypto/hash.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
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
import {
  expiriesIn,
  isOut,
  isRecent,
  type LabelOut,
  labelsOut,
  oldest,
  outNow,
  readPublished,
  writePublished,
} from './published.ts'
import { publishedRevocations } from './revocation-book.ts'
import { revocationNotices } from './revocations.ts'
import { republishRevocations } from './revoked-zones.ts'

/** A name leads to a device's zone, which does not change: it may be kept for a day (GNUnet's default). */
const DELEGATION_MS = 24 * 3_600_000
/** As long as a block of GNS lives here: who says nothing for a day is not heard any more (docs/operations.md). */
const NOTICES_EXPIRY = { afterMs: DELEGATION_MS }
/** What ends within this is left to end. */
const COVER_MIN_MS = 60_000
/** A command that has nothing else to do waits so long for its names to leave. */
const PUBLISH_WAIT_MS = 2_000
/** One that is there for that: a link to a hub comes up first. */
export const PUBLISH_PATIENCE_MS = 15_000
const LOOK_EVERY_MS = 25

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

/**
 * Publishes of the ego's zone what has changed or was put long ago; resolves when all of that has left, or after a
 * moment. Names that could not be published this time will be the next time.
 */
export async function publishZone(
  context: Context,
  { waitMs = PUBLISH_WAIT_MS }: { readonly waitMs?: number } = {},
): Promise<void> {
  const { state, fleet, clock } = context
  const ego = context.ego()
  const devices = fleet.devices()
  const notices = { now: revocationNotices(state, ego.secret), before: successionNotices(ego) }
  const revoked = publishedRevocations(state).map(({ work }) => work.intent.zone)
  const digest = digestOf(ego, devices, notices.now, revoked)
  const last = readPublished(state)
  const isNothing =
    last.digest === '' && devices.length === 0 && notices.now.length === 0 && ego.before === null
  if (isNothing || (last.digest === digest && isRecent(last.at, clock.now()))) return
  const store = memoryStore()
  for (const [name, hex] of Object.entries(last.expiries)) store.set(name, Buffer.from(hex, 'hex'))
  const database = zoneOn(store, ego, devices)
  database.replace(ego.secret.zone, NOTICES_LABEL, noticeRecords(notices.now, NOTICES_EXPIRY))
  coverGone(database, ego, clock.now())
  if (ego.before) {
    // Who knows us by the key before finds our devices by it, and what came after it.
    zoneOn(store, { secret: ego.before }, devices, NOTHING_MORE, database)
    database.replace(ego.before.zone, NOTICES_LABEL, noticeRecords(notices.before, NOTICES_EXPIRY))
  }
  const secrets = ego.before ? [ego.secret, ego.before] : [ego.secret]
  const all = secrets.flatMap(secret => labelsOut(database, secret.zone))
  const due = all.filter(one => !isOut(last, one, clock.now()))
  const missing = await putOut(context, database, { secrets, due, waitMs })
  await republishRevocations(context)
  const out = outNow(last, { all, due, missing }, clock.now())
  await writePublished(context, {
    at: missing.length > 0 ? 0 : oldest(out, clock.now()),
    digest,
    out,
    expiries: expiriesIn(store),
  })
}

/** Puts what is due; the labels that have not left when the time is over. */
async function putOut(
  context: Context,
  database: ZoneDatabase,
  { secrets, due, waitMs }: DueNames,
): Promise<readonly LabelOut[]> {
  const { clock, random, log, signal } = context
  const mesh = await context.mesh()
  const namestore = mesh.names && (await mesh.names.canStore()) ? mesh.names : null
  const publisher = namestore
    ? new NamestoreKeeper({ namestore, mesh, clock, log, database })
    : new Publisher({ mesh, clock, random, log, database })
  for (const secret of secrets) {
    const labels = due.filter(({ zone }) => equalBytes(zone, secret.zone))
    publisher.publish(
      secret,
      labels.map(({ label }) => label),
    )
  }
  const isMissing = ({ zone, label }: LabelOut) => publisher.publishedUntil(zone, label) === null
  const deadline = clock.elapsed() + waitMs
  for (let missing = due; ; ) {
    // They leave in this order, more or less: a look at the first one is enough while it has not.
    if (missing[0] && !isMissing(missing[0])) missing = missing.filter(isMissing)
    if (missing.length === 0 || clock.elapsed() >= deadline || signal.aborted) {
      const late = missing.filter(isMissing)
      publisher.close()
      return late
    }
    await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
  }
}

interface DueNames {
  readonly secrets: readonly ZoneSecret[]
  readonly due: readonly LabelOut[]
  readonly waitMs: number
}

/**
 * A name that was taken away would lead on to its device until its last block expires: until then another block
 * stands in its place, which leads nowhere.
 */
function coverGone(database: ZoneDatabase, { secret }: Ego, now: number): void {
  const living = database
    .gone(secret.zone)
    .map(({ label, expiry }) => ({ label, atMs: Number(expiry / 1_000n) }))
    .filter(({ atMs }) => atMs > now + COVER_MIN_MS)
  for (const { label, atMs } of living)
    database.replace(secret.zone, label, [txtRecord('gone', { atMs })])
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
