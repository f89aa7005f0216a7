/**
 * Comes to common keys with the peer at the other end of a tunnel, again whenever one of them has lost
 * them, and encrypts with the newest that are proved (gnunet-service-cadet_tunnels.c).
 *
 * Alice, the smaller pid, says KX; Betty answers KX_AUTH; Alice's KX_AUTH or first message proves her.
 * Only Alice may begin. Betty invites her with a signed new CONNECTION_CREATE (`has_monotime`).
 * Old keys go on reading until the new ones are proved, so that nobody gains by sending false offers.
 */

import { equalBytes } from '../../base/bytes.ts'
import type { Timer } from '../../base/clock.ts'
import { AgreementKey } from '../../crypto/agreement.ts'
import { equalSecrets } from '../../crypto/hash.ts'
import { agree, type Exchange, type Offer, type Parties, type Reply } from './agreement.ts'
import { KX_FORCE_REPLY, TunnelKx, TunnelKxAuth } from './messages.ts'
import type { Opened, Ratchet, RatchetMeans } from './ratchet.ts'
import type { Sealed } from './tunnel-keys.ts'

/** First repetition of a message of the exchange; then doubled (INITIAL_KX_RETRY_DELAY). */
const RETRY_MS = 250
/** Messages that fit only unproved keys not at all, until these are given up (MAX_UNVERIFIED_ATTEMPTS). */
const UNPROVED_FAILURES_MAX = 16

/** Ours: a repetition is never further off, so that a peer that comes back is met soon. */
const RETRY_MAX_MS = 2_000
/** Ours: an offer beside working keys is given up after so many tries: the old keys seem to serve. */
const TRIES_BESIDE_KEYS_MAX = 8
/** Ours: we stop sending under the old keys while an invited exchange is new: the peer has lost them. */
const HOLD_MS = 1_500
/** Ours: between two exchanges begun because of unreadable messages; doubled each time, up to the maximum. */
const RENEW_MS = 1_000
const RENEW_MAX_MS = 30_000
/** Ours: Betty waits so long for an Alice who was invited, then provokes her; doubled each time. */
const PROVOKE_MS = 200
/** Ours: an invited exchange is not begun more often, whoever invites. */
const INVITED_MS = 250
/** Ours: what was under way when the keys changed may still be read for so long. */
const FORMER_MS = 10_000
/** Ours: after so many provocations Betty invites again as well. */
const INVITE_AFTER = 2
/** Ours: so often must Alice repeat herself before we believe that she cannot read us. */
const REPEATS_MAX = 2

export interface ExchangeEvents {
  /** Sends a message over whichever connection there is; false where there is none. */
  transmit(make: (connection: Uint8Array) => Uint8Array): boolean
  /** New keys can be used for sending. */
  established(): void
  /** We are Betty, and want Alice to begin: a new connection says so, signed. */
  invite(): void
  /**
   * The same, with a message nobody can read: an Alice of C (0.19 to 0.27) who is tired of exchanges ignores
   * an invitation, for a quarter of an hour at worst, but answers what she cannot read at once.
   */
  provoke(): void
  /** Whether anything waits for keys. */
  wanted(): boolean
}

interface Offered extends Offer {
  readonly at: number
  holds: boolean
  tries: number
}

/** The answer of Betty, not yet proved. */
interface Candidate {
  readonly exchange: Exchange
  readonly at: number
  tries: number
  failures: number
}

export class KeyExchange {
  /** Counts how often the peer has shown another ephemeral key: a C peer does so only when it restarted. */
  generation = 0
  private readonly means: RatchetMeans
  private readonly parties: Parties
  private readonly events: ExchangeEvents
  private current: Exchange | null = null
  private former: { readonly ratchet: Ratchet; readonly until: number } | null = null
  private offered: Offered | null = null
  private candidate: Candidate | null = null
  private repeats = 0
  private provocations = 0
  private timer: Timer | null = null
  private renewAt = 0
  private renewMs = RENEW_MS
  private invitedAt = Number.NEGATIVE_INFINITY

  constructor(means: RatchetMeans, parties: Parties, events: ExchangeEvents) {
    this.means = means
    this.parties = parties
    this.events = events
  }

  /** Whether `seal` would give something. */
  get usable(): boolean {
    if (this.offered?.holds && this.now() - this.offered.at < HOLD_MS) return false
    return this.sending() !== null
  }

  /** Whether both sides have proved to have the same keys. */
  get proved(): boolean {
    return this.current !== null
  }

  /** Encrypts channel messages where they lie; null where there are no keys. */
  seal(body: Uint8Array): Sealed | null {
    return this.usable ? this.sending()!.ratchet.seal(body) : null
  }

  /** Reads a message. Throws BoxError WIRE_MALFORMED on a peer's unusable ratchet key. */
  open(sealed: Sealed): Opened {
    const opened = this.current?.ratchet.open(sealed)
    if (opened && opened.is !== 'foreign') {
      if (this.now() > this.renewAt) this.renewMs = RENEW_MS
      return opened
    }
    return this.openUnproved(sealed) ?? this.openFormer(sealed)
  }

  /** There is a connection: says what there is to say. */
  connected(): void {
    if (this.offered) this.sendOffer(this.offered)
    else if (this.candidate) this.sendProof(this.candidate.exchange, true)
    else this.need()
  }

  /** Something waits for keys. */
  need(): void {
    if (this.current || this.candidate || this.offered) return
    if (this.parties.role === 'alice') {
      this.offer({ holds: false })
    } else if (!this.timer) {
      this.provocations = 0
      this.repeatLater(PROVOKE_MS) // Our CREATE has invited her already.
    }
  }

  /** Something came that no key of ours reads, or nothing comes back: comes to new keys, not too often. */
  renew(): void {
    const now = this.now()
    if (this.offered || now < this.renewAt) return
    if (this.candidate && now - this.candidate.at < RENEW_MS) return
    this.renewAt = now + this.renewMs
    this.renewMs = Math.min(this.renewMs * 2, RENEW_MAX_MS)
    if (this.parties.role === 'alice') this.offer({ holds: false })
    else this.events.invite()
  }

  /** Nothing comes back. Betty needs not act: an Alice that lost her keys begins at our first message. */
  unanswered(): void {
    if (this.parties.role === 'alice') this.renew()
  }

  /** Betty has asked, signed: she has no keys. */
  invited(): void {
    const now = this.now()
    if (this.parties.role !== 'alice' || now - this.invitedAt < INVITED_MS) return
    this.invitedAt = now
    if (this.offered && now - this.offered.at < INVITED_MS) this.offered.holds = true
    else this.offer({ holds: true })
  }

  /** Alice's KX. Throws BoxError WIRE_MALFORMED on unusable keys; nothing has changed then. */
  receivedKx(said: Reply): void {
    if (this.parties.role === 'alice') return
    if (this.candidate && isSame(this.candidate.exchange.theirs, said)) {
      this.sendProof(this.candidate.exchange, true)
    } else if (this.current && isSame(this.current.theirs, said)) {
      this.repeated(this.current)
    } else {
      const exchange = agree(this.means, this.parties, this.freshOffer(), said)
      this.candidate = { exchange, at: this.now(), tries: 0, failures: 0 }
      this.sendProof(exchange, true)
      this.repeatLater(RETRY_MS)
      if (!this.current) this.events.established()
    }
  }

  /** Either one's KX_AUTH. Throws as receivedKx. */
  receivedKxAuth(said: Reply & { readonly proof: Uint8Array }, wantsReply: boolean): void {
    if (this.current && isSame(this.current.theirs, said)) {
      if (wantsReply) this.sendProof(this.current, false)
    } else if (this.offered) {
      const exchange = agree(this.means, this.parties, this.offered, said)
      if (!equalSecrets(exchange.proof, said.proof)) return
      if (wantsReply) this.sendProof(exchange, false)
      this.use(exchange)
    } else if (this.candidate && isSame(this.candidate.exchange.theirs, said)) {
      if (!equalSecrets(this.candidate.exchange.proof, said.proof)) return
      if (wantsReply) this.sendProof(this.candidate.exchange, false)
      this.use(this.candidate.exchange)
    }
  }

  /** Computes ahead what the next messages need, while nobody waits. */
  prepare(): void {
    this.sending()?.ratchet.prepare()
  }

  close(): void {
    this.timer?.cancel()
    this.timer = null
  }

  private now(): number {
    return this.means.clock.elapsed()
  }

  /** Betty may send before Alice has proved herself: only Alice can read it. */
  private sending(): Exchange | null {
    return this.current ?? this.candidate?.exchange ?? null
  }

  private openUnproved(sealed: Sealed): Opened | null {
    if (!this.candidate) return null
    const opened = this.candidate.exchange.ratchet.open(sealed)
    if (opened.is === 'plain') {
      this.use(this.candidate.exchange)
      return opened
    }
    if (++this.candidate.failures > UNPROVED_FAILURES_MAX && this.current) this.candidate = null
    return null
  }

  private openFormer(sealed: Sealed): Opened {
    if (this.former && this.now() > this.former.until) this.former = null
    return this.former?.ratchet.open(sealed) ?? { is: 'foreign' }
  }

  private use(exchange: Exchange): void {
    const { current } = this
    const sentAlready = current === null && this.candidate?.exchange === exchange
    if (current) {
      this.former = { ratchet: current.ratchet, until: this.now() + FORMER_MS }
      if (!equalBytes(current.theirs.ephemeral, exchange.theirs.ephemeral)) this.generation++
    }
    this.current = exchange
    this.offered = null
    this.candidate = null
    this.repeats = 0
    this.renewAt = this.now() + RENEW_MS
    this.close()
    if (!sentAlready) this.events.established()
  }

  private offer({ holds }: { readonly holds: boolean }): void {
    this.offered = { ...this.freshOffer(), at: this.now(), holds, tries: 0 }
    this.sendOffer(this.offered)
  }

  private freshOffer(): Offer {
    const fresh = () => AgreementKey.fromSecret(this.means.random.bytes(32))
    return { ephemeral: fresh(), ratchet: fresh() }
  }

  private sendOffer(offered: Offered): void {
    const { ephemeral, ratchet } = offered
    const sent = this.events.transmit(connection =>
      TunnelKx.encode({
        flags: KX_FORCE_REPLY,
        connection,
        ephemeral: ephemeral.publicKey,
        ratchet: ratchet.publicKey,
      }),
    )
    if (sent) this.repeatLater(RETRY_MS * 2 ** offered.tries++)
  }

  private sendProof(exchange: Exchange, wantsReply: boolean): void {
    const { own, proof } = exchange
    this.events.transmit(connection =>
      TunnelKxAuth.encode({
        flags: wantsReply ? KX_FORCE_REPLY : 0,
        connection,
        ephemeral: own.ephemeral.publicKey,
        ratchet: own.ratchet.publicKey,
        proof,
      }),
    )
  }

  /**
   * A C Alice who was asked to start over cannot read our first chain, and repeats her KX instead
   * (GNUnet 0.19 to 0.27 keep their message count). She reads us once we bring fresh keys.
   */
  private repeated(exchange: Exchange): void {
    if (++this.repeats >= REPEATS_MAX) exchange.ratchet.turnNow()
    this.sendProof(exchange, false)
  }

  private repeatLater(ms: number): void {
    this.close()
    this.timer = this.means.clock.after(Math.min(ms, RETRY_MAX_MS), () => this.repeatNow())
  }

  private repeatNow(): void {
    this.timer = null
    const { offered, candidate } = this
    if (offered) {
      const tried = offered.tries >= TRIES_BESIDE_KEYS_MAX
      if (this.current ? tried : tried && !this.events.wanted()) this.offered = null
      else this.sendOffer(offered)
    } else if (candidate && candidate.tries++ < TRIES_BESIDE_KEYS_MAX) {
      this.sendProof(candidate.exchange, true)
      this.repeatLater(RETRY_MS * 2 ** candidate.tries)
    } else if (!this.current && !candidate && this.events.wanted()) {
      this.events.provoke()
      if (this.provocations > INVITE_AFTER) this.renew()
      this.repeatLater(PROVOKE_MS * 2 ** ++this.provocations)
    }
  }
}

const isSame = (a: Reply, b: Reply): boolean =>
  equalBytes(a.ephemeral, b.ephemeral) && equalBytes(a.ratchet, b.ratchet)
