/**
 * Jobs by way of relays: takes those that were left there for this device, and leaves, for each person who left
 * some, what became of them. A relay is not trusted: statements count by their signatures, reports are signed
 * by the device, both are sealed.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import { openParcel, PARCEL_BYTES_MAX, packParcel } from '../src/box/bundle/parcel.ts'
import { signReports } from '../src/box/job-report.ts'
import { readWaiting } from '../src/box/push-report.ts'
import type { PushTalk } from '../src/box/push-talk.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { Jobs } from './jobs.ts'

/** Of one visit: what comes after these is for the next one. */
const PARCELS_MAX = 8
const STATEMENTS_MAX = 128

export interface JobPostOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly jobs: Jobs
}

export class JobPost {
  private readonly options: JobPostOptions
  /** What was left last, by relay, key of ours and person: how often their jobs had changed by then. */
  private readonly left = new Map<string, number>()

  constructor(options: JobPostOptions) {
    this.options = options
  }

  /** As the one whose key it is, in a dialogue of that one. Fails where that does; a relay that is too old for jobs has none. */
  async visit(talk: PushTalk, relay: string, own: ZoneSecret): Promise<void> {
    try {
      await this.fetch(talk, own)
      await this.tell(talk, relay, own)
    } catch (error) {
      const isRefused = error instanceof BoxError && error.family === 'refused'
      if (!isRefused) throw error
      this.options.log.note('debug', 'jobs', 'relay refuses', { why: error.detail })
    }
  }

  private async fetch(talk: PushTalk, own: ZoneSecret): Promise<void> {
    const waiting = readWaiting(await talk.ask('find', { shelf: 'jobs' }))
    for (const { id } of waiting.slice(0, PARCELS_MAX)) {
      const about = { shelf: 'jobs', id }
      const [, sealed] = await talk.fetch('take', about, PARCEL_BYTES_MAX)
      if (this.open(sealed, own)) await talk.ask('taken', about)
    }
  }

  /** Each statement by itself: one that is refused says nothing about the others. False where it is to stay there. */
  private open(sealed: Uint8Array, own: ZoneSecret): boolean {
    const { log } = this.options
    try {
      const { contents } = openParcel(own, sealed)
      return contents.slice(0, STATEMENTS_MAX).filter(signed => !this.take(signed)).length === 0
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'jobs', 'parcel refused', { why: error.detail })
      return true
    }
  }

  /** False where the disk has no room for it, or the clock is not set for it yet. */
  private take(signed: Uint8Array): boolean {
    const { jobs, log } = this.options
    try {
      jobs.take(signed)
      return true
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'jobs', 'refused', { code: error.code, why: error.detail })
      return error.family !== 'setup'
    }
  }

  private async tell(talk: PushTalk, relay: string, own: ZoneSecret): Promise<void> {
    const { jobs, clock, random, log } = this.options
    for (const signer of jobs.signers()) {
      const revision = jobs.revisionFor(signer)
      const key = `${relay} ${zoneToText(own.zone)} ${signer}`
      if (this.left.get(key) === revision) continue
      const reader = zoneFromText(signer)
      try {
        const theirs = jobs.reports(reader).filter(report => report.signer === signer)
        const signed = signReports(own, reader, theirs)
        const parcel = packParcel({ signed, contents: [] }, reader, random)
        if (!parcel) continue
        const about = { shelf: 'results', to: signer, sequence: clock.now() }
        await talk.give('leave', parcel, about)
      } catch (error) {
        // Whoever left nothing here gets nothing here; for some kinds of zones nothing can be sealed.
        if (!(error instanceof BoxError) || !['refused', 'usage'].includes(error.family))
          throw error
        log.note('debug', 'jobs', 'not told', { why: error.detail })
      }
      this.left.set(key, revision)
    }
  }
}
