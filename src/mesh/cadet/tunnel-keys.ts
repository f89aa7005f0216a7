/**
 * The keys of a tunnel's messages (gnunet-service-cadet_tunnels.c: t_hmac, t_hmac_derive_key, t_ax_*).
 * All that can be computed before the message is there is computed once, or ahead of time.
 */

import { equalSecrets, hmacSha512 } from '../../crypto/hash.ts'
import { hkdf } from '../../crypto/kdf.ts'
import { SymmetricKey } from '../../crypto/symmetric.ts'
import { TUNNEL_MAC_SIZE } from './messages.ts'
import type { TunnelCipher } from './tunnel-cipher.ts'

/** An encrypted message as it travels, without the name of its connection. */
export interface Sealed {
  readonly mac: Uint8Array
  readonly header: Uint8Array
  readonly body: Uint8Array
}

const KEY_SIZE = 64

const encoder = new TextEncoder()
const HASH_SALT = encoder.encode('axolotl HMAC-HASH\0')
const DERIVE_SALT = encoder.encode('axolotl derive key\0')
const RATCHET_SALT = encoder.encode('axolotl ratchet\0')
const LABEL_MESSAGE = encoder.encode('0')
const LABEL_CHAIN = encoder.encode('1')

/** The key under which headers are encrypted and whole messages authenticated. */
export class HeaderKey {
  private readonly mac: Uint8Array
  private readonly iv: Uint8Array
  private readonly symmetric: SymmetricKey

  constructor(cipher: TunnelCipher, key: Uint8Array) {
    this.mac = cipher.macKey(key)
    this.iv = cipher.iv(key)
    this.symmetric = new SymmetricKey(key)
  }

  seal(header: Uint8Array): Uint8Array {
    return this.symmetric.encrypt(this.iv, header)
  }

  open(header: Uint8Array): Uint8Array {
    return this.symmetric.decrypt(this.iv, header)
  }

  authenticate(header: Uint8Array, body: Uint8Array): Uint8Array {
    return hmacSha512(this.mac, header, body).subarray(0, TUNNEL_MAC_SIZE)
  }

  matches({ mac, header, body }: Sealed): boolean {
    return equalSecrets(this.authenticate(header, body), mac)
  }
}

/** The key of one message. */
export class MessageKey {
  private readonly cipher: TunnelCipher
  private readonly key: Uint8Array
  private ready: { readonly symmetric: SymmetricKey; readonly iv: Uint8Array } | null = null

  constructor(cipher: TunnelCipher, key: Uint8Array) {
    this.cipher = cipher
    this.key = key
  }

  /** Encrypts it where it lies. */
  seal(body: Uint8Array): void {
    const { symmetric, iv } = this.prepare()
    symmetric.encryptInto(iv, body, body)
  }

  open(body: Uint8Array): Uint8Array {
    const { symmetric, iv } = this.prepare()
    return symmetric.decrypt(iv, body)
  }

  prepare(): { readonly symmetric: SymmetricKey; readonly iv: Uint8Array } {
    this.ready ??= { symmetric: new SymmetricKey(this.key), iv: this.cipher.iv(this.key) }
    return this.ready
  }
}

/** A chain of message keys: each is derived from the one before, and cannot be computed back. */
export class Chain {
  private readonly cipher: TunnelCipher
  private key: Uint8Array
  private ahead: { readonly message: MessageKey; readonly following: Uint8Array } | null = null

  constructor(cipher: TunnelCipher, key: Uint8Array) {
    this.cipher = cipher
    this.key = key
  }

  /** The key of the next message. */
  next(): MessageKey {
    const { message, following } = this.ahead ?? this.derive()
    this.ahead = null
    this.key = following
    return message
  }

  /** Computes what `next` will give, while nobody waits. */
  prepare(): void {
    this.ahead ??= this.derive()
    this.ahead.message.prepare()
  }

  private derive(): { readonly message: MessageKey; readonly following: Uint8Array } {
    const hashKey = hkdf(KEY_SIZE, HASH_SALT, this.key)
    const derive = (label: Uint8Array) => hkdf(KEY_SIZE, DERIVE_SALT, hmacSha512(hashKey, label))
    return {
      message: new MessageKey(this.cipher, derive(LABEL_MESSAGE)),
      following: derive(LABEL_CHAIN),
    }
  }
}

/** A step of the Diffie-Hellman ratchet: the next root key, next header key and a chain. */
export function ratchetStep(
  root: Uint8Array,
  shared: Uint8Array,
): { readonly root: Uint8Array; readonly nextHeader: Uint8Array; readonly chain: Uint8Array } {
  const mixed = hmacSha512(hkdf(KEY_SIZE, HASH_SALT, root), shared)
  const keys = hkdf(3 * KEY_SIZE, RATCHET_SALT, mixed)
  return {
    root: keys.subarray(0, KEY_SIZE),
    nextHeader: keys.subarray(KEY_SIZE, 2 * KEY_SIZE),
    chain: keys.subarray(2 * KEY_SIZE),
  }
}
