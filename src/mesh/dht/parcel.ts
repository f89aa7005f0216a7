/** A block on its way, whichever message carries it: with its expiry, its flags and its route. */

import { type HashCode, hashCode, type PeerId } from '../../base/ids.ts'
import { sha512 } from '../../crypto/hash.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { toMicros } from '../../wire/time.ts'
import { DHT_OPTION, type DhtBlock } from '../mesh.ts'
import { DhtPut, DhtResultMessage, Hop, type PutValue, type ResultValue } from './messages.ts'
import { keptRoute, lastHops, NO_ROUTE, ROUTE_HOPS_MAX, type Route, signHop } from './path.ts'

/** GNUNET_CONSTANTS_MAX_ENCRYPTED_MESSAGE_SIZE, without the frame of DHT_CORE. */
const MESSAGE_SIZE_MAX = 63 * 1_024 - 4
const PUT_HEAD_SIZE = 216
const HOP_SIZE = Hop.width!
/** Room for a last signature, an origin and a hop, so that a block can travel with a route. */
const ROUTE_ROOM = 64 + 32 + HOP_SIZE

/** The largest block that may be put. */
export const BLOCK_SIZE_MAX = MESSAGE_SIZE_MAX - PUT_HEAD_SIZE - ROUTE_ROOM

export interface Parcel {
  readonly blockType: number
  /** What is stored under; of a result, the key of the block and not of the question. */
  readonly key: HashCode
  readonly data: Uint8Array
  readonly dataHash: Uint8Array
  /** Microseconds, as signed by every hop. */
  readonly expiry: bigint
  readonly options: number
  readonly route: Route
}

/** A block of ours, at the beginning of its way. */
export const parcelOf = (block: DhtBlock): Parcel => {
  const data = block.data.slice()
  return {
    blockType: block.type,
    key: hashCode(block.key.slice()),
    data,
    dataHash: sha512(data),
    expiry: toMicros(block.expiresAt),
    options: block.options & ~DHT_OPTION.truncated,
    route: NO_ROUTE,
  }
}

/** What a neighbour asked us to store. */
export function parcelOfPut(put: PutValue, from: PeerId): Parcel {
  const { origin, putPath, lastSignature } = put
  if (!lastSignature) return arrived(put, NO_ROUTE)
  return arrived(put, {
    origin,
    put: [...putPath, { signature: lastSignature, pid: from }],
    get: [],
  })
}

/** What a neighbour sent as an answer; under the key that was asked for. */
export function parcelOfResult(result: ResultValue, from: PeerId): Parcel {
  const { origin, putPath, getPath, lastSignature } = result
  if (!lastSignature) return arrived(result, NO_ROUTE)
  const get = [...getPath, { signature: lastSignature, pid: from }]
  return arrived(result, { origin, put: putPath, get })
}

interface Fields {
  readonly blockType: number
  readonly options: number
  readonly expiry: bigint
  readonly key: Uint8Array
  readonly data: Uint8Array
}

const arrived = (fields: Fields, route: Route): Parcel => ({
  blockType: fields.blockType,
  key: hashCode(fields.key),
  data: fields.data,
  dataHash: sha512(fields.data),
  expiry: fields.expiry,
  options: fields.options,
  route: lastHops(route, ROUTE_HOPS_MAX),
})

/** Without its route, for those who did not ask for it or must not have one. */
export const withoutRoute = (parcel: Parcel): Parcel => ({
  ...parcel,
  options: parcel.options & ~(DHT_OPTION.recordRoute | DHT_OPTION.truncated),
  route: NO_ROUTE,
})

/** With bytes of its own, to outlive the message it came in. */
export const keptParcel = (parcel: Parcel): Parcel => ({
  ...parcel,
  key: hashCode(parcel.key.slice()),
  data: parcel.data.slice(),
  route: keptRoute(parcel.route),
})

/** Whether the block travels with a signed route. */
export const isRecorded = ({ options }: Parcel): boolean => (options & DHT_OPTION.recordRoute) !== 0

export interface PutHeader {
  readonly hopCount: number
  readonly replication: number
  readonly visited: Uint8Array
}

/** The PUT for a neighbour, signed where the route is recorded. */
export function encodePut(
  parcel: Parcel,
  { hopCount, replication, visited }: PutHeader,
  to: PeerId,
  key: SigningKey,
): Uint8Array {
  const sent = fitting(parcel)
  const { blockType, expiry, data, route } = sent
  return DhtPut.encode({
    blockType,
    options: flagsOf(sent),
    hopCount,
    replication,
    expiry,
    visited,
    key: parcel.key,
    origin: route.origin,
    putPath: [...route.put, ...route.get],
    lastSignature: isRecorded(sent) ? signHop(key, sent, route, to) : null,
    data,
  })
}

/** The RESULT for a neighbour that asked for `query`, signed where the route is recorded. */
export function encodeResult(
  parcel: Parcel,
  query: HashCode,
  to: PeerId,
  key: SigningKey,
): Uint8Array {
  const sent = fitting(parcel)
  const { blockType, expiry, data, route } = sent
  return DhtResultMessage.encode({
    blockType,
    options: flagsOf(sent),
    expiry,
    key: query,
    origin: route.origin,
    putPath: route.put,
    getPath: route.get,
    lastSignature: isRecorded(sent) ? signHop(key, sent, route, to) : null,
    data,
  })
}

const flagsOf = ({ options, route }: Parcel): number =>
  route.origin ? options | DHT_OPTION.truncated : options & ~DHT_OPTION.truncated

/** With as much of its route as there is room for; the head of a RESULT is the smaller one. */
function fitting(parcel: Parcel): Parcel {
  if (!isRecorded(parcel)) return withoutRoute(parcel)
  const room = MESSAGE_SIZE_MAX - PUT_HEAD_SIZE - 64 - 32 - parcel.data.length
  if (room < 0) return withoutRoute(parcel)
  const hops = Math.min(ROUTE_HOPS_MAX, Math.floor(room / HOP_SIZE))
  return { ...parcel, route: lastHops(parcel.route, hops) }
}
