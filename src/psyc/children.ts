/**
 * Those to whom a member hands on what it has: few, each at its own pace. Nothing is queued for a slow one:
 * it is given the next fragment when it can take it, from the history that is there anyway.
 *
 * Those below whom nobody hangs (leaves: programs that run for a moment) give way to those that hand on.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Edge, EdgeMessage, TreeNode } from './edge.ts'
import type { History } from './history.ts'
import {
  ATTACH,
  PlaceAttached,
  PlaceBeat,
  PlaceForgotten,
  PlaceForward,
  PlaceRedirect,
  PlaceTicketRefused,
} from './messages.ts'
import { checkTicket, type Ticket } from './ticket.ts'

/** The origin sends each fragment so many times, and so does everybody else. */
export const FANOUT = 4
/** More serial numbers than there are members; old ones are of tickets that have run out. */
const REVOKED_MAX = 4_096
/** How often those below hear from us when there is nothing to say. */
export const BEAT_MS = 10_000
/** A child that does not take a beat for so long is gone. */
const STUCK_MS = 60_000
/** Of those beyond the fan-out, one after so long is to look whether a member takes it by now. */
const RELIEF_MS = 5 * 60_000

interface Child {
  readonly edge: Edge
  readonly node: TreeNode
  /** As which node it came: processes that share a peer take another key each. */
  readonly process: Uint8Array
  readonly ticket: Ticket
  /** Bits of ATTACH. */
  readonly flags: number
  /** The next fragment to give. */
  next: bigint
  isWritable: boolean
  writableAt: number
}

export interface ChildrenOptions {
  readonly place: Uint8Array
  readonly clock: Clock
  readonly history: History
  /** Who signs tickets; null while we do not know. Absent: the place. */
  readonly ticketKey?: () => Uint8Array | null
  readonly fanout: number
  /** Of one zone, so that nobody takes all places; its oldest gives way. Absent: as many as there are. */
  readonly perZoneMax?: number
  /** More than the fan-out, so many, where there is nobody else who takes them. Absent: none. */
  readonly overflowMax?: number
  /** Ourselves and those above us, the host first; null while we are not attached. */
  readonly ancestors: () => readonly TreeNode[] | null
  /** Whom to ask instead. */
  readonly others: () => readonly TreeNode[]
}

export class Children {
  private readonly options: ChildrenOptions
  private readonly children = new Set<Child>()
  private readonly revoked = new Set<bigint>()
  private timer: Timer
  private relievedAt: number
  /** Fragments handed on so far, each to each child. */
  sent = 0

  constructor(options: ChildrenOptions) {
    this.options = options
    this.relievedAt = options.clock.elapsed()
    this.timer = options.clock.after(BEAT_MS, () => this.beat())
  }

  get size(): number {
    return this.children.size
  }

  /** Those who hand on. */
  nodes(): readonly TreeNode[] {
    return [...this.children].filter(isRelay).map(({ node }) => node)
  }

  /** Whom a newcomer may ask instead; nobody while there is room here. */
  alternatives(): readonly TreeNode[] {
    return this.children.size < this.options.fanout ? [] : this.nodes()
  }

  /** Somebody wants to be our child. The edge is ours from now on, or has been told why not. */
  admit(edge: Edge, { value }: Extract<EdgeMessage, { is: 'PLACE_ATTACH' }>): void {
    const { place, clock, ancestors, ticketKey = () => place } = this.options
    const signer = ticketKey()
    if (!signer) {
      this.redirect(edge)
      return
    }
    const ticket = checkTicket(value.ticket, place, edge.zone, clock.now(), signer)
    if (!ticket || this.revoked.has(ticket.serial)) {
      edge.dismiss(PlaceTicketRefused.encode({}), clock)
      return
    }
    // The same process again; another one of the same person is a child of its own.
    const process = value.self.peer.slice()
    for (const child of [...this.children])
      if (equalBytes(child.process, process) && equalBytes(child.edge.zone, edge.zone))
        this.drop(child)
    this.makeWay(edge)
    const above = ancestors()
    const isAbove =
      isRelay(value) && above?.some(({ peer }) => equalBytes(peer, edge.peer)) === true
    if (!above || isAbove || !this.hasRoomFor(value)) {
      this.redirect(edge)
      return
    }
    this.add(edge, { ticket, process, flags: value.flags, next: value.next })
    edge.send(PlaceAttached.encode({ last: this.options.history.head.id, ancestors: above }))
    this.pump()
    if (isRelay(value)) this.giveWay()
  }

  /** Hands on what there is, to each as far as it can take it. */
  pump(): void {
    for (const child of this.children) this.feed(child)
  }

  /** Tells all, because our own place in the tree has changed; with nobody above, lets them go. */
  moved(): void {
    if (this.options.ancestors()) this.beatNow()
    else for (const child of [...this.children]) this.release(child)
  }

  revoke(serials: readonly bigint[]): void {
    for (const serial of serials) {
      this.revoked.add(serial)
      if (this.revoked.size > REVOKED_MAX) this.revoked.delete(this.revoked.values().next().value!)
    }
    for (const child of [...this.children])
      if (this.revoked.has(child.ticket.serial)) this.refuse(child)
  }

  close(): void {
    this.timer.cancel()
    for (const child of [...this.children]) this.drop(child)
  }

  private makeWay({ zone }: Edge): void {
    const { perZoneMax = Infinity } = this.options
    const same = [...this.children].filter(child => equalBytes(child.edge.zone, zone))
    for (const child of same.slice(0, Math.max(0, same.length + 1 - perZoneMax)))
      this.release(child)
  }

  private hasRoomFor(newcomer: { readonly flags: number }): boolean {
    const { fanout, overflowMax = 0 } = this.options
    const { size } = this.children
    if (size < fanout) return true
    const relays = this.nodes().length
    if (isRelay(newcomer) && relays < fanout && this.leaves().length > 0) return true
    const isWithoutOthers = relays === 0 || isStuck(newcomer)
    return isWithoutOthers && size < fanout + overflowMax
  }

  /** Leaves that may find somebody else: as many as are too many, and as a newcomer may take. */
  private giveWay(): void {
    const { fanout } = this.options
    const tooMany = Math.min(this.children.size - fanout, fanout)
    for (const leaf of this.leaves().slice(0, Math.max(0, tooMany))) this.release(leaf)
  }

  private leaves(): Child[] {
    return [...this.children].filter(child => !isRelay(child) && !isStuck(child))
  }

  private redirect(edge: Edge): void {
    const own = this.options.ancestors() ? this.nodes() : []
    const nodes = [...own, ...this.options.others()].filter(
      ({ peer }) => !equalBytes(peer, edge.peer),
    )
    edge.dismiss(PlaceRedirect.encode({ nodes: nodes.slice(0, NODES_MAX) }), this.options.clock)
  }

  private add(edge: Edge, newcomer: Pick<Child, 'ticket' | 'process' | 'flags' | 'next'>): void {
    const { ticket, next } = newcomer
    const child: Child = {
      ...{ ...newcomer, edge, node: { peer: edge.peer, zone: edge.zone } },
      next: next < ticket.since ? ticket.since : next,
      isWritable: true,
      writableAt: this.options.clock.elapsed(),
    }
    this.children.add(child)
    edge.attach({
      message: message => this.hear(child, message),
      drained: () => {
        child.isWritable = true
        this.feed(child)
      },
      closed: () => {
        this.children.delete(child)
      },
    })
  }

  private hear(child: Child, message: EdgeMessage): void {
    if (message.is === 'PLACE_REPLAY') {
      const { next } = message.value
      child.next = next < child.ticket.since ? child.ticket.since : next
      this.feed(child)
    } else if (message.is !== 'PLACE_ATTACH') this.drop(child)
  }

  private feed(child: Child): void {
    const { history, ancestors } = this.options
    if (!this.children.has(child)) return
    if (child.isWritable && child.next < history.first && child.next <= history.head.id) {
      child.next = history.head.id + 1n
      this.send(child, PlaceForgotten.encode({ first: history.first }))
    }
    while (child.isWritable && child.next <= history.head.id) {
      const fragment = history.get(child.next)!
      const message = { hop: ancestors()?.length ?? 0, fragment: fragment.raw }
      child.next++
      this.sent++
      this.send(child, PlaceForward.encode(message))
    }
  }

  private send(child: Child, body: Uint8Array): void {
    child.isWritable = child.edge.send(body)
    child.writableAt = this.options.clock.elapsed()
  }

  private beat(): void {
    const { clock } = this.options
    this.timer = clock.after(BEAT_MS, () => this.beat())
    for (const child of [...this.children])
      if (child.ticket.until <= clock.now()) this.refuse(child)
      else if (!child.isWritable && clock.elapsed() - child.writableAt > STUCK_MS) this.drop(child)
    this.relieve()
    this.beatNow()
  }

  private relieve(): void {
    const { fanout, clock } = this.options
    if (clock.elapsed() - this.relievedAt < RELIEF_MS) return
    this.relievedAt = clock.elapsed()
    const stuck = [...this.children].find(isStuck)
    if (stuck && this.children.size > fanout && this.nodes().length > 0) this.release(stuck)
  }

  private beatNow(): void {
    const ancestors = this.options.ancestors()
    if (!ancestors) return
    const beat = PlaceBeat.encode({ last: this.options.history.head.id, ancestors })
    for (const child of this.children) if (child.isWritable) this.send(child, beat)
  }

  private release(child: Child): void {
    this.children.delete(child)
    this.redirect(child.edge)
  }

  private refuse(child: Child): void {
    this.children.delete(child)
    child.edge.dismiss(PlaceTicketRefused.encode({}), this.options.clock)
  }

  private drop(child: Child): void {
    this.children.delete(child)
    child.edge.close()
  }
}

const isRelay = ({ flags }: { readonly flags: number }): boolean => (flags & ATTACH.relay) !== 0
const isStuck = ({ flags }: { readonly flags: number }): boolean => (flags & ATTACH.stuck) !== 0

/** Nodes named in one message. */
export const NODES_MAX = 16
