/**
 * CORE with ephemeral keys, wire classes A and B: key exchange, encrypted messages, type maps
 * (src/core/gnunet-service-core_kx.c, _sessions.c, core.h, v0.20.0).
 */

import { PURPOSE } from '../../../crypto/purposes.ts'
import { constant, struct } from '../../../wire/fields.ts'
import { bytes, message, rest, u32, u64, zero } from '../../../wire/layout.ts'

export const SEED_SIZE = 4
const PEER_SIZE = 32
const KEY_SIZE = 32
const SIGNATURE_SIZE = 64
const HASH_SIZE = 64

/** What a peer says of itself in an EPHEMERAL_KEY (GNUNET_CORE_KxState). */
export const KX_STATUS = { keySent: 1, keyReceived: 2, up: 3, rekeySent: 4 } as const

/** Size and purpose (8), two times (16), key (32), peer (32). */
const EPHEMERAL_SIGNED_SIZE = 88

/** Binds an X25519 key, for some hours, to the peer whose Ed25519 key signs it. */
export const EphemeralKey = message('CORE_EPHEMERAL_KEY', 88, {
  senderStatus: u32,
  signature: bytes(SIGNATURE_SIZE),
  signedSize: constant(u32, EPHEMERAL_SIGNED_SIZE),
  purpose: constant(u32, PURPOSE.SET_ECC_KEY),
  createdAt: u64,
  expiresAt: u64,
  key: bytes(KEY_SIZE),
  peer: bytes(PEER_SIZE),
})

/** The signed part of an EPHEMERAL_KEY after size and purpose. */
export const EphemeralBody = struct('CORE_EPHEMERAL_BODY', {
  createdAt: u64,
  expiresAt: u64,
  key: bytes(KEY_SIZE),
  peer: bytes(PEER_SIZE),
})

/** "Do you have the key?"; encrypted: whom we mean, and a challenge. */
export const Ping = message('CORE_PING', 83, { seed: bytes(SEED_SIZE), sealed: bytes(36) })
export const PingBody = struct('CORE_PING_BODY', { target: bytes(PEER_SIZE), challenge: bytes(4) })

/** The answer; encrypted: the challenge, and who answers. */
export const Pong = message('CORE_PONG', 84, { seed: bytes(SEED_SIZE), sealed: bytes(40) })
export const PongBody = struct('CORE_PONG_BODY', {
  challenge: bytes(4),
  reserved: zero(u32),
  peer: bytes(PEER_SIZE),
})

/** One or more messages of other protocols; the MAC covers the ciphertext. */
export const Encrypted = message('CORE_ENCRYPTED_MESSAGE', 82, {
  seed: bytes(SEED_SIZE),
  mac: bytes(HASH_SIZE),
  sealed: rest,
})
/** Where the last two begin: all is sealed where it will be sent from. */
export const ENCRYPTED_MAC_AT = 4 + SEED_SIZE
export const ENCRYPTED_SEALED_AT = ENCRYPTED_MAC_AT + HASH_SIZE
/** What stands before the messages inside; then they follow one after the other. */
export const EncryptedHead = struct('CORE_ENCRYPTED_HEAD', {
  sequence: u32,
  reserved: zero(u32),
  timestamp: u64,
})
export const ENCRYPTED_HEAD_SIZE = 16

/** Which message types the sender understands: 8,192 bytes of bits, deflated. */
export const CompressedTypeMap = message('CORE_COMPRESSED_TYPE_MAP', 86, { deflated: rest })

/** The type map with this hash has arrived. */
export const ConfirmTypeMap = message('CORE_CONFIRM_TYPE_MAP', 89, {
  reserved: zero(u32),
  hash: bytes(HASH_SIZE),
})
