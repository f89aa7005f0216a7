/**
 * What DHT services say to each other (gnunet-service-dht_neighbours.c): R5N over CORE. Every message
 * travels inside DHT_CORE. Two flags of `options` decide which parts of a route are present.
 */

import { struct, when } from '../../wire/fields.ts'
import {
  bytes,
  counted,
  lengthOf,
  list,
  message,
  rest,
  u16,
  u32,
  u64,
  type Value,
  zero,
} from '../../wire/layout.ts'
import { DHT_OPTION } from '../mesh.ts'

/** Bytes of the filter that keeps requests out of circles (DHT_BLOOM_SIZE). */
export const VISITED_SIZE = 128

/** A step of a recorded route: who passed the block on, and its signature over doing so. */
const hopShape = { signature: bytes(64), pid: bytes(32) }
export const Hop = struct('DHT_PATH_ELEMENT', hopShape)
export type HopValue = Value<typeof hopShape>

/** The peer before the first of the route, where its beginning is missing. */
const origin = when('options', DHT_OPTION.truncated, bytes(32))
/** By the sender for the receiver, who makes a hop of it. */
const lastSignature = when('options', DHT_OPTION.recordRoute, bytes(64))

/** The frame of every DHT message inside CORE. */
export const DhtCore = message('DHT_CORE', 158, { inner: rest })

/** Asks for a block to be stored near `key`, and on the way if the options say so. */
export const DhtPut = message('DHT_P2P_PUT', 146, {
  blockType: u32,
  options: u16,
  hopCount: u16,
  replication: u16,
  putPathLength: lengthOf('putPath', u16),
  expiry: u64,
  visited: bytes(VISITED_SIZE),
  key: bytes(64),
  origin,
  putPath: list(Hop, 'putPathLength'),
  lastSignature,
  data: rest,
})

/** Asks for blocks stored under `key`; kept out of circles by `visited`. */
export const DhtGet = message('DHT_P2P_GET', 147, {
  blockType: u32,
  options: u16,
  hopCount: u16,
  replication: u16,
  resultFilterSize: lengthOf('resultFilter', u16),
  visited: bytes(VISITED_SIZE),
  key: bytes(64),
  resultFilter: counted('resultFilterSize'),
  extendedQuery: rest,
})

/** A block for those who asked; `key` is the one they asked for. */
export const DhtResultMessage = message('DHT_P2P_RESULT', 148, {
  blockType: u32,
  reserved: zero(u16),
  options: u16,
  putPathLength: lengthOf('putPath', u16),
  getPathLength: lengthOf('getPath', u16),
  expiry: u64,
  key: bytes(64),
  origin,
  putPath: list(Hop, 'putPathLength'),
  getPath: list(Hop, 'getPathLength'),
  lastSignature,
  data: rest,
})

/** A neighbour's own addresses (hello-uri.c): its DHT HELLO block, whose pid is the one of the link. */
export const DhtHello = message('DHT_P2P_HELLO', 157, {
  reserved: zero(u16),
  uriCount: u16,
  signature: bytes(64),
  expiry: u64,
  uris: rest,
})

export type PutValue = ReturnType<typeof DhtPut.decode>
export type GetValue = ReturnType<typeof DhtGet.decode>
export type ResultValue = ReturnType<typeof DhtResultMessage.decode>
export type HelloValue = ReturnType<typeof DhtHello.decode>
