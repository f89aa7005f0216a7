/**
 * The rooms in which `box up` is: one visit each, however many listen through the API. It stays in all rooms of this
 * state, keeps what is said there, and hands on to other members; a room that it does not know of ends with the last
 * who listens.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import type { Message, Saying } from '../../src/psyc/channel.ts'
import type { Context } from '../context.ts'
import { type KnownRoom, RoomBook } from '../room/book.ts'
import { RoomNames, saidIn, saidValue } from '../room/lines.ts'
import { leave, type Past, visited } from '../room/membership.ts'
import { RoomMemory } from '../room/memory.ts'
import { RelayPort } from '../room/relaying.ts'
import { RoomVisit } from '../room/visit.ts'

const TIMEOUT_MS = 30_000
/** Rooms come and go by other commands: the list is looked at so often. */
const LOOK_MS = 15_000
/** In each there is a megabyte of history, and its host is looked for while it is away. */
const STAY_MAX = 32
/** Of what was said before, to whoever begins to listen. */
const FIRST_LAST = 200

export interface RoomEvents {
  /** As `box room enter --json` prints it. */
  said(value: object): void
  /** Whether the host is there; what is said waits while it is not. */
  attached(isAttached: boolean): void
  /** We are not let in, or not any more. The last call. */
  over(reason: BoxError): void
}

interface Listener {
  readonly events: RoomEvents
  /** The last message it was told; null: none yet. */
  told: bigint | null
}

interface Followed {
  readonly visit: Promise<RoomVisit>
  readonly listeners: Set<Listener>
  isCurrent: boolean
  /** It goes on when nobody listens. */
  isResident: boolean
}

export class RoomHall {
  private readonly context: Context
  private readonly rooms = new Map<string, Followed>()
  /** Rooms that do not let us in: only who asks for them tries again. */
  private readonly refused = new Set<string>()
  private port: RelayPort | null = null
  private mesh: Mesh | null = null
  /** The key by which we are in them. */
  private own: ZoneKey | null = null
  private timer: Timer | null = null

  constructor(context: Context) {
    this.context = context
  }

  /** From now on we are in all our rooms, and hand on where another process of ours does not. */
  stay(mesh: Mesh): void {
    this.mesh = mesh
    this.look()
  }

  /** Our key is another one: we enter by it at once. */
  keyChanged(): void {
    if (!this.mesh) return
    this.timer?.cancel()
    this.look()
  }

  /** Tells what was said and what is being said, until the signal. Fails as RoomVisit.open. */
  async follow(room: KnownRoom, events: RoomEvents, signal: AbortSignal): Promise<void> {
    const key = `${room.place}`
    const one = this.rooms.get(key) ?? this.enter(key, room)
    const listener: Listener = { events, told: null }
    one.listeners.add(listener)
    const leave = () => this.leave(key, one, listener)
    signal.addEventListener('abort', leave, { once: true })
    try {
      const visit = await one.visit
      if (signal.aborted) return
      events.attached(visit.guest.isIn && one.isCurrent)
      if (one.isCurrent) this.catchUp(visit, listener)
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Fails as RoomVisit.say. */
  async say(room: KnownRoom, text: string): Promise<void> {
    await this.tell(room, { method: '_message', data: new TextEncoder().encode(text) })
  }

  /** As `say`, what is more than a text. */
  async tell(room: KnownRoom, saying: Saying): Promise<void> {
    const there = this.rooms.get(`${room.place}`)
    const visit =
      (await there?.visit) ?? (await RoomVisit.open(this.context, room, { timeoutMs: TIMEOUT_MS }))
    try {
      await visit.tell(saying, TIMEOUT_MS)
      visit.save()
    } finally {
      if (!there) await visit.close()
    }
  }

  /** What there is of a room: at once where we are in it, else as `visited` has it and fails. */
  async read<T>(room: KnownRoom, read: (visit: RoomVisit) => T): Promise<Past<T>> {
    const there = this.rooms.get(`${room.place}`)
    if (there?.isCurrent) return { value: read(await there.visit), failure: null }
    return await visited(this.context, room, TIMEOUT_MS, read)
  }

  /** Fails as `leave` of members. */
  async giveUp(room: KnownRoom, { isForced }: { readonly isForced: boolean }): Promise<void> {
    await leave(this.context, room, { isForced, timeoutMs: TIMEOUT_MS })
    const key = `${room.place}`
    const there = this.rooms.get(key)
    if (!there) return
    for (const { events } of there.listeners) events.over(new BoxError('ROOM_UNKNOWN'))
    this.end(key, there)
  }

  async close(): Promise<void> {
    this.timer?.cancel()
    this.port?.close()
    const all = [...this.rooms.values()]
    this.rooms.clear()
    for (const { visit } of all) await visit.then(one => one.close()).catch(() => {})
  }

  private look(): void {
    this.timer = this.context.clock.after(LOOK_MS, () => this.look())
    try {
      this.settle()
      const { state } = this.context
      const known = new RoomBook(state).rooms().slice(0, STAY_MAX)
      for (const [key, one] of this.rooms)
        if (one.isResident && !known.some(({ place }) => `${place}` === key)) this.end(key, one)
      for (const room of known) {
        const key = `${room.place}`
        if (this.refused.has(key) || !RoomMemory.hasEntered(state, room)) continue
        const one = this.rooms.get(key) ?? this.enter(key, room)
        one.isResident = true
      }
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.context.log.note('warn', 'controller', 'rooms not read', { code: error.code })
    }
  }

  /** With another key (box rotate) we enter anew: who had the one before is a member no longer. */
  private settle(): void {
    const { zone } = this.context.ego().secret
    if (!this.mesh || (this.own && equalBytes(this.own, zone))) return
    this.port?.close()
    for (const [key, one] of this.rooms) this.end(key, one)
    this.refused.clear()
    this.port = RelayPort.open(this.context, this.mesh)
    this.own = zone
  }

  private enter(key: string, room: KnownRoom): Followed {
    const listeners = new Set<Listener>()
    const visit = RoomVisit.open(this.context, room, {
      timeoutMs: TIMEOUT_MS,
      port: this.port,
      current: () => {
        one.isCurrent = true
        void visit.then(open => {
          open.save()
          for (const listener of listeners) {
            listener.events.attached(true)
            this.catchUp(open, listener)
          }
        })
      },
      said: () =>
        void visit.then(open => listeners.forEach(listener => void this.catchUp(open, listener))),
      attached: isAttached => {
        if (!isAttached) for (const { events } of listeners) events.attached(false)
      },
      over: reason => {
        this.rooms.delete(key)
        this.refused.add(key)
        for (const { events } of listeners) events.over(reason)
        void visit.then(open => open.close())
      },
    })
    const one: Followed = { visit, listeners, isCurrent: false, isResident: false }
    this.rooms.set(key, one)
    visit.then(
      open => {
        this.refused.delete(key)
        open.enter()
      },
      () => this.rooms.delete(key),
    )
    return one
  }

  private leave(key: string, one: Followed, listener: Listener): void {
    one.listeners.delete(listener)
    if (one.listeners.size > 0 || one.isResident || this.rooms.get(key) !== one) return
    this.end(key, one)
  }

  private end(key: string, one: Followed): void {
    this.rooms.delete(key)
    this.context.meanwhile(one.visit.then(visit => visit.close()))
  }

  /** What it was not told yet. */
  private catchUp(visit: RoomVisit, listener: Listener): void {
    const { guest, memory, room } = visit
    const next = listener.told === null ? null : listener.told + 1n
    if (next !== null && guest.last < next) return
    const names = new RoomNames(this.context)
    const messages: readonly Message[] = guest.messages(
      next === null ? { last: FIRST_LAST } : { from: next },
    )
    for (const message of messages) {
      listener.told = message.id
      const said = saidIn(message)
      if (said) listener.events.said(saidValue(room.name, said, names))
    }
    listener.told ??= guest.last
    if (guest.last <= memory.seen) return
    memory.seen = guest.last
    visit.save()
  }
}
