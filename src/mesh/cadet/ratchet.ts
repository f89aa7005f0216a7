/**
 * The double ratchet of a tunnel ("Axolotl"; gnunet-service-cadet_tunnels.c: t_ax_encrypt,
 * t_ax_decrypt_and_validate): every message has a key of its own, and every so often both sides mix in
 * fresh Diffie-Hellman keys, so that a key that leaks opens neither the past nor, soon, the future.
 * Works with messages that are lost, repeated or out of order.
 */

import type { Clock } from '../../base/clock.ts'
import type { Random } from '../../base/random.ts'
import { AgreementKey, ecdh } from '../../crypto/agreement.ts'
import { TUNNEL_HEADER_SIZE } from './messages.ts'
import { SkippedKeys } from './skipped-keys.ts'
import type { TunnelCipher } from './tunnel-cipher.ts'
import { Chain, HeaderKey, type MessageKey, ratchetStep, type Sealed } from './tunnel-keys.ts'

/** Message keys skipped at most in one step; what is further ahead needs a new exchange (MAX_KEY_GAP). */
const KEY_GAP_MAX = 256
/** Fresh keys after so many messages, or so long (RATCHET_MESSAGES, RATCHET_TIME of cadet.conf). */
const RATCHET_MESSAGES = 64
const RATCHET_MS = 3_600_000

/** Alice has the smaller pid and begins every exchange. */
export type Role = 'alice' | 'betty'

/** What a key exchange gives (five keys of 64 bytes), and the ratchet keys announced in it. */
export interface Agreed {
  readonly role: Role
  readonly root: Uint8Array
  readonly keys: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  readonly own: AgreementKey
  readonly theirs: Uint8Array
}

export interface RatchetMeans {
  readonly cipher: TunnelCipher
  readonly clock: Clock
  readonly random: Random
}

/** A message that could be read, one that was read before, or one made with keys we do not have. */
export type Opened =
  | { readonly is: 'plain'; readonly plain: Uint8Array }
  | { readonly is: 'repeated' }
  | { readonly is: 'foreign' }

const REPEATED: Opened = { is: 'repeated' }
const FOREIGN: Opened = { is: 'foreign' }

interface Sending {
  readonly header: HeaderKey
  readonly chain: Chain
}

export class Ratchet {
  private readonly means: RatchetMeans
  private root: Uint8Array
  private own: AgreementKey
  private theirs: Uint8Array

  private sending: Sending | null = null
  private nextSendHeader: Uint8Array
  private sent = 0
  private sentBefore = 0

  private receiving: { readonly header: HeaderKey; readonly chain: Chain } | null = null
  private nextReceiveHeader: HeaderKey
  private received = 0
  private readonly skipped = new SkippedKeys()

  private turnDue: boolean
  /** Whether the peer has stepped since we did: two steps of one side in a row would break the root. */
  private turnAllowed = false
  private turnEager: boolean
  private turnedAt: number
  private nextOwn: AgreementKey | null = null

  constructor(means: RatchetMeans, agreed: Agreed) {
    this.means = means
    const { role, keys } = agreed
    this.root = agreed.root
    this.own = agreed.own
    this.theirs = agreed.theirs
    this.turnedAt = means.clock.elapsed()
    const alice = role === 'alice'
    const first = {
      header: new HeaderKey(means.cipher, keys[0]),
      chain: new Chain(means.cipher, keys[3]),
    }
    if (alice) this.receiving = first
    else this.sending = first
    this.nextSendHeader = keys[alice ? 1 : 2]
    this.nextReceiveHeader = new HeaderKey(means.cipher, keys[alice ? 2 : 1])
    this.turnDue = alice
    // A C Alice who was asked to start over keeps her old message count (GNUnet 0.19 to 0.27), and
    // reads Betty's messages only once Betty has stepped: so Betty steps as early as she may.
    this.turnEager = !alice
  }

  /** Encrypts the body of a message where it lies. */
  seal(body: Uint8Array): Sealed {
    const sending = this.turnIfDue()
    const raw = new Uint8Array(TUNNEL_HEADER_SIZE)
    const view = new DataView(raw.buffer)
    view.setUint32(0, this.sent++)
    view.setUint32(4, this.sentBefore)
    raw.set(this.own.publicKey, 8)
    const header = sending.header.seal(raw)
    sending.chain.next().seal(body)
    return { mac: sending.header.authenticate(header, body), header, body }
  }

  /** Reads a message. Throws BoxError WIRE_MALFORMED on a peer's unusable key; nothing has changed then. */
  open(sealed: Sealed): Opened {
    if (this.receiving?.header.matches(sealed)) return this.openHere(this.receiving, sealed)
    if (this.nextReceiveHeader.matches(sealed)) return this.openNext(sealed)
    const former = this.skipped.headerOf(sealed, this.receiving?.header ?? null)
    return former ? this.openSkipped(former, readHeader(former, sealed).number, sealed) : FOREIGN
  }

  /** Computes ahead what the next messages need, while nobody waits. */
  prepare(): void {
    this.receiving?.chain.prepare()
    if (this.turnDue || this.dueByCount()) this.nextOwn ??= this.freshKey()
    else this.sending?.chain.prepare()
  }

  /** Makes Betty's next message bring fresh keys, because Alice cannot read the first: before Alice sends any. */
  turnNow(): void {
    if (!this.receiving && this.sent > 0) this.turnDue = true
  }

  private turnIfDue(): Sending {
    const late = this.means.clock.elapsed() - this.turnedAt >= RATCHET_MS
    if (this.turnAllowed && (late || this.dueByCount())) this.turnDue = true
    if (!this.turnDue && this.sending) return this.sending
    const own = this.nextOwn ?? this.freshKey()
    const step = ratchetStep(this.root, ecdh(own, this.theirs))
    this.own = own
    this.nextOwn = null
    this.root = step.root
    this.sending = {
      header: new HeaderKey(this.means.cipher, this.nextSendHeader),
      chain: new Chain(this.means.cipher, step.chain),
    }
    this.nextSendHeader = step.nextHeader
    this.sentBefore = this.sent
    this.sent = 0
    this.turnDue = false
    this.turnAllowed = false
    this.turnedAt = this.means.clock.elapsed()
    return this.sending
  }

  private dueByCount(): boolean {
    return this.turnAllowed && this.sent >= RATCHET_MESSAGES
  }

  private freshKey(): AgreementKey {
    return AgreementKey.fromSecret(this.means.random.bytes(32))
  }

  private openHere(receiving: NonNullable<Ratchet['receiving']>, sealed: Sealed): Opened {
    const { number } = readHeader(receiving.header, sealed)
    if (number < this.received) return this.openSkipped(receiving.header, number, sealed)
    if (number - this.received > KEY_GAP_MAX) return FOREIGN
    return { is: 'plain', plain: this.keyAt(receiving, number).open(sealed.body) }
  }

  private openNext(sealed: Sealed): Opened {
    const header = this.nextReceiveHeader
    const { number, before, theirs } = readHeader(header, sealed)
    if (number > KEY_GAP_MAX) return FOREIGN
    const step = ratchetStep(this.root, ecdh(this.own, theirs))
    const chain = new Chain(this.means.cipher, step.chain)
    if (this.receiving && before - this.received <= KEY_GAP_MAX) this.skipTo(this.receiving, before)
    this.root = step.root
    this.theirs = theirs.slice()
    this.receiving = { header, chain }
    this.nextReceiveHeader = new HeaderKey(this.means.cipher, step.nextHeader)
    this.received = 0
    this.turnAllowed = true
    if (this.turnEager) this.turnDue = true
    this.turnEager = false
    return { is: 'plain', plain: this.keyAt(this.receiving, number).open(sealed.body) }
  }

  private openSkipped(header: HeaderKey, number: number, sealed: Sealed): Opened {
    const key = this.skipped.take(header, number)
    return key ? { is: 'plain', plain: key.open(sealed.body) } : REPEATED
  }

  private keyAt(receiving: NonNullable<Ratchet['receiving']>, number: number): MessageKey {
    this.skipTo(receiving, number)
    this.received++
    return receiving.chain.next()
  }

  private skipTo(receiving: NonNullable<Ratchet['receiving']>, number: number): void {
    while (this.received < number)
      this.skipped.store(receiving.header, this.received++, receiving.chain.next())
  }
}

function readHeader(key: HeaderKey, sealed: Sealed) {
  const header = key.open(sealed.header)
  const view = new DataView(header.buffer, header.byteOffset, header.length)
  return { number: view.getUint32(0), before: view.getUint32(4), theirs: header.subarray(8) }
}
