/**
 * Tells of alerts: runs commands, one at a time for each rule, and says it in rooms. Each delivery is written down as
 * begun before it begins; one that was begun when `box up` was killed is begun again: a room hears it once, for it
 * has the same tag, and a command is told which attempt it is.
 */

import { BoxError } from '../../src/base/errors.ts'
import { sha256 } from '../../src/crypto/hash.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { RoomVisit } from '../room/visit.ts'
import type { AlertEvent, Delivery } from './alert-book.ts'
import { type CommandEnd, tellCommand } from './alert-command.ts'
import type { Target } from './alert-config.ts'
import { type AlertDesk, idOf } from './alert-desk.ts'

/** Programs at once, of all rules. */
const COMMANDS_MAX = 4
/** What failed for a while is tried again, later each time. */
const AGAIN_MS = 30_000
const AGAIN_MAX_MS = 600_000
/** A command that wants to be asked again, is so often. */
const TRIES_MAX = 5
const ROOM_TIMEOUT_MS = 30_000
/** Lines in one message, which has 4 KiB at most. */
const LINES_MAX = 10
const LINE_SIZE_MAX = 320
const TAG_SIZE = 16

/** Runs a command to its end; given by tests. */
export type TellCommand = typeof tellCommand
/** Says something in a room, once for each tag. Fails as RoomVisit. */
export type SayInRoom = (room: string, text: string, tag: Uint8Array) => Promise<void>

export interface CourierParts {
  readonly context: Context
  readonly desk: AlertDesk
  readonly tell?: TellCommand
  readonly say?: SayInRoom
}

export class AlertCourier {
  /** How many were given up. */
  failed = 0
  private readonly parts: CourierParts
  private targets: readonly Target[] = []
  /** What goes on, by target and rule. */
  private readonly running = new Map<string, Promise<void>>()
  private commands = 0
  private isClosed = false

  constructor(parts: CourierParts) {
    this.parts = parts
  }

  /** Begins what can be begun. What is listed must be on the disk. */
  deliver(targets: readonly Target[]): void {
    this.targets = targets
    if (this.isClosed) return
    for (const target of targets) {
      const all = this.parts.desk.waiting.filter(({ target: key }) => key === target.key)
      if (target.to.is === 'room') this.beginRoom(target.key, target.to.room, all)
      else this.beginCommands(target.key, target.to.words, all)
    }
  }

  /** Begins nothing more, and waits for what goes on. */
  async close(): Promise<void> {
    this.isClosed = true
    await Promise.all(this.running.values())
  }

  private beginCommands(key: string, words: readonly string[], all: readonly Delivery[]): void {
    const rules = new Set(all.map(({ event }) => event.record.rule))
    for (const rule of rules) {
      if (this.commands >= COMMANDS_MAX) return
      const first = this.due(all.filter(({ event }) => event.record.rule === rule))[0]
      if (!first) continue
      this.begin(`${key} ${rule}`, async () => {
        this.commands++
        try {
          return await this.runCommand(words, first)
        } finally {
          this.commands--
        }
      })
    }
  }

  private beginRoom(key: string, room: string, all: readonly Delivery[]): void {
    const due = this.due(all)
    const batch = due[0]?.batch ?? null
    // What was begun together stays together, whatever has come since.
    const chosen = batch === null ? due.slice(0, LINES_MAX) : all.filter(one => one.batch === batch)
    if (chosen.length > 0) this.begin(key, () => this.sayInRoom(room, chosen))
  }

  /** Those that may be told now: of each device in the order in which it happened. */
  private due(all: readonly Delivery[]): readonly Delivery[] {
    const now = this.parts.context.clock.now()
    const held = new Set<string>()
    return all.filter(({ event, notBefore }) => {
      const thing = `${event.zone} ${event.origin} ${event.record.rule}`
      const isDue = notBefore <= now && !held.has(thing)
      if (!isDue) held.add(thing)
      return isDue
    })
  }

  /** Unexpected failures end the process, as everywhere. */
  private begin(key: string, work: () => Promise<boolean>): void {
    if (this.running.has(key)) return
    const done = work().then(isOnDisk => {
      this.running.delete(key)
      // Else the next look is early enough.
      if (isOnDisk) this.deliver(this.targets)
    })
    this.running.set(key, done)
  }

  private async runCommand(words: readonly string[], delivery: Delivery): Promise<boolean> {
    const { desk, context, tell = tellCommand } = this.parts
    const tries = delivery.tries + 1
    desk.change([delivery], one => ({ ...one, tries }))
    if (!(await desk.save())) return false
    const end = await tell(words, delivery.event, { clock: context.clock, tries })
    this.settle([delivery], end, tries < TRIES_MAX)
    return await desk.save()
  }

  private async sayInRoom(room: string, chosen: readonly Delivery[]): Promise<boolean> {
    const { desk, context, say = this.say } = this.parts
    const batch = chosen[0]!.batch ?? tagOf(chosen)
    desk.change(chosen, one => ({ ...one, batch, tries: one.tries + 1 }))
    if (!(await desk.save())) return false
    const lines = chosen.map(({ event }) => sentenceOf(event).slice(0, LINE_SIZE_MAX))
    let end: CommandEnd = { is: 'done', why: '' }
    try {
      await say(room, lines.join('\n'), decodeBase32(batch, TAG_SIZE))
    } catch (error) {
      // Whoever comes after us says it again, with the same tag.
      if (context.signal.aborted) return false
      if (!(error instanceof BoxError)) throw error
      end = { is: 'later', why: error.message }
    }
    this.settle(chosen, end, true)
    return await desk.save()
  }

  private settle(which: readonly Delivery[], { is, why }: CommandEnd, mayTry: boolean): void {
    const { desk, context } = this.parts
    const { log, clock } = context
    const about = { rule: which[0]!.event.record.rule, device: which[0]!.event.device, why }
    if (is === 'later' && mayTry) {
      log.note('info', 'alerts', 'not told yet', about)
      desk.change(which, one => ({ ...one, notBefore: clock.now() + againMs(one.tries) }))
      return
    }
    if (is !== 'done') {
      this.failed += which.length
      log.note('warn', 'alerts', 'not told', about)
    }
    desk.change(which, () => null)
  }

  private readonly say: SayInRoom = async (name, text, tag) => {
    const { context } = this.parts
    const room = new RoomBook(context.state).room(name)
    const visit = await RoomVisit.open(context, room, { timeoutMs: ROOM_TIMEOUT_MS })
    try {
      await visit.say(text, ROOM_TIMEOUT_MS, tag)
      visit.save()
    } finally {
      await visit.close()
    }
  }
}

const againMs = (tries: number): number =>
  Math.min(AGAIN_MAX_MS, AGAIN_MS * 2 ** Math.max(0, tries - 1))

const tagOf = (chosen: readonly Delivery[]): string =>
  encodeBase32(sha256(new TextEncoder().encode(chosen.map(idOf).join('\n'))).slice(0, TAG_SIZE))

/** For a room. */
const sentenceOf = ({ is, device, record: { rule, value, when } }: AlertEvent): string =>
  is === 'fires'
    ? `ALERT ${device}: ${rule}: ${value} (${when})`
    : `over: ${device}: ${rule} (${value || when})`
