/**
 * Recorded routes: each peer that passes a block on signs from whom it had it and to whom it gives it.
 * A route read backwards is a CADET path. Signatures are made at every hop and checked only where the
 * route is used; what lies before a wrong one is cut off, and the last peer cut off is named instead.
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../crypto/purposes.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { struct } from '../../wire/fields.ts'
import { bytes, u64 } from '../../wire/layout.ts'
import type { HopValue } from './messages.ts'

/** Ours: as far as our puts and gets go together; each hop costs whoever uses the route a check. */
export const ROUTE_HOPS_MAX = 36

/** First whoever put the block, last the neighbour from whom we have it. */
export interface Route {
  /** The peer before the first hop where the beginning was cut off, null where the route is whole. */
  readonly origin: Uint8Array | null
  /** From whoever put the block to whoever answered (who is not in it). */
  readonly put: readonly HopValue[]
  /** From whoever answered to us. */
  readonly get: readonly HopValue[]
}

/** A block that begins its way here, or whose way is not recorded. */
export const NO_ROUTE: Route = { origin: null, put: [], get: [] }

/** What every hop signs besides its neighbours on the route. */
export interface Signed {
  /** Microseconds, as on the wire. */
  readonly expiry: bigint
  readonly dataHash: Uint8Array
}

const NOBODY = new Uint8Array(32)

/** What a hop signs: from whom it had the block, and to whom it gives it (GNUNET_DHT_HopSignature). */
const HopSigned = struct('DHT_HOP_SIGNED', {
  expiry: u64,
  dataHash: bytes(64),
  from: bytes(32),
  to: bytes(32),
})

/** Our signature over passing the block on to `to`. */
export function signHop(key: SigningKey, signed: Signed, route: Route, to: PeerId): Uint8Array {
  const last = route.get.at(-1) ?? route.put.at(-1)
  const from = last?.pid ?? route.origin ?? NOBODY
  return signPurpose(key, PURPOSE.DHT_HOP, HopSigned.encode({ ...signed, from, to }))
}

/** The end of the route that is proven to lead to `self`: all of it, unless somebody signed wrongly. */
export function provenRoute(route: Route, signed: Signed, self: PeerId): Route {
  const hops = [...route.put, ...route.get]
  for (let i = hops.length - 1; i >= 0; i--) {
    const { pid, signature } = hops[i]!
    const from = hops[i - 1]?.pid ?? route.origin ?? NOBODY
    const to = hops[i + 1]?.pid ?? self
    const body = HopSigned.encode({ ...signed, from, to })
    if (!verifyPurpose(pid, PURPOSE.DHT_HOP, body, signature)) return withoutFirst(route, i + 1)
  }
  return route
}

/** Whether the block has been at this peer: to send it there again would lead in a circle. */
export const isOnRoute = ({ put, get }: Route, peer: PeerId): boolean =>
  put.some(({ pid }) => equalBytes(pid, peer)) || get.some(({ pid }) => equalBytes(pid, peer))

/** A text that is equal for equal routes. */
export const routeName = ({ origin, put, get }: Route): string =>
  [origin ?? NOBODY, ...put.map(hop => hop.pid), ...get.map(hop => hop.pid)].map(keyOf).join('')

/** The last `count` hops of a route. */
export const lastHops = (route: Route, count: number): Route =>
  withoutFirst(route, Math.max(0, route.put.length + route.get.length - count))

function withoutFirst({ origin, put, get }: Route, count: number): Route {
  if (count === 0) return { origin, put, get }
  const cut = count <= put.length ? put[count - 1]! : get[count - put.length - 1]!
  return {
    origin: cut.pid,
    put: put.slice(count),
    get: get.slice(Math.max(0, count - put.length)),
  }
}

/** Bytes of its own, where a route outlives the message it came in. */
export const keptRoute = ({ origin, put, get }: Route): Route => ({
  origin: origin?.slice() ?? null,
  put: put.map(keptHop),
  get: get.map(keptHop),
})

const keptHop = ({ signature, pid }: HopValue): HopValue => ({
  signature: signature.slice(),
  pid: pid.slice(),
})

/** The peers of some hops, in their order. */
export const pidsOf = (hops: readonly HopValue[]): PeerId[] =>
  hops.map(({ pid }) => peerId(pid.slice()))
