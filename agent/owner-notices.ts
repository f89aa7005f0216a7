/**
 * What the owners of this device say in their own zones to all their devices (src/box/owner-notices.ts): looked
 * for at the start and now and then, so that a device that was off hears of a stolen controller also where nobody
 * reaches it. A zone can say what its owner may do here, and nothing more.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import { memoryStore } from '../src/base/store.ts'
import type { GrantBook } from '../src/box/grant.ts'
import { NOTICES_LABEL, type OwnerNotice, readNotices } from '../src/box/owner-notices.ts'
import { applyRevocation, type Revocation, readRevocation } from '../src/box/revocation.ts'
import { zoneToText } from '../src/gns/name.ts'
import { RECORD_TYPE } from '../src/gns/record.ts'
import { Resolver } from '../src/gns/resolver.ts'
import type { Revocations } from '../src/gns/revocations.ts'
import { ZoneDatabase } from '../src/gns/zone.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { Successions } from './successions.ts'

/** The links to the hubs come up first. */
const FIRST_MS = 15_000
/** One question to the DHT for each owner: an idle device stays idle. */
const EVERY_MS = 60 * 60_000
/** Those who were granted something first are asked; a device with more owners is no device of a person. */
const OWNERS_MAX = 16

export interface OwnerNoticesOptions {
  readonly mesh: Pick<Mesh, 'dht'>
  readonly grants: GrantBook
  readonly audit: AuditNotes
  readonly successions: Pick<Successions, 'take'>
  readonly revocations: Pick<Revocations, 'isRevoked' | 'ask' | 'decided'>
  readonly clock: Clock
  readonly log: Log
  /** Told which key may do nothing any more, for what is open to end. */
  readonly ended: (zone: ZoneKey) => void
}

export class OwnerNotices {
  private readonly options: OwnerNoticesOptions
  private readonly resolver: Resolver
  private readonly over = new AbortController()
  private timer: Timer

  constructor(options: OwnerNoticesOptions) {
    const { mesh, clock, revocations } = options
    this.options = options
    this.resolver = new Resolver({
      ...{ mesh, clock, revocations, zones: () => null, database: new ZoneDatabase(memoryStore()) },
    })
    this.timer = this.later(FIRST_MS)
  }

  /** Looks into the zone of each owner once. Never fails. */
  async look(): Promise<void> {
    const { grants, clock, log, revocations } = this.options
    for (const { zone } of grants.held()) if (revocations.isRevoked(zone)) this.zoneRevoked(zone)
    const owners = grants.all().filter(({ zone }) => grants.allows(zone, 'admin', clock.now()))
    for (const { zone } of owners.slice(0, OWNERS_MAX)) {
      for (const notice of await this.noticesOf(zone)) {
        try {
          this.take(zone, notice)
        } catch (error) {
          if (!(error instanceof BoxError)) throw error
          log.note('info', 'notices', 'not followed', { code: error.code, why: error.detail })
        }
      }
      if (this.over.signal.aborted) return
    }
  }

  /** Ends what a key may do here. Throws as applyRevocation. */
  revoke(revocation: Revocation): void {
    const { grants, audit, clock, ended } = this.options
    const { issuer } = revocation
    const revoked = grants.heirOf(revocation.revoked)
    const name = grants.given(revoked)?.holder ?? ''
    if (!applyRevocation(grants, revocation, clock.now())) return
    ended(revoked)
    const detail = `${name} ${zoneToText(revoked)}`.trim()
    audit.note({ zone: issuer, what: 'revoke', detail, result: 'done' })
  }

  /** A key whose zone is revoked in GNS is in wrong hands, or in none: it may do nothing any more. Never fails. */
  zoneRevoked(zone: ZoneKey): void {
    const { grants, audit, clock, log, ended } = this.options
    const grant = grants.find(zone, clock.now())
    if (!grant) return
    try {
      grants.set({ ...grant, rights: [], number: Math.max(clock.now(), grant.number) })
      ended(zone)
      const detail = `${grant.holder} ${zoneToText(zone)}, in GNS`
      audit.note({ zone, what: 'revoke', detail, result: 'done' })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('error', 'notices', 'not ended', { code: error.code, why: error.detail })
    }
  }

  close(): void {
    this.timer.cancel()
    this.over.abort(new BoxError('ENGINE_CLOSED'))
    this.resolver.close()
  }

  /** Most owners say nothing: then there is nothing under this name, or nobody who answers. */
  private async noticesOf(zone: ZoneKey): Promise<readonly OwnerNotice[]> {
    const name = { labels: [NOTICES_LABEL], zone }
    const options = { signal: this.over.signal, fresh: true }
    try {
      return readNotices((await this.resolver.resolve(name, RECORD_TYPE.TXT, options)).records)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('debug', 'notices', 'none', { code: error.code, why: error.detail })
      return []
    }
  }

  private take(owner: ZoneKey, { is, signed }: OwnerNotice): void {
    if (is === 'succession') {
      this.options.successions.take(signed, null)
      return
    }
    const revocation = readRevocation(signed)
    if (equalBytes(revocation.issuer, owner)) this.revoke(revocation)
  }

  private later(ms: number): Timer {
    return this.options.clock.after(ms, () => {
      void this.look().finally(() => {
        if (!this.over.signal.aborted) this.timer = this.later(EVERY_MS)
      })
    })
  }
}
