/**
 * The keys two peers have in common while both use one ephemeral key each: one for each direction,
 * and for each message an initialization vector and an authentication key from a 4-byte seed.
 */

import type { PeerId } from '../../../base/ids.ts'
import { hkdf } from '../../../crypto/kdf.ts'
import { deriveIv, SymmetricKey } from '../../../crypto/symmetric.ts'
import { SEED_SIZE } from './messages.ts'

const KEY_SIZE = 64

const text = (ascii: string): Uint8Array => new TextEncoder().encode(ascii)

// The NUL of the C strings is part of what is hashed.
const DIRECTION = text('aes key generation vector\0')
const IV = text('initialization vector\0')
const PONG_IV = text('pong initialization vector\0')
const AUTHENTICATION = text('authentication key\0')

/** What a message is encrypted and authenticated with. */
export interface MessageKeys {
  readonly seed: Uint8Array
  readonly iv: Uint8Array
  readonly authentication: Uint8Array
}

/** The key for everything from one peer to another. */
export class DirectionKey {
  private readonly raw: Uint8Array
  private readonly to: PeerId
  private readonly cipher: SymmetricKey
  /** The context of the authentication key, joined once. */
  private readonly authenticationContext: Uint8Array
  private seed: number

  /** `firstSeed` is random; it matters only to whoever sends with the key. */
  constructor(material: Uint8Array, from: PeerId, to: PeerId, firstSeed = 0) {
    this.seed = firstSeed
    this.raw = hkdf(KEY_SIZE, DIRECTION, material, from, to)
    this.to = to
    this.cipher = new SymmetricKey(this.raw)
    this.authenticationContext = new Uint8Array(KEY_SIZE + AUTHENTICATION.length)
    this.authenticationContext.set(this.raw)
    this.authenticationContext.set(AUTHENTICATION, KEY_SIZE)
  }

  /** A seed that was not used with this key: random ones would meet after some 65,000 messages. */
  freshSeed(): Uint8Array {
    this.seed = (this.seed + 1) >>> 0
    const seed = new Uint8Array(SEED_SIZE)
    new DataView(seed.buffer).setUint32(0, this.seed)
    return seed
  }

  /** The keys of the ENCRYPTED message with this seed. */
  messageKeys(seed: Uint8Array): MessageKeys {
    return {
      seed,
      iv: this.iv(seed),
      authentication: hkdf(KEY_SIZE, seed, this.raw, this.authenticationContext),
    }
  }

  /** Encrypts `plain` where it lies. */
  seal(iv: Uint8Array, plain: Uint8Array): void {
    this.cipher.encryptInto(iv, plain, plain)
  }

  open(iv: Uint8Array, sealed: Uint8Array): Uint8Array {
    return this.cipher.decrypt(iv, sealed)
  }

  sealPing(seed: Uint8Array, plain: Uint8Array): Uint8Array {
    return this.cipher.encrypt(this.iv(seed), plain)
  }

  openPing(seed: Uint8Array, sealed: Uint8Array): Uint8Array {
    return this.cipher.decrypt(this.iv(seed), sealed)
  }

  sealPong(seed: Uint8Array, challenge: Uint8Array, plain: Uint8Array): Uint8Array {
    return this.cipher.encrypt(deriveIv(this.raw, seed, this.to, challenge, PONG_IV), plain)
  }

  openPong(seed: Uint8Array, challenge: Uint8Array, sealed: Uint8Array): Uint8Array {
    return this.cipher.decrypt(deriveIv(this.raw, seed, this.to, challenge, PONG_IV), sealed)
  }

  private iv(seed: Uint8Array): Uint8Array {
    return deriveIv(this.raw, seed, this.to, IV)
  }
}
