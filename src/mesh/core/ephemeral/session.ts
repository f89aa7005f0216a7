/**
 * Encrypted messages between two peers under one pair of keys: sealed with ascending sequence
 * numbers, opened once each. Authenticated before anything else is looked at.
 */

import { equalBytes, put } from '../../../base/bytes.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import { equalSecrets, hmacSha512 } from '../../../crypto/hash.ts'
import { toMicros, toMs } from '../../../wire/time.ts'
import type { DirectionKey, MessageKeys } from './keys.ts'
import { MESSAGE_AGE_MAX_MS, SEED_USES_MAX, SEQUENCE_MAX } from './limits.ts'
import {
  ENCRYPTED_HEAD_SIZE,
  ENCRYPTED_MAC_AT,
  ENCRYPTED_SEALED_AT,
  Encrypted,
  EncryptedHead,
} from './messages.ts'
import { ReplayWindow } from './replay-window.ts'

/** In the place of the MAC until there is what it is of. */
const NO_MAC = new Uint8Array(ENCRYPTED_SEALED_AT - ENCRYPTED_MAC_AT)

/**
 * Seals what we send. GNUnet takes another seed for each message; we keep one for some hundred, since
 * what is derived from it costs seven of the eight hashes of a small message, for both sides. Nothing
 * is lost by that: the first block of a message holds its sequence number and time, so it is never the
 * same twice under one key, and with CFB no later block's mask repeats either. What two messages with
 * one seed tell an observer is by how much their numbers and times differ, which he sees anyway.
 */
export class Outbound {
  private readonly key: DirectionKey
  private readonly clock: Clock
  private sequence = 0
  private keys: MessageKeys
  private uses = 0
  /** The keys after these, made while there was nothing else to do. */
  private next: MessageKeys | null = null

  constructor(key: DirectionKey, clock: Clock) {
    this.key = key
    this.clock = clock
    this.keys = key.messageKeys(key.freshSeed())
  }

  /** Whether sequence numbers come to an end: there should be other keys soon. */
  get isWorn(): boolean {
    return this.sequence >= SEQUENCE_MAX
  }

  /** Makes what will soon be needed, so that no message has to wait for it. */
  prepare(): void {
    if (this.uses >= SEED_USES_MAX / 2) this.next ??= this.key.messageKeys(this.key.freshSeed())
  }

  /** One ENCRYPTED message with all of `messages`, which have `size` bytes together. */
  seal(messages: readonly Uint8Array[], size: number): Uint8Array {
    if (this.uses++ >= SEED_USES_MAX) this.changeSeed()
    const { seed, iv, authentication } = this.keys
    const timestamp = toMicros(this.clock.now())
    const head = EncryptedHead.encode({ sequence: ++this.sequence, timestamp })
    const whole = Encrypted.encodeWithRoom({ seed, mac: NO_MAC, sealed: head }, size)
    put(whole, ENCRYPTED_SEALED_AT + ENCRYPTED_HEAD_SIZE, messages)
    const sealed = whole.subarray(ENCRYPTED_SEALED_AT)
    this.key.seal(iv, sealed)
    whole.set(hmacSha512(authentication, sealed), ENCRYPTED_MAC_AT)
    return whole
  }

  private changeSeed(): void {
    this.keys = this.next ?? this.key.messageKeys(this.key.freshSeed())
    this.next = null
    this.uses = 1
  }
}

export interface SealedMessage {
  readonly seed: Uint8Array
  readonly mac: Uint8Array
  readonly sealed: Uint8Array
}

/** Opens what we receive. */
export class Inbound {
  private readonly key: DirectionKey
  private readonly clock: Clock
  private readonly counters: Counters
  private readonly window = new ReplayWindow()
  /** Of the last message: the next one often has the same seed. */
  private keys: MessageKeys | null = null

  constructor(key: DirectionKey, clock: Clock, counters: Counters) {
    this.key = key
    this.clock = clock
    this.counters = counters
  }

  /** Whether the message was sealed with our key. */
  isGenuine({ seed, mac, sealed }: SealedMessage): boolean {
    return equalSecrets(hmacSha512(this.keysOf(seed).authentication, sealed), mac)
  }

  /** The messages in a genuine one; null where it was seen before, or is too old. Throws WireError. */
  open({ seed, sealed }: SealedMessage): Uint8Array | null {
    const plain = this.key.open(this.keysOf(seed).iv, sealed)
    const head = EncryptedHead.decode(plain.subarray(0, ENCRYPTED_HEAD_SIZE))
    if (!this.window.accept(head.sequence)) {
      this.counters.add('core.replayed')
      return null
    }
    if (this.clock.now() - toMs(head.timestamp) > MESSAGE_AGE_MAX_MS) {
      this.counters.add('core.ancient')
      return null
    }
    return plain.subarray(ENCRYPTED_HEAD_SIZE)
  }
  private keysOf(seed: Uint8Array): MessageKeys {
    if (!this.keys || !equalBytes(this.keys.seed, seed))
      this.keys = this.key.messageKeys(seed.slice())
    return this.keys
  }
}
