/**
 * The way up: the member or host that hands on to us. When it is lost, or sends us on, others are tried: those
 * it named, those above it, the host; then again after a while. A gap in what it sends is asked for.
 */

import { equalBytes, keyOf } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import { peerId, zoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { BEAT_MS, NODES_MAX } from './children.ts'
import { Edge, type EdgeMessage, type Link, type TreeNode } from './edge.ts'
import type { History } from './history.ts'
import { ATTACH, PlaceAttach, PlaceReplay } from './messages.ts'
import type { Trust } from './trust.ts'

/** Deeper than any tree of a fanout that makes sense; more is a circle that has not been noticed. */
export const DEPTH_MAX = 24
/** Silence of several beats. */
const LOST_MS = 3.5 * BEAT_MS
/** A channel, a handshake, and an answer. */
const ATTACH_MS = 20_000
/** What was asked for should be here by then. */
const REPLAY_MS = 3_000
const BACKOFF_MIN_MS = 500
const BACKOFF_MAX_MS = 30_000
/** Of those to whom the host has sent us, so many that cannot be reached are enough. */
const UNREACHED_MAX = 2
/** They may be about to find a place themselves, after all have lost theirs: so often all are asked. */
const ROUNDS_MAX = 3
/** Nodes we know of; the host is always among those tried. */
const KNOWN_MAX = 32

export interface ParentOptions {
  readonly place: Uint8Array
  readonly trust: Trust
  /** What was handed on to us only the host can vouch for: it is to be asked, and `vouched` called. */
  readonly unsure: () => void
  readonly self: TreeNode
  readonly host: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly history: History
  /** Nobody is to hang below us. */
  readonly isLeaf?: boolean
  readonly ticket: () => Uint8Array
  /** Opens a channel to a node and proves both ends. Fails with BoxError. */
  readonly dial: (node: TreeNode, signal: AbortSignal) => Promise<Link>
  /** There is more in the history. */
  readonly grown: () => void
  /** Who is above us has changed. */
  readonly moved: () => void
  /** The ticket is not taken any more, or what we lack is forgotten: the host must be asked. */
  readonly refused: (why: 'ticket' | 'forgotten') => void
}

type Standing =
  | { readonly is: 'waiting'; readonly timer: Timer }
  | { readonly is: 'trying'; readonly abort: AbortController; readonly timer: Timer }
  | {
      readonly is: 'attached'
      readonly edge: Edge
      ancestors: readonly TreeNode[]
      heardAt: number
    }
  | { readonly is: 'closed' }

export class Parent {
  private readonly options: ParentOptions
  private standing: Standing
  private known: TreeNode[]
  /** Those already tried since we were last attached. */
  private tried = new Set<string>()
  private failures = 0
  /** Since the host has sent us on to others: how many could not be reached, how often all were tried. */
  private sentOn: { unreached: number; rounds: number } | null = null
  private replay: Timer | null = null
  private watch: Timer | null = null
  /** The last fragment that those above have told of. */
  private told = 0n

  constructor(options: ParentOptions, relays: readonly TreeNode[]) {
    this.options = options
    this.known = [...relays]
    this.standing = { is: 'waiting', timer: options.clock.after(0, () => this.tryNext()) }
  }

  /** Those above us, the host first, or null where there is nobody. */
  ancestors(): readonly TreeNode[] | null {
    return this.standing.is === 'attached' ? this.standing.ancestors : null
  }

  /** Whether we hang in the tree, and have all that we have heard of. */
  get isCurrent(): boolean {
    return this.standing.is === 'attached' && this.options.history.head.id >= this.told
  }

  /** Whom else one may ask. */
  others(): readonly TreeNode[] {
    return [this.options.host]
  }

  close(): void {
    this.leave()
    this.standing = { is: 'closed' }
  }

  private leave(): void {
    const { standing } = this
    this.options.trust.forget()
    this.replay?.cancel()
    this.replay = null
    this.watch?.cancel()
    this.watch = null
    if (standing.is === 'waiting') standing.timer.cancel()
    if (standing.is === 'trying') {
      standing.timer.cancel()
      standing.abort.abort(new BoxError('PEER_TIMEOUT'))
    }
    if (standing.is === 'attached') standing.edge.close()
  }

  private tryNext(): void {
    const { clock, host, self } = this.options
    const candidates = this.isStuck ? [host, ...this.known] : [...this.known, host]
    const node = candidates.find(
      ({ peer }) => !this.tried.has(keyOf(peer)) && !equalBytes(peer, self.peer),
    )
    if (!node) {
      this.rest()
      return
    }
    this.tried.add(keyOf(node.peer))
    const abort = new AbortController()
    const timer = clock.after(ATTACH_MS, () => this.lost())
    this.standing = { is: 'trying', abort, timer }
    this.options.dial(node, abort.signal).then(
      link => {
        if (abort.signal.aborted) link.channel.close()
        else this.ask(new Edge(link), abort)
      },
      () => {
        if (abort.signal.aborted) return
        this.unreached()
        this.lost()
      },
    )
  }

  /** Does not go through all that may be away: a few, then the host must take us. */
  private unreached(): void {
    if (!this.sentOn) return
    this.sentOn.unreached++
    if (this.isStuck) this.tried.delete(keyOf(this.options.host.peer))
  }

  /** Whether the host must take us: those to whom it has sent us do not. */
  private get isStuck(): boolean {
    const { sentOn } = this
    return sentOn !== null && (sentOn.rounds >= ROUNDS_MAX || sentOn.unreached >= UNREACHED_MAX)
  }

  /** Everybody was tried. */
  private rest(): void {
    const { clock, random } = this.options
    this.tried.clear()
    if (this.sentOn) this.sentOn.rounds++
    const ms = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** this.failures++)
    const timer = clock.after(ms / 2 + random.below(ms), () => this.tryNext())
    this.standing = { is: 'waiting', timer }
    // Also where we never were attached: what is known grows old from here on.
    this.options.moved()
  }

  private ask(edge: Edge, abort: AbortController): void {
    const { place, self, history, ticket, isLeaf = false } = this.options
    abort.signal.addEventListener('abort', () => edge.close(), { once: true })
    edge.attach({
      message: message => {
        if (!abort.signal.aborted) this.answered(edge, message)
      },
      drained: () => {},
      closed: () => {
        if (!abort.signal.aborted) this.lost()
      },
    })
    const flags = (isLeaf ? 0 : ATTACH.relay) | (this.isStuck ? ATTACH.stuck : 0)
    const next = history.head.id + 1n
    edge.send(PlaceAttach.encode({ flags, place, self, next, ticket: ticket() }))
  }

  private answered(edge: Edge, message: EdgeMessage): void {
    if (message.is === 'PLACE_ATTACHED') {
      const { last, ancestors } = message.value
      this.told = last
      this.attached(edge, ancestors.map(nodeOf))
      this.compare(last)
      return
    }
    this.advice(edge, message)
    this.lost()
  }

  /** What a node says that does not want us, or cannot keep us. */
  private advice({ zone }: Edge, message: EdgeMessage): void {
    if (message.is === 'PLACE_REDIRECT') {
      this.learn(message.value.nodes.slice(0, NODES_MAX).map(nodeOf))
      if (equalBytes(zone, this.options.host.zone)) this.sentOn ??= { unreached: 0, rounds: 0 }
    }
    if (message.is === 'PLACE_TICKET_REFUSED') this.options.refused('ticket')
  }

  /** Those named last are tried first, beginning anywhere among them, so that the tree grows evenly. */
  private learn(nodes: readonly TreeNode[]): void {
    const { host, random } = this.options
    // The host is tried anyway, and may have moved.
    const others = nodes.filter(({ zone }) => !equalBytes(zone, host.zone))
    const from = others.length > 0 ? random.below(others.length) : 0
    const turned = [...others.slice(from), ...others.slice(0, from)]
    const all = new Map([...turned, ...this.known].map(node => [keyOf(node.peer), node]))
    this.known = [...all.values()].slice(0, KNOWN_MAX)
  }

  private attached(edge: Edge, ancestors: readonly TreeNode[]): void {
    const { clock } = this.options
    if (this.standing.is === 'trying') this.standing.timer.cancel()
    this.standing = { is: 'attached', edge, ancestors, heardAt: clock.elapsed() }
    if (this.isCircle(ancestors)) {
      this.lost()
      return
    }
    this.learn(ancestors.slice(-NODES_MAX))
    edge.attach({
      message: message => this.hear(edge, message),
      drained: () => {},
      closed: () => this.lost(),
    })
    this.watch = clock.after(LOST_MS, () => this.look())
    this.options.moved()
  }

  private isCircle(ancestors: readonly TreeNode[]): boolean {
    const { self } = this.options
    return ancestors.length > DEPTH_MAX || ancestors.some(({ peer }) => equalBytes(peer, self.peer))
  }

  private look(): void {
    const { clock } = this.options
    if (this.standing.is !== 'attached') return
    const silentMs = clock.elapsed() - this.standing.heardAt
    if (silentMs >= LOST_MS) this.lost()
    else this.watch = clock.after(LOST_MS - silentMs, () => this.look())
  }

  private hear(edge: Edge, message: EdgeMessage): void {
    const { standing } = this
    if (standing.is !== 'attached' || standing.edge !== edge) return
    standing.heardAt = this.options.clock.elapsed()
    switch (message.is) {
      case 'PLACE_FORWARD':
        this.take(message.value.fragment)
        return
      case 'PLACE_BEAT':
        this.beaten(standing, message.value.ancestors.map(nodeOf))
        this.compare(message.value.last)
        return
      case 'PLACE_FORGOTTEN':
        this.options.refused('forgotten')
        return
      default:
        this.advice(edge, message)
        this.lost()
    }
  }

  /** Who is above us now; not we ourselves, or it is a circle. */
  private beaten(
    standing: Extract<Standing, { is: 'attached' }>,
    ancestors: readonly TreeNode[],
  ): void {
    if (this.isCircle(ancestors)) {
      this.lost()
      return
    }
    // Whoever throws us out before the first beat is not tried again at once.
    this.failures = 0
    this.sentOn = null
    this.tried.clear()
    const isSame =
      ancestors.length === standing.ancestors.length &&
      ancestors.every(({ peer }, at) => equalBytes(peer, standing.ancestors[at]!.peer))
    standing.ancestors = ancestors
    if (!isSame) this.options.moved()
  }

  private take(raw: Uint8Array): void {
    const { history, trust } = this.options
    const taken = trust.take(history, raw)
    if (taken.is === 'gap') this.askAgain()
    if (taken.is === 'unsure') this.options.unsure()
    if (taken.is !== 'taken' || taken.fragments.length === 0) return
    for (const fragment of taken.fragments) history.append(fragment)
    this.options.grown()
  }

  /** The host has said what is true: what we did not take for want of that is asked for. */
  vouched(): void {
    this.replay?.cancel()
    this.replay = null
    this.askAgain()
  }

  private compare(last: bigint): void {
    if (last > this.told) this.told = last
    if (this.told > this.options.history.head.id) this.askAgain()
  }

  /** Asks for what is missing, unless that was done a moment ago. */
  private askAgain(): void {
    const { standing } = this
    if (this.replay || standing.is !== 'attached') return
    const { history, trust } = this.options
    standing.edge.send(PlaceReplay.encode({ next: trust.next(history) }))
    this.replay = this.options.clock.after(REPLAY_MS, () => {
      this.replay = null
    })
  }

  private lost(): void {
    if (this.standing.is === 'closed') return
    const { standing } = this
    const wasAttached = standing.is === 'attached'
    // The host is soon there again; others are not waited for.
    if (wasAttached && !equalBytes(standing.edge.zone, this.options.host.zone))
      this.tried.add(keyOf(standing.edge.peer))
    this.leave()
    this.standing = { is: 'waiting', timer: this.options.clock.after(0, () => this.tryNext()) }
    if (wasAttached) this.options.moved()
  }
}

const nodeOf = ({ peer, zone }: { peer: Uint8Array; zone: Uint8Array }): TreeNode => ({
  peer: peerId(peer.slice()),
  zone: zoneKey(zone.slice()),
})
