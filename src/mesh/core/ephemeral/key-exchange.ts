/**
 * How two linked peers come to common keys and prove who they are (gnunet-service-core_kx.c,
 * v0.20.0): each sends a signed ephemeral key, then each has the other answer a challenge.
 *
 * After `failed` the exchange is over; after any other event it goes on. Messages that do not fit,
 * are forged or out of place are counted and dropped.
 */

import { equalBytes } from '../../../base/bytes.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import { BoxError } from '../../../base/errors.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Random } from '../../../base/random.ts'
import { ecdh } from '../../../crypto/agreement.ts'
import { equalSecrets, sha512 } from '../../../crypto/hash.ts'
import { PURPOSE, verifyPurpose } from '../../../crypto/purposes.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { toMs } from '../../../wire/time.ts'
import { Deadlines } from '../../transport/deadlines.ts'
import { DirectionKey } from './keys.ts'
import {
  CLOCK_TOLERANCE_MS,
  FIRST_KEY_DELAY_MS,
  KEY_RETRY_MIN_MS,
  PING_PERIOD_MIN_MS,
  PROOF_TIMEOUT_MS,
  RENEWAL_PERIOD_MS,
  SESSION_TIMEOUT_MS,
} from './limits.ts'
import {
  EphemeralBody,
  EphemeralKey,
  KX_STATUS,
  Ping,
  PingBody,
  Pong,
  PongBody,
} from './messages.ts'
import { OwnEphemeral } from './own-ephemeral.ts'
import type { KeyExchangeTimetable } from './timers.ts'

export interface KeyExchangeEvents {
  send(message: Uint8Array): void
  /** There are other keys; until `ready` the peer may not take messages sealed with them. */
  keyed(outbound: DirectionKey, inbound: DirectionKey): void
  /** Both sides have proved to have the keys. */
  ready(): void
  /** The peer began anew: what it knew of us is gone. `ready` follows. */
  restarted(): void
  /** Something just received is of the peer indeed. */
  recognised(): void
  /** A key was refused since the clocks differ by so much; positive where the peer's is ahead of ours. */
  clockDiffers(aheadMs: number): void
  /** The peer did not prove itself, or is silent. */
  failed(): void
}

export interface KeyExchangeOptions {
  readonly clock: Clock
  readonly random: Random
  readonly counters: Counters
  readonly key: SigningKey
  readonly self: PeerId
  readonly peer: PeerId
  readonly events: KeyExchangeEvents
}

interface TheirEphemeral {
  readonly key: Uint8Array
  readonly expiresAt: bigint
}

export class KeyExchange {
  private readonly options: KeyExchangeOptions
  private readonly timers: Deadlines<keyof KeyExchangeTimetable>
  private own: OwnEphemeral
  /** The key of ours whose end the timer waits for. */
  private timed: OwnEphemeral | null = null
  private theirs: TheirEphemeral | null = null
  private outbound: DirectionKey | null = null
  private inbound: DirectionKey | null = null
  private status: number = KX_STATUS.keySent
  /** What the peer has to send back, until it has; null where nothing is asked. */
  private challenge: Uint8Array | null = null
  /** Whether the peer has answered our challenge, and we its, with the present keys. */
  private theyProved = false
  private weProved = false
  private retryMs = KEY_RETRY_MIN_MS
  private heardAt: number
  private renewedAt = -Infinity

  constructor(options: KeyExchangeOptions) {
    const { clock } = options
    this.options = options
    this.own = this.freshOwn(0n)
    this.heardAt = clock.elapsed()
    const timetable: KeyExchangeTimetable = {
      retry: () => this.retry(),
      proof: () => this.fail('core.unproven'),
      silence: () => this.onSilence(),
      rekey: () => this.rekey(),
    }
    this.timers = new Deadlines(clock, timetable)
  }

  /** Begins, now that there is a link: at once or, where that is for the peer to do, in a moment. */
  start(): void {
    const { self, peer } = this.options
    this.timers.set('proof', PROOF_TIMEOUT_MS)
    if (compareHashes(sha512(peer), sha512(self)) > 0) this.sendKey()
    else this.timers.set('retry', FIRST_KEY_DELAY_MS)
  }

  get isReady(): boolean {
    return this.theyProved && this.weProved
  }

  /** Throws WireError. */
  onEphemeralKey(message: Uint8Array): void {
    const signed = EphemeralKey.decode(message)
    const { counters, events } = this.options
    if (this.theirs && signed.expiresAt < this.theirs.expiresAt) {
      counters.add('core.key_outdated')
      return
    }
    if (this.theirs && equalBytes(signed.key, this.theirs.key)) {
      this.onKnownKey(signed.senderStatus)
      return
    }
    if (!this.isGenuineKey(signed)) {
      counters.add('core.key_forged')
      return
    }
    const theirs = { key: signed.key.slice(), expiresAt: signed.expiresAt }
    if (!this.isTimely(toMs(signed.createdAt), toMs(signed.expiresAt))) return
    if (!this.derive(this.own, theirs)) return
    events.recognised()
    this.accepted(signed.senderStatus)
  }

  /** Throws WireError. */
  onPing(message: Uint8Array): void {
    const { seed, sealed } = Ping.decode(message)
    const { counters, self, events } = this.options
    const { inbound, outbound } = this
    const ping = inbound && PingBody.decode(inbound.openPing(seed, sealed))
    // Sealed with earlier keys, most likely; the peer will ask again with these.
    if (!outbound || !ping || !equalBytes(ping.target, self)) {
      counters.add('core.ping_unreadable')
      return
    }
    const { challenge } = ping
    const fresh = outbound.freshSeed()
    const answer = PongBody.encode({ challenge, peer: self })
    events.send(Pong.encode({ seed: fresh, sealed: outbound.sealPong(fresh, challenge, answer) }))
    this.weProved = true
    this.proceed()
  }

  /** Throws WireError. */
  onPong(message: Uint8Array): void {
    const { seed, sealed } = Pong.decode(message)
    const { counters, events, peer } = this.options
    const { inbound, challenge } = this
    const pong = inbound && challenge && PongBody.decode(inbound.openPong(seed, challenge, sealed))
    if (!pong || !equalSecrets(pong.challenge, challenge) || !equalBytes(pong.peer, peer)) {
      counters.add('core.pong_unreadable')
      return
    }
    this.challenge = null
    events.recognised()
    this.onGenuine()
  }

  /** Something came that only a peer with the present keys could send. */
  onGenuine(): void {
    this.heardAt = this.options.clock.elapsed()
    if (this.theyProved) return
    this.theyProved = true
    this.proceed()
  }

  /** Whether the peer's key holds no longer; C peers end the session then, and so do we. */
  isExpired(): boolean {
    const { clock } = this.options
    return this.theirs !== null && toMs(this.theirs.expiresAt) + CLOCK_TOLERANCE_MS < clock.now()
  }

  /** Replaces our key. What is sent afterwards is sealed with the new ones. */
  rekey(): void {
    if (!this.theirs) return
    this.options.counters.add('core.rekeyed')
    this.renew(KX_STATUS.rekeySent)
  }

  close(): void {
    this.timers.clear()
  }

  private onKnownKey(senderStatus: number): void {
    if (senderStatus !== KX_STATUS.keySent) return
    if (this.status === KX_STATUS.keyReceived) {
      this.sendKey()
      return
    }
    // The peer kept its key but lost ours. Under the same two keys our numbers and its would begin
    // again, and old messages could be replayed; with a fresh key of ours they cannot.
    const { clock, counters, events } = this.options
    const now = clock.elapsed()
    if (now - this.renewedAt < RENEWAL_PERIOD_MS) {
      counters.add('core.renewal_refused')
      return
    }
    this.renewedAt = now
    events.restarted()
    this.renew(KX_STATUS.keyReceived)
  }

  private accepted(senderStatus: number): void {
    const began = senderStatus === KX_STATUS.keySent || senderStatus === KX_STATUS.keyReceived
    const wasUp = this.status === KX_STATUS.up || this.status === KX_STATUS.rekeySent
    this.status = wasUp && !began ? KX_STATUS.rekeySent : KX_STATUS.keyReceived
    if (wasUp && began) this.options.events.restarted()
    if (senderStatus === KX_STATUS.keySent) this.sendKey()
    else this.sendPing()
    if (!this.timers.isSet('proof')) this.timers.set('proof', PROOF_TIMEOUT_MS)
  }

  /** Once both have answered, the keys are good. */
  private proceed(): void {
    if (!this.isReady || this.status === KX_STATUS.up) return
    const { clock, random, events } = this.options
    if (this.own !== this.timed) this.timers.set('rekey', this.own.lifetimeMs(random))
    this.timed = this.own
    this.status = KX_STATUS.up
    this.retryMs = KEY_RETRY_MIN_MS
    this.timers.cancel('retry')
    this.timers.cancel('proof')
    this.heardAt = clock.elapsed()
    this.timers.set('silence', SESSION_TIMEOUT_MS / 2)
    events.ready()
  }

  private renew(status: number): void {
    const own = this.freshOwn(this.own.expiresAt)
    if (!this.theirs || !this.derive(own, this.theirs)) return
    this.status = status
    this.sendKey()
  }

  private sendKey(): void {
    const { clock, events } = this.options
    // Our clock was set since: the times in the key are not those of the peers any more.
    if (this.own.isMisdated(clock)) {
      this.own = this.freshOwn(0n)
      if (this.theirs) this.derive(this.own, this.theirs)
    }
    events.send(this.own.message(this.status))
    if (this.status !== KX_STATUS.keySent) this.sendPing()
    if (!this.timers.isSet('proof')) this.timers.set('proof', PROOF_TIMEOUT_MS)
    this.timers.set('retry', this.retryMs)
  }

  private retry(): void {
    this.retryMs *= 2
    this.sendKey()
  }

  private sendPing(): void {
    if (!this.outbound) return
    const { random, events, peer } = this.options
    this.challenge = random.bytes(4)
    const seed = this.outbound.freshSeed()
    const plain = PingBody.encode({ target: peer, challenge: this.challenge })
    events.send(Ping.encode({ seed, sealed: this.outbound.sealPing(seed, plain) }))
  }

  private onSilence(): void {
    const silentMs = this.options.clock.elapsed() - this.heardAt
    const half = SESSION_TIMEOUT_MS / 2
    const leftMs = SESSION_TIMEOUT_MS - silentMs
    if (leftMs <= 0) this.fail('core.silent')
    else if (silentMs < half) this.timers.set('silence', half - silentMs)
    else {
      this.sendPing()
      this.timers.set('silence', Math.min(leftMs, Math.max(leftMs / 2, PING_PERIOD_MIN_MS)))
    }
  }

  /** Takes two ephemeral keys into use; false where theirs is none. */
  private derive(own: OwnEphemeral, theirs: TheirEphemeral): boolean {
    const { self, peer, random, events } = this.options
    let material: Uint8Array
    try {
      material = ecdh(own.agreement, theirs.key)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      return false
    }
    this.own = own
    this.theirs = theirs
    this.outbound = new DirectionKey(material, self, peer, random.below(2 ** 32))
    this.inbound = new DirectionKey(material, peer, self)
    this.theyProved = false
    this.weProved = false
    this.challenge = null
    events.keyed(this.outbound, this.inbound)
    return true
  }

  private isGenuineKey(signed: ReturnType<typeof EphemeralKey.decode>): boolean {
    const { peer } = this.options
    const body = EphemeralBody.encode(signed)
    return (
      equalBytes(signed.peer, peer) &&
      verifyPurpose(peer, PURPOSE.SET_ECC_KEY, body, signed.signature)
    )
  }

  private isTimely(createdMs: number, expiresMs: number): boolean {
    const { clock, events } = this.options
    const now = clock.now()
    if (createdMs > now + CLOCK_TOLERANCE_MS) events.clockDiffers(createdMs - now)
    else if (expiresMs < now - CLOCK_TOLERANCE_MS) events.clockDiffers(expiresMs - now)
    else return true
    return false
  }

  private freshOwn(after: bigint): OwnEphemeral {
    const { clock, random, key, self } = this.options
    return OwnEphemeral.create({ clock, random, key, self, after })
  }

  private fail(counter: string): void {
    this.options.counters.add(counter)
    this.timers.clear()
    this.options.events.failed()
  }
}

/** GNUNET_CRYPTO_hash_cmp on little-endian machines, which are all: the last byte weighs most. */
function compareHashes(a: Uint8Array, b: Uint8Array): number {
  for (let i = a.length - 1; i >= 0; i--) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}
