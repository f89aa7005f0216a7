/**
 * Who is dialled, where, and when again. Wanted peers are dialled until there is a link, for ever;
 * of the others a few, now and then. Several addresses are tried side by side, a little apart.
 */

import { keyOf } from '../../../base/bytes.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Random } from '../../../base/random.ts'
import type { Address } from '../../../base/stream.ts'
import {
  REDIAL_MAX_MS,
  REDIAL_MIN_MS,
  STAGGER_MS,
  STRANGER_RETRY_MAX_MS,
  STRANGER_RETRY_MIN_MS,
  STRANGERS_AFTER_MS,
  STRANGERS_PERIOD_MS,
} from './limits.ts'
import type { PeerStore } from './peer-store.ts'
import type { Session } from './session.ts'

/** Waits vary by a quarter, so that a hub that comes back is not dialled by everybody at once. */
const JITTER = 0.25

export interface DiallerOptions {
  readonly clock: Clock
  readonly random: Random
  readonly store: PeerStore
  /** With fewer links than this, strangers are dialled. */
  readonly linksWished: number
  /** Dials; the session ends by itself where nobody answers. */
  dial(peer: PeerId, address: Address): Session
  /** Whether there is a link, and no doubt about it. */
  isLinked(key: string): boolean
  linkCount(): number
}

interface Target {
  readonly peer: PeerId
  isWanted: boolean
  failures: number
  /** Addresses still to be tried in this round. */
  waiting: Address[]
  readonly open: Set<Session>
  timer: Timer | null
}

export class Dialler {
  private readonly options: DiallerOptions
  private readonly targets = new Map<string, Target>()
  /** By the monotonic clock: when a stranger may be tried again, and how often he has failed. */
  private readonly resting = new Map<string, { until: number; failures: number }>()
  private strangers: Timer | null = null
  private isStarted = false

  constructor(options: DiallerOptions) {
    this.options = options
  }

  start(): void {
    this.isStarted = true
    for (const target of this.targets.values()) this.begin(target)
    this.strangers = this.options.clock.after(STRANGERS_AFTER_MS, () => this.dialStranger())
  }

  isWanted(key: string): boolean {
    return this.targets.get(key)?.isWanted ?? false
  }

  /** Keeps a link to the peer from now on. */
  want(peer: PeerId): void {
    const target = this.targetOf(peer)
    if (target.isWanted) return
    target.isWanted = true
    this.begin(target)
  }

  unwant(peer: PeerId): void {
    const key = keyOf(peer)
    const target = this.targets.get(key)
    if (target) this.forget(key, target)
  }

  /** Something new is known about where the peer is: a wait for that may end. */
  learned(peer: PeerId): void {
    const target = this.targets.get(keyOf(peer))
    if (target?.isWanted && target.open.size === 0) this.begin(target)
  }

  /** Dials beside a link that is silent, or after the network has changed. */
  hurry(key: string): void {
    const target = this.targets.get(key)
    if (target?.isWanted && target.open.size === 0) this.begin(target)
  }

  hurryAll(): void {
    for (const key of this.targets.keys()) {
      const target = this.targets.get(key)!
      target.failures = 0
      this.hurry(key)
    }
  }

  /** There is a link: the other attempts are over. */
  linkedUp(key: string, used: (session: Session) => boolean): void {
    const target = this.targets.get(key)
    if (!target) return
    target.timer?.cancel()
    target.timer = null
    target.waiting = []
    // Counts as a failure until the peer has proved itself: whoever only pretends is not dialled all the time.
    target.failures++
    for (const session of [...target.open])
      if (used(session)) target.open.delete(session)
      else session.close()
  }

  /** The link is with the peer indeed. */
  proved(key: string): void {
    const target = this.targets.get(key)
    if (target) target.failures = 0
    this.resting.delete(key)
  }

  linkedDown(key: string): void {
    const target = this.targets.get(key)
    if (!target) return
    if (!target.isWanted) this.rest(key, target)
    else if (target.open.size === 0 && !target.timer) this.waitAndBegin(target)
  }

  /** A dialled session has ended. */
  ended(session: Session): void {
    const target = this.targets.get(session.key)
    if (!target?.open.delete(session) || this.options.isLinked(session.key)) return
    if (target.waiting.length > 0) this.dialNext(target)
    else if (target.open.size === 0 && !target.timer) this.failed(session.key, target)
  }

  close(): void {
    this.strangers?.cancel()
    this.strangers = null
    for (const [key, target] of [...this.targets]) this.forget(key, target)
  }

  /** Peers that are being dialled. */
  dialling(): PeerId[] {
    return [...this.targets.values()].filter(({ open }) => open.size > 0).map(({ peer }) => peer)
  }

  private begin(target: Target): void {
    target.timer?.cancel()
    target.timer = null
    if (!this.isStarted || this.options.isLinked(keyOf(target.peer))) return
    target.waiting = this.options.store.addressesOf(target.peer)
    if (target.waiting.length > 0) this.dialNext(target)
    else this.failed(keyOf(target.peer), target)
  }

  private dialNext(target: Target): void {
    target.timer?.cancel()
    target.timer = null
    const address = target.waiting.shift()
    if (!address) return
    target.open.add(this.options.dial(target.peer, address))
    if (target.waiting.length > 0)
      target.timer = this.options.clock.after(STAGGER_MS, () => this.dialNext(target))
  }

  /** No address has led to a link. */
  private failed(key: string, target: Target): void {
    target.failures++
    if (target.isWanted) this.waitAndBegin(target)
    else this.rest(key, target)
  }

  /** Leaves a stranger in peace for a while. */
  private rest(key: string, target: Target): void {
    const failures = (this.resting.get(key)?.failures ?? 0) + 1
    const waitMs = Math.min(STRANGER_RETRY_MAX_MS, STRANGER_RETRY_MIN_MS * 2 ** failures)
    this.resting.set(key, { until: this.options.clock.elapsed() + waitMs, failures })
    this.forget(key, target)
  }

  private waitAndBegin(target: Target): void {
    const waitMs = Math.min(REDIAL_MAX_MS, REDIAL_MIN_MS * 2 ** Math.min(target.failures, 16))
    const jitter = 1 + (this.options.random.below(2_001) / 1_000 - 1) * JITTER
    target.timer?.cancel()
    target.timer = this.options.clock.after(waitMs * jitter, () => this.begin(target))
  }

  private dialStranger(): void {
    const { clock, store, linksWished } = this.options
    this.strangers = clock.after(STRANGERS_PERIOD_MS, () => this.dialStranger())
    if (this.options.linkCount() >= linksWished) return
    const known = store.all()
    const names = new Set(known.map(keyOf))
    for (const key of this.resting.keys()) if (!names.has(key)) this.resting.delete(key)
    const free = known.filter(peer => this.isFree(keyOf(peer)))
    if (free.length === 0) return
    this.begin(this.targetOf(free[this.options.random.below(free.length)]!))
  }

  private isFree(key: string): boolean {
    const until = this.resting.get(key)?.until ?? 0
    return (
      !this.targets.has(key) && !this.options.isLinked(key) && until <= this.options.clock.elapsed()
    )
  }

  private targetOf(peer: PeerId): Target {
    const key = keyOf(peer)
    const known = this.targets.get(key)
    if (known) return known
    const made: Target = {
      peer,
      isWanted: false,
      failures: 0,
      waiting: [],
      open: new Set(),
      timer: null,
    }
    this.targets.set(key, made)
    return made
  }

  private forget(key: string, target: Target): void {
    target.timer?.cancel()
    this.targets.delete(key)
  }
}
