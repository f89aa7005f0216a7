/**
 * What peers say to each other before and beside CORE, wire class A: the messages of GNUnet's TCP
 * plugin and of its transport service (src/transport/transport.h, plugin_transport_tcp.c, v0.20.0).
 * Whatever else arrives on a connection is payload and belongs to CORE.
 */

import { PURPOSE } from '../../../crypto/purposes.ts'
import { constant, lengthPlus, struct } from '../../../wire/fields.ts'
import { bytes, counted, lengthOf, message, rest, u32, u64, zero } from '../../../wire/layout.ts'

export const PEER_SIZE = 32
const SIGNATURE_SIZE = 64

/** Size and purpose (8), expiry (8), length of the address (4): what is signed before the address. */
const PONG_SIGNED_MIN = 20
/** Size and purpose (8), timestamp (8), peer (32). */
const DISCONNECT_SIGNED_SIZE = 48

/** The first message where somebody behind a NAT dials because we were to dial him. */
export const NatProbe = message('TCP_NAT_PROBE', 60, { peer: bytes(PEER_SIZE) })

/** The first message of either side: who is speaking, as he says. */
export const Welcome = message('TCP_WELCOME', 61, { peer: bytes(PEER_SIZE) })

/** Asks `target` to sign that `address` is its own; answered on the same connection. */
export const Ping = message('TRANSPORT_PING', 372, {
  challenge: u32,
  target: bytes(PEER_SIZE),
  address: rest,
})

/** The signature covers everything from the size in front of the purpose to the end. */
export const Pong = message('TRANSPORT_PONG', 373, {
  challenge: u32,
  signature: bytes(SIGNATURE_SIZE),
  signedSize: lengthPlus('address', PONG_SIGNED_MIN, u32),
  purpose: constant(u32, PURPOSE.TRANSPORT_PONG_OWN),
  expiresAt: u64,
  addressSize: lengthOf('address', u32),
  address: counted('addressSize'),
})

/** "I want a link"; answered with the same timestamp. */
export const Syn = message('TRANSPORT_SESSION_SYN', 375, { reserved: zero(u32), timestamp: u64 })
export const SynAck = message('TRANSPORT_SESSION_SYN_ACK', 376, {
  reserved: zero(u32),
  timestamp: u64,
})
export const Ack = message('TRANSPORT_SESSION_ACK', 377, {})

/** Ends the link; obeyed where it is newer than the SYN that began it. */
export const Disconnect = message('TRANSPORT_SESSION_DISCONNECT', 378, {
  reserved: zero(u32),
  signedSize: constant(u32, DISCONNECT_SIGNED_SIZE),
  purpose: constant(u32, PURPOSE.TRANSPORT_DISCONNECT),
  timestamp: u64,
  peer: bytes(PEER_SIZE),
  signature: bytes(SIGNATURE_SIZE),
})

/** How fast the receiver of this message may send. */
export const SetQuota = message('TRANSPORT_SESSION_QUOTA', 379, { bytesPerSecond: u32 })

/** Answered at once with the same nonce, which is not zero. */
export const Keepalive = message('TRANSPORT_SESSION_KEEPALIVE', 381, { nonce: u32 })
export const KeepaliveResponse = message('TRANSPORT_SESSION_KEEPALIVE_RESPONSE', 382, {
  nonce: u32,
})

/** The signed part of a PONG after size and purpose. */
export const PongBody = struct('PONG_BODY', {
  expiresAt: u64,
  addressSize: lengthOf('address', u32),
  address: counted('addressSize'),
})

/** The signed part of a DISCONNECT after size and purpose. */
export const DisconnectBody = struct('DISCONNECT_BODY', { timestamp: u64, peer: bytes(PEER_SIZE) })
