/**
 * The door of a place at its host: channels come in here, and those behind them enter, talk, leave, or become
 * children in the tree. Who enters is for the policy; what may be said is for the rules, the longest method
 * that fits first.
 */

import { equalBytes } from '../base/bytes.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import { WireError } from '../wire/layout.ts'
import { Edge, type EdgeMessage, type Link } from './edge.ts'
import { type Framed, readFrame } from './frame.ts'
import { isRouting, nearest } from './keyword.ts'
import {
  PlaceAdmitted,
  PlaceEpochs,
  PlaceRefused,
  PlaceSnapshot,
  PlaceTalked,
  TALKED,
} from './messages.ts'
import { BODY_MAX } from './padding.ts'
import type { PlaceHost } from './place-host.ts'

/** Those who have not said yet what they want, or are through with it. */
const WAITING_MAX = 64
const WAITING_PER_ZONE_MAX = 4
const WAITING_MS = 60_000
const NOTHING = new Uint8Array(0)
const SNAPSHOT_PART = BODY_MAX - 4
/** What the host alone says of a message. */
const RESERVED = new Set(['_nym_author', '_nick_author', '_tag_relay', '_nym', '_nick'])

export interface Visitor {
  readonly zone: ZoneKey
  readonly wasMember: boolean
  /** What was said at the door: an invitation, a password. */
  readonly request: Framed
}

export interface DoorOptions {
  readonly host: PlaceHost
  readonly clock: Clock
  /** Calls `decide`, once, now or later. May stay silent. */
  readonly door: (visitor: Visitor, decide: (admitted: boolean) => void) => void
  /** By method: whether what members say is passed on. What is not listed is not. */
  readonly relayRules: ReadonlyMap<string, boolean>
  /** Asked before something new of this many bytes is passed on. Absent: as much as they like. */
  readonly allows?: (zone: ZoneKey, size: number) => 'yes' | 'tooFast' | 'tooLong'
  /** A member has said something, which all have heard. */
  readonly said?: (zone: ZoneKey, tag: Uint8Array, said: Framed) => void
  /** A member leaves: whoever is told has the host dismiss it. Absent: that is done here. */
  readonly leaves?: (zone: ZoneKey) => void
  /** The disk failed while somebody came or went: the host must be begun anew from what is there. */
  readonly failed?: (error: BoxError) => void
}

export class PlaceDoor {
  private readonly options: DoorOptions
  private readonly waiting = new Map<Edge, Timer>()

  constructor(options: DoorOptions) {
    this.options = options
  }

  /** Somebody came, and has proven who it is. */
  accept(link: Link): void {
    const edge = new Edge(link)
    const ofZone = [...this.waiting.keys()].filter(({ zone }) => equalBytes(zone, edge.zone)).length
    if (this.waiting.size >= WAITING_MAX || ofZone >= WAITING_PER_ZONE_MAX) {
      link.channel.close()
      return
    }
    const timer = this.options.clock.after(WAITING_MS, () => {
      this.forget(edge)
      edge.close()
    })
    this.waiting.set(edge, timer)
    edge.attach({
      message: message => this.hear(edge, message),
      drained: () => {},
      closed: () => this.forget(edge),
    })
  }

  close(): void {
    for (const [edge, timer] of this.waiting) {
      timer.cancel()
      edge.close()
    }
    this.waiting.clear()
  }

  private forget(edge: Edge): void {
    this.waiting.get(edge)?.cancel()
    this.waiting.delete(edge)
  }

  private hear(edge: Edge, message: EdgeMessage): void {
    const { host } = this.options
    if ('place' in message.value && !equalBytes(message.value.place, host.place)) {
      this.forget(edge)
      edge.close()
      return
    }
    switch (message.is) {
      case 'PLACE_ATTACH':
        this.forget(edge)
        host.children.admit(edge, message)
        return
      case 'PLACE_ENTER':
        this.enter(edge, message)
        return
      case 'PLACE_TALK':
        this.talk(edge, message)
        return
      case 'PLACE_CONFIRM':
        this.confirm(edge, message.value.next)
        return
      case 'PLACE_LEAVE':
        this.leave(edge.zone)
        this.forget(edge)
        edge.close()
        return
      default:
        this.forget(edge)
        edge.close()
    }
  }

  private enter(edge: Edge, { value }: Extract<EdgeMessage, { is: 'PLACE_ENTER' }>): void {
    const { host, door } = this.options
    const agreement = value.agreement.slice()
    const request = readFrame(value.parts)
    const { zone } = edge
    let isDecided = false
    door({ zone, wasMember: host.isMember(zone), request }, admitted => {
      if (isDecided || !this.waiting.has(edge)) return
      isDecided = true
      if (admitted && this.admit(zone, agreement)) this.welcome(edge)
      else edge.send(PlaceRefused.encode({ parts: NOTHING }))
    })
  }

  /** To members alone: whoever is put out hears no more of what is true. */
  private confirm(edge: Edge, next: bigint): void {
    const { host } = this.options
    const word = host.isMember(edge.zone) ? host.word(next) : null
    edge.send(word ? PlaceEpochs.encode(word) : PlaceRefused.encode({ parts: NOTHING }))
  }

  /** False where the place is full; what cannot be written is for the owner to hear. */
  private admit(zone: ZoneKey, agreement: Uint8Array): boolean {
    try {
      this.options.host.admit(zone, agreement)
      return true
    } catch (error) {
      if (error instanceof BoxError && error.code === 'LIMIT_EXCEEDED') return false
      this.report(error)
      throw error
    }
  }

  private leave(zone: ZoneKey): void {
    const { host, leaves = (one: ZoneKey) => void host.dismiss(one) } = this.options
    try {
      leaves(zone)
    } catch (error) {
      this.report(error)
      throw error
    }
  }

  private report(error: unknown): void {
    if (error instanceof BoxError) this.options.failed?.(error)
  }

  private welcome(edge: Edge): void {
    const { host } = this.options
    const welcome = host.welcome(edge.zone)!
    const { ticket, generation, key, head, start, first, state } = welcome
    const word = host.word(0n)
    if (word) edge.send(PlaceEpochs.encode(word))
    edge.send(
      PlaceAdmitted.encode({
        ...{ id: head.id, hash: head.hash, startId: start.id, startHash: start.hash },
        ...{ first, generation, key, ticket, snapshotSize: state.length },
        relays: host.children.alternatives(),
      }),
    )
    for (let at = 0; at < state.length; at += SNAPSHOT_PART)
      edge.send(PlaceSnapshot.encode({ bytes: state.subarray(at, at + SNAPSHOT_PART) }))
  }

  private talk(edge: Edge, { value }: Extract<EdgeMessage, { is: 'PLACE_TALK' }>): void {
    const tag = value.tag.slice()
    const status = this.say(edge.zone, tag, value.parts)
    edge.send(PlaceTalked.encode({ tag, status }))
  }

  private say(zone: ZoneKey, tag: Uint8Array, parts: Uint8Array): number {
    const { host, relayRules, allows = () => 'yes' as const, said } = this.options
    if (!host.isMember(zone)) return TALKED.stranger
    // Asked again because the answer was lost: not again said, and not counted.
    if (host.hasSaid(zone, tag)) return TALKED.done
    try {
      const framed = readFrame(parts)
      const { method, entity, data } = framed
      if (nearest(relayRules, method) !== true) return TALKED.refused
      const isAllowed = entity.every(
        ({ operator, name }) => operator === ':' && !RESERVED.has(name) && !isRouting(name),
      )
      if (!isAllowed) return TALKED.refused
      const allowed = allows(zone, parts.length)
      if (allowed !== 'yes') return TALKED[allowed]
      host.relay(zone, tag, { method, entity, data })
      said?.(zone, tag, framed)
      return TALKED.done
    } catch (error) {
      if (error instanceof WireError) return TALKED.malformed
      if (error instanceof BoxError && error.code === 'STATE_UNWRITABLE') return TALKED.failed
      throw error
    }
  }
}
