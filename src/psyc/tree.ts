/**
 * A member's part in the tree of a place: somebody above, a few below, and the chain of fragments that goes
 * from the one to the others. It needs no key: relays that are not members are this and nothing else.
 */

import type { Clock, Timer } from '../base/clock.ts'
import type { Random } from '../base/random.ts'
import { WireError } from '../wire/layout.ts'
import { Children, FANOUT } from './children.ts'
import { Edge, type Link, type TreeNode } from './edge.ts'
import { type Fragment, KIND } from './fragment.ts'
import { History, type Ledger } from './history.ts'
import { PlaceRekey } from './messages.ts'
import { Parent } from './parent.ts'
import { provableTrust, type Trust } from './trust.ts'

/** Channels on which nothing has been said yet. */
const STRANGERS_MAX = 16
const STRANGER_MS = 20_000

export interface TreeOptions {
  readonly place: Uint8Array
  readonly host: TreeNode
  readonly self: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly ledger: Ledger
  readonly fanout?: number
  /** Nobody is to hang below us: we are not there for long, or nobody can dial us. */
  readonly isLeaf?: boolean
  /** Bytes of history that are kept. */
  readonly historySize?: number
  readonly ticket: () => Uint8Array
  /** Who signs tickets; absent: the place. */
  readonly ticketKey?: () => Uint8Array | null
  /** What is taken for said by the place; absent: what it has signed. */
  readonly trust?: Trust
  /** Only the host can say whether what was handed on to us is true. */
  readonly unsure?: () => void
  readonly dial: (node: TreeNode, signal: AbortSignal) => Promise<Link>
  /** The history has more. */
  readonly grown: () => void
  /** Nobody wants us with this ticket, or what we lack is forgotten. */
  readonly refused: (why: 'ticket' | 'forgotten') => void
  readonly moved: (isAttached: boolean) => void
}

export class TreeMember {
  readonly history: History
  readonly children: Children
  private readonly options: TreeOptions
  private parent: Parent | null = null
  private readonly strangers = new Map<Edge, Timer>()
  private revokedUntil = 0n

  constructor(options: TreeOptions) {
    const { place, clock, ledger, fanout = FANOUT, historySize, ticketKey } = options
    this.options = options
    this.history = new History(place, ledger, historySize)
    this.children = new Children({
      ...{ place, clock, history: this.history, fanout },
      ...(ticketKey && { ticketKey }),
      ancestors: () => this.ancestors(),
      others: () => [options.host],
    })
    this.revoke()
  }

  get isAttached(): boolean {
    return this.parent?.ancestors() != null
  }

  /** Whether we hang in the tree, and have all that we have heard of. */
  get isCurrent(): boolean {
    return this.parent?.isCurrent ?? false
  }

  /** Looks for a place in the tree, beginning with these. */
  attach(relays: readonly TreeNode[]): void {
    this.parent?.close()
    this.parent = new Parent(
      {
        ...{ trust: provableTrust(this.options.place), unsure: () => {} },
        ...this.options,
        history: this.history,
        grown: () => this.grown(),
        moved: () => this.moved(),
      },
      relays,
    )
  }

  /** The host has said what is true. */
  vouched(): void {
    this.parent?.vouched()
  }

  detach(): void {
    const wasAttached = this.isAttached
    this.parent?.close()
    this.parent = null
    if (wasAttached) this.moved()
  }

  /** Somebody came who may want to hang below us. */
  accept(link: Link): void {
    if (this.strangers.size >= STRANGERS_MAX) {
      link.channel.close()
      return
    }
    const edge = new Edge(link)
    const drop = () => {
      this.forget(edge)
      edge.close()
    }
    this.strangers.set(edge, this.options.clock.after(STRANGER_MS, drop))
    edge.attach({
      message: message => {
        this.forget(edge)
        if (message.is === 'PLACE_ATTACH') this.children.admit(edge, message)
        else edge.close()
      },
      drained: () => {},
      closed: () => this.forget(edge),
    })
  }

  close(): void {
    this.parent?.close()
    this.parent = null
    for (const edge of [...this.strangers.keys()]) {
      this.forget(edge)
      edge.close()
    }
    this.children.close()
  }

  private ancestors(): readonly TreeNode[] | null {
    const above = this.parent?.ancestors()
    return above ? [...above, this.options.self] : null
  }

  private grown(): void {
    this.revoke()
    this.children.pump()
    this.options.grown()
  }

  private moved(): void {
    this.children.moved()
    this.options.moved(this.isAttached)
  }

  /** Tickets that the chain says are void. */
  private revoke(): void {
    for (const fragment of this.history.from(this.revokedUntil + 1n)) {
      this.revokedUntil = fragment.id
      if (fragment.kind === KIND.rekey) this.children.revoke(revokedIn(fragment))
    }
  }

  private forget(edge: Edge): void {
    this.strangers.get(edge)?.cancel()
    this.strangers.delete(edge)
  }
}

function revokedIn({ body }: Fragment): readonly bigint[] {
  try {
    return PlaceRekey.decode(body).revoked
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}
