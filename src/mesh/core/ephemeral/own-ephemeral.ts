/** Our ephemeral key on one link, signed for the time it may be used. */

import type { Clock } from '../../../base/clock.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Random } from '../../../base/random.ts'
import { AgreementKey } from '../../../crypto/agreement.ts'
import { PURPOSE, signPurpose } from '../../../crypto/purposes.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { toMicros } from '../../../wire/time.ts'
import {
  CLOCK_JUMP_MS,
  CLOCK_TOLERANCE_MS,
  KEY_LIFETIME_JITTER_MS,
  KEY_LIFETIME_MS,
} from './limits.ts'
import { EphemeralBody, EphemeralKey } from './messages.ts'

interface OwnEphemeralOptions {
  readonly clock: Clock
  readonly random: Random
  readonly key: SigningKey
  readonly self: PeerId
  /** Peers ignore a key that expires before the one they have: this one shall expire later. */
  readonly after: bigint
}

export class OwnEphemeral {
  readonly agreement: AgreementKey
  readonly expiresAt: bigint
  private readonly createdMs: number
  private readonly createdElapsed: number
  private readonly fields: Parameters<typeof EphemeralBody.encode>[0]
  private readonly signature: Uint8Array

  private constructor({ clock, random, key, self, after }: OwnEphemeralOptions) {
    this.agreement = AgreementKey.fromSecret(random.bytes(32))
    this.createdMs = clock.now()
    this.createdElapsed = clock.elapsed()
    const expiresAt = toMicros(this.createdMs + KEY_LIFETIME_MS + CLOCK_TOLERANCE_MS)
    this.expiresAt = expiresAt > after ? expiresAt : after + 1n
    this.fields = {
      createdAt: toMicros(this.createdMs),
      expiresAt: this.expiresAt,
      key: this.agreement.publicKey,
      peer: self,
    }
    this.signature = signPurpose(key, PURPOSE.SET_ECC_KEY, EphemeralBody.encode(this.fields))
  }

  static create(options: OwnEphemeralOptions): OwnEphemeral {
    return new OwnEphemeral(options)
  }

  /** The EPHEMERAL_KEY message, as sent in this state. */
  message(senderStatus: number): Uint8Array {
    return EphemeralKey.encode({ senderStatus, signature: this.signature, ...this.fields })
  }

  /** For how long to use it, from now: not for all peers equally. */
  lifetimeMs(random: Random): number {
    return KEY_LIFETIME_MS - random.below(KEY_LIFETIME_JITTER_MS)
  }

  /** Whether the clock was set since the key was made. */
  isMisdated(clock: Clock): boolean {
    const expected = this.createdMs + clock.elapsed() - this.createdElapsed
    return Math.abs(clock.now() - expected) > CLOCK_JUMP_MS
  }
}
