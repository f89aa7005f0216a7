/** The rooms that somebody follows through the API: one visit each, however many listen, ended with the last of them. */

import type { BoxError } from '../../src/base/errors.ts'
import type { Message } from '../../src/psyc/channel.ts'
import type { Context } from '../context.ts'
import type { KnownRoom } from '../room/book.ts'
import { RoomNames, saidIn, saidValue } from '../room/lines.ts'
import { RoomVisit } from '../room/visit.ts'

const TIMEOUT_MS = 30_000
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
}

export class RoomHall {
  private readonly context: Context
  private readonly rooms = new Map<string, Followed>()

  constructor(context: Context) {
    this.context = context
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
      if (one.isCurrent) this.tell(visit, listener)
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Fails as RoomVisit.say. */
  async say(room: KnownRoom, text: string): Promise<void> {
    const there = this.rooms.get(`${room.place}`)
    const visit =
      (await there?.visit) ?? (await RoomVisit.open(this.context, room, { timeoutMs: TIMEOUT_MS }))
    try {
      await visit.say(text, TIMEOUT_MS)
      visit.save()
    } finally {
      if (!there) await visit.close()
    }
  }

  async close(): Promise<void> {
    const all = [...this.rooms.values()]
    this.rooms.clear()
    for (const { visit } of all) await visit.then(one => one.close()).catch(() => {})
  }

  private enter(key: string, room: KnownRoom): Followed {
    const listeners = new Set<Listener>()
    const visit = RoomVisit.open(this.context, room, {
      timeoutMs: TIMEOUT_MS,
      current: () => {
        one.isCurrent = true
        void visit.then(open => {
          for (const listener of listeners) {
            listener.events.attached(true)
            this.tell(open, listener)
          }
        })
      },
      said: () =>
        void visit.then(open => listeners.forEach(listener => void this.tell(open, listener))),
      attached: isAttached => {
        if (!isAttached) for (const { events } of listeners) events.attached(false)
      },
      over: reason => {
        this.rooms.delete(key)
        for (const { events } of listeners) events.over(reason)
        void visit.then(open => open.close())
      },
    })
    const one: Followed = { visit, listeners, isCurrent: false }
    this.rooms.set(key, one)
    visit.then(
      open => open.enter(),
      () => this.rooms.delete(key),
    )
    return one
  }

  private leave(key: string, one: Followed, listener: Listener): void {
    one.listeners.delete(listener)
    if (one.listeners.size > 0 || this.rooms.get(key) !== one) return
    this.rooms.delete(key)
    this.context.meanwhile(one.visit.then(visit => visit.close()))
  }

  /** What it was not told yet. */
  private tell(visit: RoomVisit, listener: Listener): void {
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
