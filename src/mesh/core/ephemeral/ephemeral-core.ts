/**
 * CORE of wire classes A and B: private conversations with all linked peers, each message given to
 * the one protocol that handles its type. What a peer sends can be bad, not harmful: it is counted
 * and dropped here.
 */

import type { Clock, Timer } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import { BoxError } from '../../../base/errors.ts'
import { type PeerId, peerId } from '../../../base/ids.ts'
import type { Log } from '../../../base/log.ts'
import type { Random } from '../../../base/random.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { encodeBase32 } from '../../../wire/base32.ts'
import { WireError } from '../../../wire/layout.ts'
import type { Link, LinkEvents } from '../../transport/link.ts'
import type { Core, Neighbour, NeighbourEvents } from '../core.ts'
import { Conversation, type ConversationSurroundings } from './conversation.ts'
import { CLOCK_COMPLAINT_PERIOD_MS } from './limits.ts'
import { TypeMap } from './type-map.ts'

export interface EphemeralCoreOptions {
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly counters: Counters
  readonly key: SigningKey
}

export class EphemeralCore implements Core {
  readonly neighbours = new Map<string, Neighbour>()
  private readonly options: EphemeralCoreOptions
  private readonly around: ConversationSurroundings
  private readonly conversations = new Map<Link, Conversation>()
  private readonly handlers = new Map<number, NeighbourEvents>()
  private readonly listeners = new Set<NeighbourEvents>()
  /** Conversations with something to send at the end of this turn. */
  private readonly busy = new Set<Conversation>()
  /** What others do at the end of this turn, first. */
  private before: (() => void)[] = []
  private turn: Timer | null = null
  private idle: Timer | null = null
  private types: TypeMap | null = null
  private complainedAt = -Infinity

  constructor(options: EphemeralCoreOptions) {
    const { clock, random, counters, key } = options
    this.options = options
    this.around = {
      clock,
      random,
      counters,
      key,
      self: peerId(key.publicKey),
      ownTypes: () => this.ownTypes(),
      soon: conversation => this.soon(conversation),
      beforeThat: run => this.beforeThat(run),
      up: neighbour => this.up(neighbour),
      received: (neighbour, type, message) => this.deliver(neighbour, type, message),
      drained: neighbour => {
        for (const listener of this.listeners) listener.drained(neighbour)
      },
      down: neighbour => this.down(neighbour),
      clockDiffers: (peer, aheadMs) => this.complain(peer, aheadMs),
    }
    counters.gauge('core.neighbours', () => this.neighbours.size)
  }

  handle(types: readonly number[], events: NeighbourEvents): void {
    for (const type of types) {
      if (this.handlers.has(type)) throw new Error(`internal error: type ${type} has two handlers`)
      this.handlers.set(type, events)
    }
    this.listeners.add(events)
    this.types = null
  }

  /** What the transport is to be started with. */
  readonly linkEvents: LinkEvents = {
    up: link => {
      const conversation = new Conversation(link, this.around)
      this.conversations.set(link, conversation)
      conversation.start()
    },
    received: (link, message) => this.receive(link, message),
    drained: link => this.conversations.get(link)?.linkDrained(),
    down: link => {
      const conversation = this.conversations.get(link)
      this.conversations.delete(link)
      if (!conversation) return
      this.busy.delete(conversation)
      conversation.close()
    },
  }

  /** Hands what waits for the end of this turn to the links now: they are about to be closed. */
  flush(): void {
    this.turn?.cancel()
    this.endTurn()
  }

  /** Ends every timer; the links are the transport's to close, before. */
  close(): void {
    this.turn?.cancel()
    this.idle?.cancel()
    for (const conversation of this.conversations.values()) conversation.close()
    this.conversations.clear()
    this.busy.clear()
    this.before = []
  }

  private receive(link: Link, message: Uint8Array): void {
    this.guard('core.malformed', () => this.conversations.get(link)?.received(message))
  }

  private deliver(neighbour: Neighbour, type: number, message: Uint8Array): void {
    const handler = this.handlers.get(type)
    if (handler) this.guard('core.refused', () => handler.received(neighbour, message))
    else this.options.counters.add('core.unhandled')
  }

  /** What a peer does wrong ends here, whichever layer found it. */
  private guard(counter: string, run: () => void): void {
    try {
      run()
    } catch (error) {
      if (!(error instanceof WireError || error instanceof BoxError)) throw error
      this.options.counters.add(counter)
      this.options.log.note('debug', 'core', 'bad input', { reason: error.message })
    }
  }

  private soon(conversation: Conversation): void {
    this.busy.add(conversation)
    this.turn ??= this.options.clock.after(0, () => this.endTurn())
  }

  private beforeThat(run: () => void): void {
    this.before.push(run)
    this.turn ??= this.options.clock.after(0, () => this.endTurn())
  }

  private endTurn(): void {
    // One of them may add another, and all of them what there is to seal.
    for (const run of this.before) run()
    this.before = []
    this.turn = null
    const busy = [...this.busy]
    this.busy.clear()
    for (const conversation of busy) conversation.flush()
    this.idle ??= this.options.clock.after(0, () => {
      this.idle = null
      for (const conversation of busy) conversation.prepare()
    })
  }

  private up(neighbour: Neighbour): void {
    this.neighbours.set(neighbour.key, neighbour)
    this.note('neighbour up', neighbour)
    for (const listener of this.listeners) listener.up(neighbour)
  }

  private down(neighbour: Neighbour): void {
    if (this.neighbours.get(neighbour.key) === neighbour) this.neighbours.delete(neighbour.key)
    this.note('neighbour down', neighbour)
    for (const listener of this.listeners) listener.down(neighbour)
  }

  private note(event: string, { peer, address }: Neighbour): void {
    this.options.log.note('info', 'core', event, { peer: nameOf(peer), address })
  }

  private complain(peer: PeerId, aheadMs: number): void {
    const { clock, counters, log } = this.options
    counters.add('core.clock_differs')
    const now = clock.elapsed()
    if (now - this.complainedAt < CLOCK_COMPLAINT_PERIOD_MS) return
    this.complainedAt = now
    const seconds = Math.round(aheadMs / 1_000)
    log.note('warn', 'core', 'clock differs from the peer: one of the two is wrong', {
      peer: nameOf(peer),
      peer_ahead_s: seconds,
    })
  }

  private ownTypes(): TypeMap {
    this.types ??= TypeMap.of(this.handlers.keys())
    return this.types
  }
}

const nameOf = (peer: PeerId): string => encodeBase32(peer).slice(0, 4)
