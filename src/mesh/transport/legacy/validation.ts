/**
 * Whether addresses are what they are said to be: a peer signs, over a connection made to an address,
 * that the address is its own (gnunet-service-transport_validation.c, v0.20.0). We sign for ours
 * only, and tell nobody of an address that was not signed for.
 */

import { equalBytes, keyOf } from '../../../base/bytes.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Random } from '../../../base/random.ts'
import { type Address, formatAddress, sameAddress } from '../../../base/stream.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../../crypto/purposes.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { toMicros, toMs } from '../../../wire/time.ts'
import { decodeTransportAddress, encodeTransportAddress } from './hello.ts'
import {
  PONG_LIFETIME_MS,
  VALIDATION_RETRY_MS,
  VALIDATION_TIMEOUT_MS,
  VALIDATIONS_AT_ONCE_MAX,
  VALIDATIONS_WAITING_MAX,
} from './limits.ts'
import { Ping, Pong, PongBody } from './messages.ts'
import type { PeerStore } from './peer-store.ts'
import type { Session } from './session.ts'

/** More addresses than a machine has at a time. */
const SIGNED_MAX = 64

export interface ValidationOptions {
  readonly clock: Clock
  readonly random: Random
  readonly counters: Counters
  readonly key: SigningKey
  readonly self: PeerId
  readonly store: PeerStore
  /** The addresses at which we say that we can be dialled. */
  own(): readonly Address[]
  /** Opens a connection for nothing but a question. */
  dial(peer: PeerId, address: Address): Session
  /** Whether there is a connection with the peer: daemons do not suffer a second one. */
  isConnected(key: string): boolean
}

interface Question {
  readonly challenge: number
  readonly address: Address
}

interface Signed {
  readonly expiresAt: bigint
  readonly signature: Uint8Array
}

interface Wish {
  readonly peer: PeerId
  readonly address: Address
}

export class Validation {
  private readonly options: ValidationOptions
  private readonly questions = new Map<Session, Question>()
  /** Connections opened only to ask, and when we give up on them. */
  private readonly asking = new Map<Session, number>()
  private readonly waiting = new Map<string, Wish>()
  /** When an address was last asked for, by the monotonic clock. */
  private readonly askedAt = new Map<string, number>()
  /** Signatures are used again for most of their life, so that questions cost nothing. */
  private readonly signed = new Map<string, Signed>()

  constructor(options: ValidationOptions) {
    this.options = options
  }

  /** Asks whoever answers at the address we dialled to sign for it. */
  question(session: Session): void {
    const { random, store } = this.options
    if (!session.peer || store.isValidated(session.peer, session.remote)) return
    const challenge = random.below(2 ** 32)
    const address = encodeTransportAddress(session.remote)
    this.questions.set(session, { challenge, address: session.remote })
    session.write(Ping.encode({ challenge, target: session.peer, address }))
  }

  /** Answers for our own addresses. Throws WireError. */
  onPing(session: Session, message: Uint8Array): void {
    const { challenge, target, address: raw } = Ping.decode(message)
    const { counters, self } = this.options
    const address = raw.length > 0 ? decodeTransportAddress(raw) : null
    const isOurs = address !== null && this.options.own().some(own => sameAddress(own, address))
    // Asked about no address, we only say that we are at the other end of a connection we dialled.
    if (!equalBytes(target, self) || !(isOurs || (raw.length === 0 && session.dialled))) {
      counters.add('transport.ping_refused')
      return
    }
    session.write(Pong.encode({ challenge, address: raw, ...this.sign(raw) }))
  }

  /** Takes an answer to our question. Throws WireError. */
  onPong(session: Session, message: Uint8Array): void {
    const { challenge, signature, expiresAt, address: raw } = Pong.decode(message)
    const { clock, counters, store } = this.options
    const question = this.questions.get(session)
    const address = raw.length > 0 ? decodeTransportAddress(raw) : null
    const fits =
      question?.challenge === challenge &&
      address !== null &&
      sameAddress(address, question.address) &&
      toMs(expiresAt) > clock.now()
    const body = PongBody.encode({ expiresAt, address: raw })
    if (!fits || !verifyPurpose(session.peer!, PURPOSE.TRANSPORT_PONG_OWN, body, signature)) {
      counters.add('transport.pong_refused')
      return
    }
    counters.add('transport.validated')
    store.validated(session.peer!, address)
    this.ended(session)
  }

  /** Wishes to know whether an address that we heard of is right; in its turn. */
  wish(peer: PeerId, address: Address): void {
    const { clock, store } = this.options
    const name = nameOf(peer, address)
    const askedAt = this.askedAt.get(name)
    if (askedAt !== undefined && clock.elapsed() - askedAt < VALIDATION_RETRY_MS) return
    if (store.isValidated(peer, address)) return
    this.waiting.set(name, { peer, address })
    if (this.waiting.size > VALIDATIONS_WAITING_MAX)
      this.waiting.delete(this.waiting.keys().next().value!)
    this.proceed()
  }

  /** Asks for what is waiting, a few at once; called now and then. */
  proceed(): void {
    const { clock, isConnected, dial } = this.options
    const now = clock.elapsed()
    for (const [session, deadline] of this.asking) if (deadline <= now) session.close()
    for (const [name, at] of this.askedAt)
      if (now - at >= VALIDATION_RETRY_MS) this.askedAt.delete(name)
    for (const [name, { peer, address }] of this.waiting) {
      if (this.asking.size >= VALIDATIONS_AT_ONCE_MAX) return
      if (isConnected(keyOf(peer))) continue
      this.waiting.delete(name)
      this.askedAt.set(name, now)
      this.asking.set(dial(peer, address), now + VALIDATION_TIMEOUT_MS)
    }
  }

  /** Whether the connection was opened for a question only. */
  isAsking(session: Session): boolean {
    return this.asking.has(session)
  }

  /** The question is answered, or its connection over. */
  ended(session: Session): void {
    this.questions.delete(session)
    if (this.asking.delete(session)) this.proceed()
  }

  close(): void {
    this.waiting.clear()
    for (const session of [...this.asking.keys()]) session.close()
  }

  private sign(address: Uint8Array): Signed {
    const { clock, key } = this.options
    const name = keyOf(address)
    const known = this.signed.get(name)
    if (known && toMs(known.expiresAt) - clock.now() > PONG_LIFETIME_MS / 4) return known
    const expiresAt = toMicros(clock.now() + PONG_LIFETIME_MS)
    const body = PongBody.encode({ expiresAt, address })
    const made = { expiresAt, signature: signPurpose(key, PURPOSE.TRANSPORT_PONG_OWN, body) }
    // Our addresses change now and then; what was signed for old ones need not be kept.
    if (this.signed.size >= SIGNED_MAX) this.signed.clear()
    this.signed.set(name, made)
    return made
  }
}

const nameOf = (peer: PeerId, address: Address): string => keyOf(peer) + formatAddress(address)
