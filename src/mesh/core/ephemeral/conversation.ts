/**
 * What CORE has with one peer over one link: the key exchange, then encrypted messages, packed
 * together where several are sent in one turn, and the exchange of type maps
 * (gnunet-service-core_sessions.c, v0.20.0).
 */

import { equalBytes, keyOf } from '../../../base/bytes.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Counters } from '../../../base/counters.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Random } from '../../../base/random.ts'
import type { SigningKey } from '../../../crypto/signing.ts'
import { messageType } from '../../../wire/dispatch.ts'
import { MessageSplitter } from '../../../wire/framing.ts'
import { WireError } from '../../../wire/layout.ts'
import { Deadlines } from '../../transport/deadlines.ts'
import type { Link } from '../../transport/link.ts'
import type { Neighbour } from '../core.ts'
import { KeyExchange } from './key-exchange.ts'
import { TYPE_MAP_RETRY_MAX_MS, TYPE_MAP_RETRY_MIN_MS } from './limits.ts'
import {
  CompressedTypeMap,
  ConfirmTypeMap,
  Encrypted,
  EphemeralKey,
  Ping,
  Pong,
} from './messages.ts'
import { Outbox } from './outbox.ts'
import { Inbound, Outbound } from './session.ts'
import type { SessionTimetable } from './timers.ts'
import { TypeMap } from './type-map.ts'

/** What a conversation has from CORE. */
export interface ConversationSurroundings {
  readonly clock: Clock
  readonly random: Random
  readonly counters: Counters
  readonly key: SigningKey
  readonly self: PeerId
  /** What we understand. */
  ownTypes(): TypeMap
  /** Has `flush` called at the end of this turn. */
  soon(conversation: Conversation): void
  /** Has `run` called before any of them. */
  beforeThat(run: () => void): void
  up(neighbour: Neighbour): void
  received(neighbour: Neighbour, type: number, message: Uint8Array): void
  drained(neighbour: Neighbour): void
  down(neighbour: Neighbour): void
  clockDiffers(peer: PeerId, aheadMs: number): void
}

/** The peer as long as neither side begins anew. */
class CoreNeighbour implements Neighbour {
  readonly peer: PeerId
  readonly key: string
  readonly address: string
  types: TypeMap | null = null
  private readonly conversation: Conversation

  constructor(conversation: Conversation, link: Link) {
    this.conversation = conversation
    this.peer = link.peer
    this.key = keyOf(link.peer)
    this.address = link.address
  }

  understands(type: number): boolean {
    return this.types?.has(type) ?? true
  }

  send(message: Uint8Array): boolean {
    return this.conversation.send(this, message)
  }

  atTurnsEnd(run: () => void): void {
    this.conversation.atTurnsEnd(run)
  }
}

export class Conversation {
  private readonly around: ConversationSurroundings
  private readonly link: Link
  private readonly exchange: KeyExchange
  private readonly outbox: Outbox
  private readonly deadlines: Deadlines<keyof SessionTimetable>
  private neighbour: CoreNeighbour | null = null
  private outbound: Outbound | null = null
  private inbound: Inbound | null = null
  /** The keys before these: what the peer sent before it had ours is still good. */
  private formerInbound: Inbound | null = null
  private typeMapRetryMs = TYPE_MAP_RETRY_MIN_MS

  constructor(link: Link, around: ConversationSurroundings) {
    const { clock, random, counters, key, self } = around
    this.around = around
    this.link = link
    this.outbox = new Outbox(counters)
    const timetable: SessionTimetable = { typeMap: () => this.sendTypeMap() }
    this.deadlines = new Deadlines(clock, timetable)
    const events = {
      send: (message: Uint8Array) => void link.send(message),
      keyed: (outbound: ConstructorParameters<typeof Outbound>[0], inbound: typeof outbound) => {
        this.outbound = new Outbound(outbound, clock)
        this.formerInbound = this.inbound
        this.inbound = new Inbound(inbound, clock, counters)
      },
      ready: () => this.onReady(),
      restarted: () => this.endSession(),
      recognised: () => link.proven(),
      clockDiffers: (aheadMs: number) => around.clockDiffers(link.peer, aheadMs),
      failed: () => link.close(),
    }
    this.exchange = new KeyExchange({
      clock,
      random,
      counters,
      key,
      self,
      peer: link.peer,
      events,
    })
  }

  start(): void {
    this.exchange.start()
  }

  /** Takes whatever the link brings. Throws WireError. */
  received(message: Uint8Array): void {
    switch (messageType(message)) {
      case Encrypted.type:
        this.onEncrypted(message)
        break
      case EphemeralKey.type:
        this.exchange.onEphemeralKey(message)
        break
      case Ping.type:
        this.exchange.onPing(message)
        break
      case Pong.type:
        this.exchange.onPong(message)
        break
      default:
        this.around.counters.add('core.unknown_type')
    }
  }

  /** The link takes messages again. */
  linkDrained(): void {
    this.outbox.isBlocked = false
    this.flush()
  }

  send(neighbour: CoreNeighbour, message: Uint8Array): boolean {
    if (this.neighbour !== neighbour) return true
    this.around.soon(this)
    return this.outbox.add(message)
  }

  atTurnsEnd(run: () => void): void {
    this.around.beforeThat(run)
  }

  /** Seals and sends what has gathered, as far as link and keys allow. */
  flush(): void {
    const { outbox, outbound, neighbour } = this
    if (!outbound || !neighbour) return
    if (this.exchange.isReady)
      outbox.empty((messages, size) => this.link.send(outbound.seal(messages, size)))
    if (outbox.owesDrained()) this.around.drained(neighbour)
    if (outbound.isWorn && this.exchange.isReady) this.exchange.rekey()
  }

  /** Makes ready for the next message while there is nothing else to do. */
  prepare(): void {
    if (this.neighbour && this.exchange.isReady) this.outbound?.prepare()
  }

  /** The link is gone. */
  close(): void {
    this.exchange.close()
    this.endSession()
  }

  private onReady(): void {
    if (this.neighbour) {
      // Other keys for the same session: what had to wait goes now.
      this.around.soon(this)
      return
    }
    this.neighbour = new CoreNeighbour(this, this.link)
    this.typeMapRetryMs = TYPE_MAP_RETRY_MIN_MS
    this.sendTypeMap()
    this.around.up(this.neighbour)
  }

  private endSession(): void {
    const { neighbour } = this
    this.deadlines.clear()
    this.outbox.clear()
    this.formerInbound = null
    this.neighbour = null
    if (neighbour) this.around.down(neighbour)
  }

  private onEncrypted(message: Uint8Array): void {
    const sealed = Encrypted.decode(message)
    if (this.exchange.isExpired()) {
      this.around.counters.add('core.key_expired')
      this.link.close()
      return
    }
    let opener = this.inbound
    if (opener?.isGenuine(sealed)) {
      this.formerInbound = null
      this.exchange.onGenuine()
    } else {
      opener = this.formerInbound
      if (!opener?.isGenuine(sealed)) {
        this.around.counters.add('core.not_genuine')
        return
      }
    }
    this.link.proven()
    const plain = opener.open(sealed)
    if (plain) this.deliver(plain)
  }

  private deliver(plain: Uint8Array): void {
    const splitter = new MessageSplitter()
    for (const message of splitter.push(plain)) this.onMessage(messageType(message), message)
    if (splitter.waiting > 0) throw new WireError('CORE_ENCRYPTED', 'messages', 0, 'the end is cut')
  }

  private onMessage(type: number, message: Uint8Array): void {
    const { neighbour } = this
    // One message may end the session that the next of the same bundle was for.
    if (!neighbour) this.around.counters.add('core.early')
    else if (type === CompressedTypeMap.type) this.onTypeMap(neighbour, message)
    else if (type === ConfirmTypeMap.type) this.onTypeMapConfirmed(message)
    else this.around.received(neighbour, type, message)
  }

  private onTypeMap(neighbour: CoreNeighbour, message: Uint8Array): void {
    const types = TypeMap.decode(message)
    if (!types) {
      this.around.counters.add('core.type_map_unreadable')
      return
    }
    neighbour.types = types
    this.outbox.add(ConfirmTypeMap.encode({ hash: types.hash }))
    this.around.soon(this)
  }

  private onTypeMapConfirmed(message: Uint8Array): void {
    const { hash } = ConfirmTypeMap.decode(message)
    if (equalBytes(hash, this.around.ownTypes().hash)) this.deadlines.cancel('typeMap')
  }

  private sendTypeMap(): void {
    this.outbox.add(this.around.ownTypes().encode())
    this.around.soon(this)
    this.deadlines.set('typeMap', this.typeMapRetryMs)
    this.typeMapRetryMs = Math.min(this.typeMapRetryMs * 2, TYPE_MAP_RETRY_MAX_MS)
  }
}
