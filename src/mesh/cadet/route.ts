/**
 * Connections of others that lead over us (gnunet-service-cadet_core.c). We know nothing of them but
 * their names and the two neighbours; what we carry we cannot read. Bounded in number, by neighbour, and
 * in what waits: a message is dropped only where a neighbour takes less than arrives for long.
 */

import { keyOf } from '../../base/bytes.ts'
import type { Clock } from '../../base/clock.ts'
import type { Counters } from '../../base/counters.ts'
import type { PeerId } from '../../base/ids.ts'
import { ConnectionBroken, ConnectionDestroy } from './messages.ts'
import type { Claimant, Outlet } from './outlet.ts'

/** cadet.conf: MAX_ROUTES. */
export const ROUTES_MAX = 5_000
/** A route without traffic: three times REFRESH_CONNECTION_TIME. */
const ROUTE_IDLE_MS = 900_000

/** Ours: routes that one neighbour may have us keep, so that it cannot take all. */
const ROUTES_OF_ONE_MAX = 2_000
/** Ours: what waits in one direction of a route: twice what a channel of ours has under way. */
const WAITING_BYTES_MAX = 4 * 1_024 * 1_024
/** Ours: what waits in all routes together; a small router has 64 MiB in all. */
const WAITING_BYTES_TOTAL = 24 * 1_024 * 1_024

const NOBODY = new Uint8Array(32)

export interface RouteMeans {
  readonly clock: Clock
  readonly self: PeerId
  readonly counters: Counters
}

/** What waits for one of the two neighbours of a route. */
class Direction implements Claimant {
  readonly outlet: Outlet
  private readonly waiting: Uint8Array[] = []
  private bytes = 0
  private readonly total: { bytes: number }

  constructor(outlet: Outlet, total: { bytes: number }) {
    this.outlet = outlet
    this.total = total
  }

  /** Sends now or in turn; false where there is no room, and the message is lost. */
  send(message: Uint8Array): boolean {
    if (!this.outlet.busy && this.waiting.length === 0) {
      this.outlet.send(message)
      return true
    }
    const { length } = message
    if (this.bytes + length > WAITING_BYTES_MAX) return false
    if (this.total.bytes + length > WAITING_BYTES_TOTAL) return false
    this.waiting.push(message.slice())
    this.count(length)
    this.outlet.claim(this)
    return true
  }

  serve(): boolean {
    const message = this.waiting.shift()
    if (!message) return false
    this.count(-message.length)
    this.outlet.send(message)
    return this.waiting.length > 0
  }

  /** Sends what waits, as the last thing on this route. */
  finish(): void {
    while (this.serve());
    this.outlet.leave(this)
  }

  private count(bytes: number): void {
    this.bytes += bytes
    this.total.bytes += bytes
  }
}

interface Route {
  readonly id: Uint8Array
  readonly key: string
  /** Towards the origin, and towards the destination. */
  readonly back: Direction
  readonly on: Direction
  usedAt: number
}

export class Routes {
  private readonly means: RouteMeans
  private readonly byKey = new Map<string, Route>()
  private readonly byOutlet = new Map<Outlet, Set<Route>>()
  private readonly total = { bytes: 0 }

  constructor(means: RouteMeans) {
    this.means = means
  }

  get size(): number {
    return this.byKey.size
  }

  get waitingBytes(): number {
    return this.total.bytes
  }

  /** A CREATE that passes: remembers where the connection leads. False: there is no room for it. */
  create(id: Uint8Array, from: Outlet, to: Outlet, message: Uint8Array): boolean {
    const key = keyOf(id)
    const known = this.byKey.get(key)
    if (known) {
      // Repeated, since an answer was lost; or by somebody who guesses names.
      if (known.back.outlet === from && known.on.outlet === to) this.pass(known, known.on, message)
      return true
    }
    const mine = this.byOutlet.get(from)?.size ?? 0
    if (this.byKey.size >= ROUTES_MAX || mine >= ROUTES_OF_ONE_MAX) return false
    const route: Route = {
      id: id.slice(),
      key,
      back: new Direction(from, this.total),
      on: new Direction(to, this.total),
      usedAt: this.means.clock.elapsed(),
    }
    this.byKey.set(key, route)
    for (const outlet of [from, to]) {
      const routes = this.byOutlet.get(outlet) ?? new Set()
      this.byOutlet.set(outlet, routes.add(route))
    }
    this.pass(route, route.on, message)
    return true
  }

  /** Passes a message on. False where there is no such route. */
  forward(key: string, from: Outlet, type: number, message: Uint8Array): boolean {
    const route = this.byKey.get(key)
    if (!route) return false
    if (from !== route.back.outlet && from !== route.on.outlet) {
      this.means.counters.add('cadet.wrong_way')
      return true
    }
    const direction = from === route.back.outlet ? route.on : route.back
    this.pass(route, direction, message)
    if (type === ConnectionBroken.type || type === ConnectionDestroy.type) this.remove(route)
    return true
  }

  /** A neighbour is gone: tells the other end of each route over it. */
  cut(outlet: Outlet): void {
    for (const route of this.byOutlet.get(outlet) ?? []) {
      const other = route.back.outlet === outlet ? route.on : route.back
      this.remove(route)
      this.tellBroken(route, other, outlet.neighbour.peer)
    }
    this.byOutlet.delete(outlet)
  }

  /** From time to time: forgets what nobody uses. */
  review(): void {
    const now = this.means.clock.elapsed()
    for (const route of [...this.byKey.values()])
      if (now - route.usedAt >= ROUTE_IDLE_MS) this.end(route)
  }

  /** Ends all routes, and tells both ends of each. */
  close(): void {
    for (const route of [...this.byKey.values()]) this.end(route)
  }

  private end(route: Route): void {
    this.remove(route)
    this.tellBroken(route, route.back, NOBODY)
    this.tellBroken(route, route.on, NOBODY)
  }

  private pass(route: Route, direction: Direction, message: Uint8Array): void {
    route.usedAt = this.means.clock.elapsed()
    const passed = direction.send(message)
    this.means.counters.add(passed ? 'cadet.relayed' : 'cadet.relay_dropped')
    if (passed) this.means.counters.add('cadet.relayed_bytes', message.length)
  }

  private remove(route: Route): void {
    this.byKey.delete(route.key)
    for (const direction of [route.back, route.on]) {
      direction.finish()
      const routes = this.byOutlet.get(direction.outlet)
      routes?.delete(route)
      if (routes?.size === 0) this.byOutlet.delete(direction.outlet)
    }
  }

  private tellBroken(route: Route, to: Direction, far: Uint8Array): void {
    to.outlet.send(ConnectionBroken.encode({ connection: route.id, near: this.means.self, far }))
  }
}
