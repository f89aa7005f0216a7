/**
 * Being in a room for as long as a command lasts: finds its host, enters, reads along, speaks. The host may be
 * away, restart, or move: it is looked for again, and what was missed comes in order.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import type { DeviceRecord } from '../../src/box/device-record.ts'
import { authenticate } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { roomService } from '../../src/box/room-address.ts'
import type { Channel } from '../../src/mesh/mesh.ts'
import type { Message, Saying } from '../../src/psyc/channel.ts'
import type { Link, TreeNode } from '../../src/psyc/edge.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import { type Device, hasZone } from '../fleet.ts'
import { type KnownRoom, RoomBook } from './book.ts'
import { HISTORY_SIZE, MEMORY_NAME, RoomMemory } from './memory.ts'
import { dialMember, type RelayPort } from './relaying.ts'

/** How a host is called that is none of our devices. */
const HOST_NAME = 'room-host'
/** One try at where it was a moment ago, before it is looked for. */
const AGAIN_MS = 5_000
const RETRY_MS = 1_000
/** Moving from one member to another takes less: whoever is away for so long is told to be. */
const AWAY_MS = 3_000
const TAG_SIZE = 16
const PEER_SIZE = 32
/** Where the host is, as long as nobody knows: no peer has this key. */
const NOWHERE = peerId(new Uint8Array(PEER_SIZE))

export interface VisitOptions {
  /** How long the host is looked for, and waited for. */
  readonly timeoutMs: number
  /** Something new was said, after all that was before has come. */
  readonly said?: (message: Message) => void
  /** All there is has come; again after each message. */
  readonly current?: () => void
  /** Whether we hear what is said at the moment. */
  readonly attached?: (isAttached: boolean) => void
  /** We stay, and hand on to others who dial us there. Absent: nobody hangs below us. */
  readonly port?: RelayPort | null
  /** We are not let in, or not any more. */
  readonly over?: (reason: BoxError) => void
}

interface Waiter {
  resolve(): void
  reject(reason: unknown): void
}

export class RoomVisit {
  readonly room: KnownRoom
  readonly guest: PlaceGuest
  readonly memory: RoomMemory
  private readonly context: Context
  private readonly options: VisitOptions
  private where: DeviceRecord | null = null
  private over: BoxError | null = null
  /** Why the host was not reached the last time. */
  private failure: BoxError | null = null
  private hasEntered = false
  /** Whether all that was before has come. */
  private isCurrent = false
  private readonly waiters = new Set<Waiter>()
  private saving: Promise<void> | null = null
  private isSaveDue = false
  private away: Timer | null = null
  private readonly abort = () => this.end(this.context.signal.reason)

  /** Fails with NO_EGO, STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED, and what starting a mesh fails with. */
  static async open(context: Context, room: KnownRoom, options: VisitOptions): Promise<RoomVisit> {
    const own = context.ego().secret.zone
    const memory = await RoomMemory.open(context.state, room, context.random)
    await context.mesh()
    // Several processes may share the key of our peer, and the host tells them apart by this.
    const peer = options.port?.self ?? peerId(context.random.bytes(PEER_SIZE))
    const self = { peer, zone: own }
    return new RoomVisit(context, room, memory, self, options)
  }

  private constructor(
    context: Context,
    room: KnownRoom,
    memory: RoomMemory,
    self: TreeNode,
    options: VisitOptions,
  ) {
    const { clock, random, signal } = context
    this.context = context
    this.room = room
    this.memory = memory
    this.options = options
    this.guest = new PlaceGuest({
      ...{ place: room.place, isDeniable: room.isDeniable },
      ...{ self, clock, random, historySize: HISTORY_SIZE },
      isLeaf: !options.port,
      host: { peer: NOWHERE, zone: room.device },
      ...{ store: memory.store, name: MEMORY_NAME, ledger: memory.ledger },
      request: { method: '_request_enter' },
      dial: (node, dialled) => this.dial(node, dialled),
      events: {
        entered: () => {},
        refused: reason => this.end(reason ?? uninvited()),
        said: message => {
          if (this.isCurrent) options.said?.(message)
        },
        attached: isAttached => this.moved(isAttached),
        current: () => this.caughtUp(),
      },
    })
    options.port?.add(room, this.guest)
    signal.addEventListener('abort', this.abort, { once: true })
  }

  /** Enters, or goes on where we were; harmless when repeated. */
  enter(): void {
    if (this.hasEntered || this.over) return
    this.hasEntered = true
    this.guest.enter()
  }

  /** Until all there is has come. Fails with why we are not let in, or why the host was not reached in time. */
  async whenCurrent(): Promise<void> {
    this.enter()
    if (this.over) throw this.over
    if (this.isCurrent) return
    const { clock } = this.context
    const timer = clock.after(this.options.timeoutMs, () =>
      this.settle(one => one.reject(this.failure ?? new BoxError('PEER_TIMEOUT'))),
    )
    try {
      await new Promise<void>((resolve, reject) => this.waiters.add({ resolve, reject }))
    } finally {
      timer.cancel()
    }
  }

  /**
   * Says something to all, once. Tries again, for `patienceMs`, what the network lost. Fails with what the host
   * says against it, and with why it was not reached.
   */
  async say(text: string, patienceMs: number, tag = this.newTag()): Promise<void> {
    const data = new TextEncoder().encode(text)
    await this.tell({ method: '_message', data }, patienceMs, tag)
  }

  /** As `say`, what is more than a text. */
  async tell(saying: Saying, patienceMs: number, tag = this.newTag()): Promise<void> {
    const { clock, signal } = this.context
    const deadline = clock.elapsed() + patienceMs
    if (!this.guest.isIn) await this.whenCurrent()
    for (;;) {
      try {
        await this.guest.talk(saying, tag)
        return
      } catch (error) {
        signal.throwIfAborted()
        const mayTry = error instanceof BoxError && error.family === 'unreachable'
        if (!mayTry || error.code === 'TALK_TOO_FAST' || clock.elapsed() >= deadline) throw error
      }
      await this.pause(RETRY_MS)
    }
  }

  /** What marks one message, however often it is tried. */
  newTag(): Uint8Array {
    return this.context.random.bytes(TAG_SIZE)
  }

  /** Gives up membership and invitation. Fails with why the host was not reached. */
  async leave(): Promise<void> {
    await this.guest.leave()
  }

  /** Writes down what we have by now, beside what goes on. */
  save(): void {
    this.isSaveDue = true
    this.saving ??= this.saveAll()
  }

  /** Ends the visit; what is to be written down is. */
  async close(): Promise<void> {
    this.context.signal.removeEventListener('abort', this.abort)
    this.endGuest()
    await this.saving
  }

  async pause(ms: number): Promise<void> {
    const { clock, signal } = this.context
    await new Promise<void>(resolve => {
      const done = () => {
        timer.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = clock.after(ms, done)
      signal.addEventListener('abort', done, { once: true })
    })
    signal.throwIfAborted()
  }

  private endGuest(): void {
    this.away?.cancel()
    this.options.port?.remove(this.room.place)
    this.guest.close()
  }

  private moved(isAttached: boolean): void {
    this.away?.cancel()
    this.away = null
    if (isAttached) {
      this.options.attached?.(true)
      return
    }
    this.isCurrent = false
    this.away = this.context.clock.after(AWAY_MS, () => this.options.attached?.(false))
  }

  private caughtUp(): void {
    this.isCurrent = true
    this.failure = null
    this.options.current?.()
    this.settle(one => one.resolve())
  }

  private settle(how: (waiter: Waiter) => void): void {
    for (const waiter of this.waiters) how(waiter)
    this.waiters.clear()
  }

  private end(reason: unknown): void {
    if (this.over) return
    this.over = reason instanceof BoxError ? reason : new BoxError('ENGINE_CLOSED')
    this.endGuest()
    this.settle(one => one.reject(reason))
    if (reason instanceof BoxError) this.options.over?.(reason)
  }

  private async saveAll(): Promise<void> {
    const { log } = this.context
    try {
      while (this.isSaveDue) {
        this.isSaveDue = false
        this.guest.checkpoint()
        await this.memory.save()
      }
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      // Nothing is lost: what is not kept here is asked for again.
      log.note('warn', 'controller', 'room not remembered', { code: error.code })
    } finally {
      this.saving = null
    }
  }

  private async dial(node: TreeNode, signal: AbortSignal): Promise<Link> {
    const { zone } = node
    if (!equalBytes(zone, this.room.device)) {
      const { last } = hostOf(this.context, this.room)
      const hubs = (this.where ?? last?.record)?.hubs.map(({ pid }) => pid) ?? []
      const { place, isDeniable } = this.room
      return await dialMember(this.context, node, this.guest, { place, isDeniable, hubs, signal })
    }
    try {
      return { zone, channel: (await this.again(signal)) ?? (await this.find()) }
    } catch (error) {
      if (this.context.signal.aborted) throw new BoxError('ENGINE_CLOSED', undefined, error)
      if (!(error instanceof BoxError)) throw error
      this.failure = error
      if (error.family === 'refused') this.end(noEntry(error))
      throw error
    }
  }

  /** Where it was a moment ago; null where it is not there any more. */
  private async again(given: AbortSignal): Promise<Channel | null> {
    const { clock, random } = this.context
    if (!this.where) return null
    const { pid, hubs } = this.where
    const tooLate = new AbortController()
    const timer = clock.after(AGAIN_MS, () => tooLate.abort(new BoxError('PEER_TIMEOUT')))
    const signal = AbortSignal.any([given, tooLate.signal])
    const { place, device } = this.room
    try {
      const mesh = await this.context.mesh()
      const via = hubs.flatMap(hub => (equalBytes(hub.pid, mesh.self) ? [] : [[hub.pid]]))
      const channel = await mesh.connect(pid, servicePort(roomService(this.room), device), {
        via,
        signal,
      })
      const { secret: own } = this.context.ego()
      const session = await authenticate(channel, {
        ...{ self: mesh.self, own, device, clock, random, signal, payload: place },
        purpose: roomService(this.room),
      })
      return session.channel
    } catch (error) {
      this.where = null
      if (!(error instanceof BoxError) || error.code === 'NOT_PERMITTED') throw error
      return null
    } finally {
      timer.cancel()
    }
  }

  private async find(): Promise<Channel> {
    const { context, room } = this
    const { record, channel } = await reach(context, hostOf(context, room), {
      ...{ service: roomService(room), payload: room.place, timeoutMs: this.options.timeoutMs },
      ...keeping(context, room),
    })
    this.where = record
    return channel
  }
}

/** The device that hosts a room: one of ours, or one that is known by the room alone. */
export function hostOf({ fleet, state }: Context, room: KnownRoom): Device {
  const own = fleet.devices().find(one => hasZone(one, room.device))
  if (own) return own
  const { last, device: zone } = new RoomBook(state).find(room.place) ?? room
  return { name: HOST_NAME, zone, tags: [], pairedAt: 0, last }
}

/** Where the host was is kept with the room, unless the fleet has it. */
export const keeping = ({ fleet, state }: Context, room: KnownRoom): Pick<KeepOption, 'keep'> =>
  fleet.devices().some(one => hasZone(one, room.device))
    ? {}
    : { keep: last => new RoomBook(state).remember(room.place, last) }

type KeepOption = NonNullable<Parameters<typeof reach>[2]>

const uninvited = () => new BoxError('NOT_PERMITTED', 'You are not invited to this room.')

const noEntry = ({ code }: BoxError): BoxError =>
  code === 'NOT_PERMITTED'
    ? new BoxError('NOT_PERMITTED', 'You are not invited to this room, or it is no more.')
    : new BoxError(code)
