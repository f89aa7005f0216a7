/**
 * Who may do what on a device: its grants, kept on the device, replaced as a whole at each change.
 *
 * A grant names a zone key, its rights and until when they hold. Pairing makes owners, who have all rights.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Store } from '../base/store.ts'
import { zoneFromText, zoneToText } from '../gns/name.ts'
import { makesDemands, parseScope, type Scope, WHOLE_SCOPE } from './scope.ts'
import type { Succession } from './succession.ts'

/** Those of version 0.1.0. `admin` is to grant, revoke and pair, and to read recordings. */
const FIRST_RIGHTS = ['status', 'shell', 'exec', 'files', 'forward', 'push', 'admin'] as const
/** `watch` is to look at the shells of others while they are open. */
export const RIGHTS = [...FIRST_RIGHTS, 'watch'] as const
export type Right = (typeof RIGHTS)[number]

export interface Grant {
  readonly zone: ZoneKey
  /** How the holder calls itself. */
  readonly holder: string
  /** How the holder called the device when it was paired. */
  readonly deviceName: string
  readonly rights: readonly Right[]
  /** Milliseconds since 1970; null: until revoked. */
  readonly until: number | null
  /** By the clock of the device. */
  readonly since: number
  /** How far the rights go. */
  readonly scope: Scope
  /** Of the statement that made it (grant-statement.ts); 0: made by pairing. */
  readonly number: number
  /** Where it was made by pairing: of the latest statement about the zone before that, if there was one. */
  readonly earlier?: number
}

const FILE = 'grants'
const VERSION = 1
/** Far more people than look after one device; each costs a line of a file read at every login. */
const GRANTS_MAX = 256
/** By which clocks of owner and device may differ. */
const SKEW_MS = 24 * 3_600_000

/** A key that its holder has given up for another one, and the number of the statement that said so. */
interface Retired {
  readonly zone: ZoneKey
  readonly after: ZoneKey
  readonly number: number
}

interface Pages {
  readonly grants: readonly Grant[]
  readonly retired: readonly Retired[]
}

export class GrantBook {
  private readonly store: Store
  private grants: readonly Grant[]
  private retired: readonly Retired[]

  /** Throws STATE_UNREADABLE. */
  constructor(store: Store) {
    this.store = store
    const { grants, retired } = read(store)
    this.grants = grants
    this.retired = retired
  }

  all(): readonly Grant[] {
    return this.grants
  }

  /** Those that give something, though perhaps no longer: not what is kept of those that were ended. */
  held(): readonly Grant[] {
    return this.grants.filter(({ rights }) => rights.length > 0)
  }

  /** The grant of this zone that holds at `now`; null where there is none. */
  find(zone: ZoneKey, now: number): Grant | null {
    const grant = this.given(zone)
    return grant && (grant.until === null || grant.until > now) ? grant : null
  }

  /** What this zone was granted and nobody has ended, also where its time is over; null where that is nothing. */
  given(zone: ZoneKey): Grant | null {
    const grant = this.entry(zone)
    return grant && grant.rights.length > 0 ? grant : null // Its end is kept for its number.
  }

  /** The number of the latest statement about this zone, also one that ended its rights; 0 where there is none. */
  lastNumber(zone: ZoneKey): number {
    return this.entry(zone)?.number ?? 0
  }

  allows(zone: ZoneKey, right: Right, now: number): boolean {
    return this.find(zone, now)?.rights.includes(right) ?? false
  }

  /** Adds a grant, in place of what the same zone had. Throws LIMIT_EXCEEDED, STATE_UNWRITABLE. */
  set(grant: Grant): void {
    const others = this.grants.filter(({ zone }) => !equalBytes(zone, grant.zone))
    if (others.length >= GRANTS_MAX)
      throw new BoxError('LIMIT_EXCEEDED', `There are ${GRANTS_MAX} grants already.`)
    const before = this.entry(grant.zone)
    const earlier = Math.max(before?.number ?? 0, before?.earlier ?? 0)
    // Or what was said before somebody was paired again could be said again.
    this.replace([...others, grant.number === 0 && earlier > 0 ? { ...grant, earlier } : grant])
  }

  /** Takes away all that the zone was granted; false where that was nothing. */
  remove(zone: ZoneKey): boolean {
    const others = this.grants.filter(grant => !equalBytes(grant.zone, zone))
    if (others.length === this.grants.length) return false
    this.replace(others)
    return true
  }

  /**
   * Whether this key may still give way to another one: a statement that is older than one that was followed,
   * or much older than the grant, is said again by somebody else.
   */
  mayRetire({ before, number }: Succession, now: number): boolean {
    const last = this.retired.find(({ zone }) => equalBytes(zone, before))
    const since = this.entry(before)?.since ?? 0
    return number > (last?.number ?? 0) && number > since - SKEW_MS && number <= now + SKEW_MS
  }

  /** The key that has what this one had: itself where nothing came after it. */
  heirOf(zone: ZoneKey): ZoneKey {
    let heir = zone
    // As many steps as there are: what was damaged may lead in a circle.
    for (let steps = 0; steps < this.retired.length; steps++) {
      const next = this.retired.find(one => equalBytes(one.zone, heir))
      if (!next) break
      heir = next.after
    }
    return heir
  }

  /** What the key before had, the key after it has from now on. False where that was nothing. Throws STATE_UNWRITABLE. */
  succeed({ before, after, number }: Succession, now: number): boolean {
    const old = this.find(before, now)
    if (!old) return false
    const isEither = (zone: ZoneKey) => equalBytes(zone, before) || equalBytes(zone, after)
    const others = this.grants.filter(({ zone }) => !isEither(zone))
    const own = this.find(after, now)
    // Who may grant keeps that, whatever else the new key was granted before.
    const next = own && !old.rights.includes('admin') ? own : { ...old, zone: after }
    // A key that comes back has an heir no longer.
    const retired = this.retired.filter(({ zone }) => !isEither(zone))
    this.write({
      grants: [...others, next],
      retired: [...retired, { zone: before, after, number }].slice(-GRANTS_MAX),
    })
    return true
  }

  private entry(zone: ZoneKey): Grant | undefined {
    return this.grants.find(one => equalBytes(one.zone, zone))
  }

  private replace(grants: readonly Grant[]): void {
    this.write({ grants, retired: this.retired })
  }

  private write({ grants, retired }: Pages): void {
    const pages = {
      version: VERSION,
      grants: grants.map(grant => ({
        ...grantText(grant),
        rights: rightsForOlder(grant),
      })),
      retired: retired.map(({ zone, after, number }) => ({
        ...{ zone: zoneToText(zone), after: zoneToText(after), number },
      })),
    }
    this.store.set(FILE, new TextEncoder().encode(`${JSON.stringify(pages, null, 1)}\n`))
    this.grants = grants
    this.retired = retired
  }
}

/** What an owner may do: everything, until the device is reset. */
export const ownerGrant = (
  zone: ZoneKey,
  names: { readonly holder: string; readonly deviceName: string },
  now: number,
): Grant => ({
  zone,
  ...names,
  rights: RIGHTS,
  until: null,
  since: now,
  scope: WHOLE_SCOPE,
  number: 0,
})

/** Whoever may grant for a time takes nothing from anybody who may for good. */
export const mayTakeFrom = (own: Grant, theirs: Grant | null): boolean =>
  own.until === null || !theirs?.rights.includes('admin') || theirs.until !== null

/**
 * What a version that knows of no demands reads, where an upgrade was put back: of a grant with one, nothing. Whoever
 * may grant could lift the demand anyhow, and must be there to mend things.
 */
const rightsForOlder = ({ rights, scope }: Grant): readonly Right[] =>
  makesDemands(scope) && !rights.includes('admin') ? [] : rights.filter(isFirst)

const isFirst = (right: Right) => (FIRST_RIGHTS as readonly Right[]).includes(right)

/** A grant as JSON, for whoever may grant: rights that an older reader would stumble over stand apart. */
export const grantText = (grant: Grant): object => ({
  ...{ ...grant, zone: zoneToText(grant.zone) },
  ...{ rights: grant.rights.filter(isFirst), allRights: grant.rights },
})

function read(store: Store): Pages {
  const bytes = store.get(FILE)
  if (!bytes) return { grants: [], retired: [] }
  try {
    const {
      version,
      grants,
      retired = [],
    } = JSON.parse(new TextDecoder().decode(bytes)) as Partial<{
      version: unknown
      grants: unknown
      retired: unknown
    }>
    if (version !== VERSION || !Array.isArray(grants) || !Array.isArray(retired))
      throw new TypeError('no list of grants')
    return { grants: grants.map(parseGrant), retired: retired.map(parseRetired) }
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `The list of owners (${FILE}) is damaged.`, cause)
  }
}

function parseRetired(entry: unknown): Retired {
  const { zone, after, number } = (entry ?? {}) as Record<keyof Retired, unknown>
  if (typeof zone !== 'string' || typeof after !== 'string' || typeof number !== 'number')
    throw new TypeError('no retired key')
  return { zone: zoneFromText(zone), after: zoneFromText(after), number }
}

/** From JSON. Throws TypeError. */
export function parseGrant(entry: unknown): Grant {
  const { zone, holder, deviceName, until, since, scope, number, earlier, ...given } =
    entry as Record<keyof Grant | 'allRights', unknown>
  const said = given.allRights ?? given.rights
  if (typeof zone !== 'string' || typeof holder !== 'string' || typeof deviceName !== 'string')
    throw new TypeError('a text is missing')
  if (!Array.isArray(said) || !said.every(isRight)) throw new TypeError('unknown rights')
  if ((until !== null && typeof until !== 'number') || typeof since !== 'number')
    throw new TypeError('a time is missing')
  // Books of 0.1.0 have neither scope nor number.
  if (number !== undefined && typeof number !== 'number') throw new TypeError('no number')
  const past = typeof earlier === 'number' ? { earlier } : {}
  const terms = { scope: parseScope(scope), number: number ?? 0, ...past }
  // Who was paired has every right, those too that there were not yet.
  const isOwner = terms.number === 0 && FIRST_RIGHTS.every(right => said.includes(right))
  const rights = isOwner ? RIGHTS : said
  return { zone: zoneFromText(zone), holder, deviceName, rights, until, since, ...terms }
}

export const isRight = (value: unknown): value is Right =>
  (RIGHTS as readonly unknown[]).includes(value)
