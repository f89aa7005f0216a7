/**
 * What CADET says (cadet_protocol.h, GNUnet 0.19.3 to 0.27.0): first between neighbours about
 * connections, then end to end inside a tunnel about channels.
 */

import { bytes, message, rest, u32, u64, zero } from '../../wire/layout.ts'

/** A connection's name, random, the same on every hop. */
export const CONNECTION_ID_SIZE = 32
/** Of an encrypted message. */
export const TUNNEL_MAC_SIZE = 32
export const TUNNEL_HEADER_SIZE = 40

/** The deprecated "reliable" bit of old options, written by C in the byte order of the machine. */
export const OPTIONS_RELIABLE = 0x0200_0000
/** `has_monotime` is a C int in the byte order of the machine: little-endian in practice. */
export const HAS_MONOTIME = 0x0100_0000
/** Bit 0 of the flags of a key exchange: answer, even if you have nothing to say. */
export const KX_FORCE_REPLY = 1

/** Asks every hop of `path` (origin first, destination last, 32 bytes each) for a connection. */
export const ConnectionCreate = message('CADET_CONNECTION_CREATE', 1000, {
  options: u32,
  hasMonotime: u32,
  monotime: u64,
  signature: bytes(64),
  connection: bytes(CONNECTION_ID_SIZE),
  path: rest,
})

/** The destination has accepted the connection. */
export const ConnectionCreateAck = message('CADET_CONNECTION_CREATE_ACK', 1001, {
  reserved: zero(u32),
  connection: bytes(CONNECTION_ID_SIZE),
})

/** A hop cannot go on carrying the connection; the two peers are a hint where it broke. */
export const ConnectionBroken = message('CADET_CONNECTION_BROKEN', 1002, {
  reserved: zero(u32),
  connection: bytes(CONNECTION_ID_SIZE),
  near: bytes(32),
  far: bytes(32),
})

/** An end gives the connection up. */
export const ConnectionDestroy = message('CADET_CONNECTION_DESTROY', 1003, {
  reserved: zero(u32),
  connection: bytes(CONNECTION_ID_SIZE),
})

/** Alice's half of a key exchange. */
export const TunnelKx = message('CADET_TUNNEL_KX', 1007, {
  flags: u32,
  connection: bytes(CONNECTION_ID_SIZE),
  ephemeral: bytes(32),
  ratchet: bytes(32),
})

/** Either half of a key exchange with the proof that its sender knows the root key. */
export const TunnelKxAuth = message('CADET_TUNNEL_KX_AUTH', 1009, {
  flags: u32,
  connection: bytes(CONNECTION_ID_SIZE),
  ephemeral: bytes(32),
  ratchet: bytes(32),
  proof: bytes(64),
})

/** Whole channel messages, encrypted; the MAC covers header and body. */
export const TunnelEncrypted = message('CADET_TUNNEL_ENCRYPTED', 1008, {
  reserved: zero(u32),
  connection: bytes(CONNECTION_ID_SIZE),
  mac: bytes(TUNNEL_MAC_SIZE),
  header: bytes(TUNNEL_HEADER_SIZE),
  body: rest,
})

/** Where the last three of its fields begin. */
export const TUNNEL_MAC_AT = 8 + CONNECTION_ID_SIZE
export const TUNNEL_HEADER_AT = TUNNEL_MAC_AT + TUNNEL_MAC_SIZE
export const TUNNEL_BODY_AT = TUNNEL_HEADER_AT + TUNNEL_HEADER_SIZE

/** Every message between neighbours; all but CREATE have the connection's name at the same place. */
export const NEIGHBOUR_MESSAGES = [
  ConnectionCreate,
  ConnectionCreateAck,
  ConnectionBroken,
  ConnectionDestroy,
  TunnelKx,
  TunnelKxAuth,
  TunnelEncrypted,
] as const

/** Where the name of the connection stands in all of them but CREATE. */
export const CONNECTION_ID_AT = 8

/**
 * Asks for a channel to the port that hashes, with the listener's pid, to `port`. The low 16 bits of
 * `options` are ours: how many messages ahead the opener will keep. C sends zero there and ignores it.
 */
export const ChannelOpen = message('CADET_CHANNEL_OPEN', 1013, {
  options: u32,
  port: bytes(64),
  channel: u32,
})

/**
 * Accepts a channel, and proves knowledge of the port. `window` is a reserved field of C, sent as zero
 * and ignored: ours says there how many messages ahead the listener will keep.
 */
export const ChannelOpenAck = message('CADET_CHANNEL_OPEN_ACK', 1015, {
  window: u32,
  channel: u32,
  port: bytes(64),
})

/** Ends a channel at once, or says that there is none of this number. */
export const ChannelDestroy = message('CADET_CHANNEL_DESTROY', 1014, {
  reserved: zero(u32),
  channel: u32,
})

/** One application message; the first has sequence number 1. */
export const ChannelData = message('CADET_CHANNEL_APP_DATA', 1010, {
  sequence: u32,
  channel: u32,
  payload: rest,
})

/**
 * All before `expected` were taken. The futures are one u64: bit n tells that `expected + 1 + n` is
 * here. Bit 63 is ours: `expected` itself is here, the client has only not taken it yet. A C sender
 * never has so many under way that it would mean a message to it.
 */
export const ChannelDataAck = message('CADET_CHANNEL_APP_DATA_ACK', 1011, {
  channel: u32,
  futuresHigh: u32,
  futuresLow: u32,
  expected: u32,
})

/** Says nothing, so that hops do not forget the connection. */
export const ChannelKeepalive = message('CADET_CHANNEL_KEEPALIVE', 1012, {})
