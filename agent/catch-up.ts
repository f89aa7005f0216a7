/**
 * Fetches from relays what was pushed while this device was off, without anybody being there: at the start, and
 * now and then. A relay is not trusted: what it hands over counts by the signature of an owner alone, as if the
 * owner had brought it, and what is older than all that was seen stays refused.
 *
 * Nobody being there, the device confirms the change itself: over a new channel to the relay, opened after the
 * change, and only while a new connection to a hub can be made. By that way it is reached, so it can be mended.
 */

import { type Clock, pause, type Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { PeerId, ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import { openParcel, PARCEL_BYTES_MAX, type Parcel } from '../src/box/bundle/parcel.ts'
import { contentId, openRelease, type Release } from '../src/box/bundle/release.ts'
import { authenticate } from '../src/box/handshake.ts'
import { servicePort } from '../src/box/ports.ts'
import { readWaiting, type WaitingParcel } from '../src/box/push-report.ts'
import { PushTalk } from '../src/box/push-talk.ts'
import type { ZoneSecret } from '../src/crypto/zone-key.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Mesh } from '../src/mesh/mesh.ts'
import type { Applier } from './apply/applier.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { JobPost } from './job-post.ts'
import { type PushAudit, releaseText } from './push-audit.ts'

/** The links to the hubs come up first. */
const FIRST_MS = 10_000
/** No relay was reached: again so soon, then twice as late each time. */
const RETRY_MS = 60_000
const EVERY_MS = 15 * 60_000
/** What is to be told may be followed by more. */
const SOON_MS = 3_000
/** A fleet that came up at once, after a power cut, does not ask at once each time: up to a quarter more. */
const SPREAD = 4
/** To find the relay and to prove who both are; a hub that is no relay does not answer. */
const MEET_MS = 20_000
const CONFIRM_AGAIN_MS = 3_000
/** Of a relay that keeps talking: what comes after these is for the next look. */
const FETCHES_MAX = 4
const DONE_MAX = 32
/** A parcel that was refused is left for so long: a full disk, or a missing package, may be mended by then. */
const REFUSED_MS = 6 * 60 * 60_000
/** More than a relay keeps for one device. */
const REFUSED_MAX = 256

export interface CatchUpOptions {
  readonly mesh: Pick<Mesh, 'self' | 'connect'>
  readonly device: Pick<DeviceKeys, 'served' | 'secret'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly relays: readonly ZoneKey[]
  /** One of them is the relay. */
  readonly hubs: readonly PeerId[]
  readonly applier: Applier
  readonly audit: PushAudit
  /** Whether a new connection to a hub can be made now. */
  readonly dials: () => Promise<boolean>
  /** Looks there for jobs as well, and leaves what is to be told of them. */
  readonly post?: JobPost | null
}

interface Relay {
  readonly zone: ZoneKey
  readonly peer: PeerId
  /** As whom we ask: what was left for a key that was given up, only that one gets. */
  readonly own: ZoneSecret
}

export class CatchUp {
  private readonly options: CatchUpOptions
  private readonly over = new AbortController()
  /** Until when, by clock.elapsed, it is not fetched again; by its name. */
  private readonly refused = new Map<string, number>()
  private timer: Timer
  private isLooking = false
  private isAsked = false
  private retryMs = RETRY_MS

  constructor(options: CatchUpOptions) {
    this.options = options
    this.timer = this.later(FIRST_MS)
  }

  /** Asks each relay once. True where one of them answered. Never fails. */
  async look(): Promise<boolean> {
    let isAnswered = false
    for (const zone of this.options.relays)
      for (const peer of this.options.hubs) {
        if (this.over.signal.aborted) return isAnswered
        const [now, ...before] = this.options.device.served().map(({ secret }) => secret)
        if (!(await this.lookAt({ zone, peer, own: now! }))) continue
        for (const own of before) await this.lookAt({ zone, peer, own })
        isAnswered = true
        break
      }
    return isAnswered
  }

  /** There is something to tell: it need not wait for the next time. */
  lookSoon(): void {
    this.isAsked = true
    if (this.isLooking || this.over.signal.aborted) return
    this.timer.cancel()
    this.timer = this.later(SOON_MS)
  }

  close(): void {
    this.over.abort()
    this.timer.cancel()
  }

  private later(ms: number): Timer {
    const { clock, random } = this.options
    return clock.after(ms + random.below(Math.ceil(ms / SPREAD)), () => {
      this.isAsked = false
      this.isLooking = true
      void this.look().then(isAnswered => {
        this.isLooking = false
        if (this.over.signal.aborted) return
        this.retryMs = isAnswered ? RETRY_MS : Math.min(2 * this.retryMs, EVERY_MS)
        const againMs = this.isAsked ? SOON_MS : EVERY_MS
        this.timer = this.later(isAnswered ? againMs : this.retryMs)
      })
    })
  }

  /** True where this peer is the relay. */
  private async lookAt(relay: Relay): Promise<boolean> {
    try {
      await this.talking(relay, async talk => {
        // Before the configuration: that may cost us the way to the relay.
        await this.options.post?.visit(talk, zoneToText(relay.zone), relay.own)
        const waiting = readWaiting(await talk.ask('waiting', {}))
        const seen = this.options.applier.state.history().sequence
        const done = waiting.filter(({ sequence }) => sequence <= seen).slice(0, DONE_MAX)
        for (const { id } of done) await talk.ask('collected', { id })
        if (this.options.applier.open) return // Another change awaits its end; the next look is for this.
        const newest = waiting
          .filter(({ id, sequence }) => sequence > seen && !this.isRefused(id))
          .toSorted((a, b) => b.sequence - a.sequence)
          .slice(0, FETCHES_MAX)
        for (const one of newest) if (await this.fetch(relay, talk, one)) return
      })
      return true
    } catch (error) {
      if (this.over.signal.aborted) return false
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('debug', 'relay', 'not asked', { code: error.code })
      // A relay that has nothing for us does not know us, and says so.
      return error.code === 'NOT_PERMITTED'
    }
  }

  /** Fetches one parcel and applies it; false where it was refused. */
  private async fetch(relay: Relay, talk: PushTalk, { id }: WaitingParcel): Promise<boolean> {
    const [, sealed] = await talk.fetch('collect', { id }, PARCEL_BYTES_MAX)
    const { audit, log, applier } = this.options
    let requested: Parameters<PushAudit['begun']>[0] | null = null
    try {
      const parcel = openParcel(relay.own, sealed)
      const release = openRelease(parcel.signed)
      const about = `${releaseText(release)}, from the relay ${zoneToText(relay.zone)}`
      requested = { zone: release.signer, act: 'push', about }
      this.handOver(parcel)
      audit.begun(requested)
      const applied = await applier.apply(parcel.signed, () => {})
      if (applied.is === 'unchanged') audit.unchanged(requested)
      if (applied.is === 'awaiting') await this.confirm(relay, applied.id, release)
    } catch (error) {
      if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
      if (this.refused.size >= REFUSED_MAX) this.refused.clear()
      this.refused.set(id, this.options.clock.elapsed() + REFUSED_MS)
      log.note('warn', 'relay', 'refused', { why: error.detail })
      if (requested) audit.refused(requested, error.detail || error.message)
      return false
    }
    await talk.ask('collected', { id }).catch(error => {
      // The change may have cost us this channel; the next look says it again.
      if (!(error instanceof BoxError)) throw error
    })
    return true
  }

  private isRefused(id: string): boolean {
    return this.options.clock.elapsed() < (this.refused.get(id) ?? 0)
  }

  private handOver({ signed, contents }: Parcel): void {
    const { applier } = this.options
    const missing = new Set(applier.offer(signed).missing.map(id => id.join()))
    for (const content of contents)
      if (missing.has(contentId(content).join())) applier.take(content)
  }

  /** Until the applier has put it back, its time being over. */
  private async confirm(relay: Relay, id: string, { confirmSeconds }: Release): Promise<void> {
    const { clock, applier, dials, log } = this.options
    const deadline = clock.elapsed() + confirmSeconds * 1_000
    while (clock.elapsed() < deadline && !this.over.signal.aborted) {
      // Somebody else may have confirmed it, or it is put back already.
      if (applier.open?.id !== id) return
      try {
        await this.talking(relay, async talk => void (await talk.ask('waiting', {})))
        if ((await dials()) && applier.open?.id === id) {
          applier.confirm(id)
          return
        }
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
        log.note('info', 'relay', 'not confirmed yet', { code: error.code })
      }
      await pause(clock, CONFIRM_AGAIN_MS, this.over.signal)
    }
  }

  /** A dialogue over a new channel. Fails as `connect` and `authenticate`. */
  private async talking(
    { zone, peer, own }: Relay,
    run: (talk: PushTalk) => Promise<void>,
  ): Promise<void> {
    const { mesh, clock, random } = this.options
    const late = new AbortController()
    const timer = clock.after(MEET_MS, () => late.abort(new BoxError('PEER_TIMEOUT')))
    const signal = AbortSignal.any([late.signal, this.over.signal])
    try {
      const channel = await mesh.connect(peer, servicePort('relay', zone), { signal })
      const session = await authenticate(channel, {
        ...{ self: mesh.self, purpose: 'relay', own, device: zone, clock, random, signal },
      })
      timer.cancel()
      const talk = new PushTalk(session.channel, clock, this.over.signal)
      try {
        await run(talk)
      } finally {
        talk.close()
      }
    } finally {
      timer.cancel()
    }
  }
}
