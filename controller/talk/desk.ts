/**
 * Private talk of this controller with its contacts: brings what waits to those who are there, leaves it with a relay
 * of theirs where they are not, and takes what comes by either way. What is said is on our disk before it leaves, and
 * leaves until they say to have it; so this may be killed at any time, and several processes may do it at once.
 */

import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { encodeSaying, type Sayable } from '../../src/social/saying.ts'
import type { Context, ControllerMesh } from '../context.ts'
import { carryFiles } from '../files/carrying.ts'
import { FileBook } from '../files/file-book.ts'
import type { Leaving } from '../files/leaving.ts'
import { FileServer } from '../files/serving.ts'
import { inParallel } from '../parallel.ts'
import { mustNotBeRevoked, revokedZones } from '../revoked-zones.ts'
import { type Contact, ContactBook } from './contact-book.ts'
import type { TalkLink } from './link.ts'
import type { TalkMemory } from './memory.ts'
import { People } from './people.ts'
import {
  type Collecting,
  type Correspondent,
  hasMail,
  type LeftBefore,
  leaveLetters,
  ownRelays,
  visitRelay,
} from './post.ts'
import { isPresenceDue, Presence } from './presence.ts'
import { SealedState } from './sealed-state.ts'
import type { RevokedZones } from './succession.ts'
import { Switchboard } from './switchboard.ts'

const RELAY_MS = 20_000
/** An answer that is under way. */
const HEARD_MS = 8_000
const HEARD_STEP_MS = 50
/** Another process of ours may have said something. */
const LOOK_EVERY_MS = 2_000
/** Who was not there is tried again so late, and what lies with a relay brought again where they are there. */
const AGAIN_MS = 60_000
const VISIT_EVERY_MS = 60_000
const PARALLEL = 8
/** Of links that end before what was said is heard. */
const TURNS_MAX = 3

export interface DeskOptions {
  /** Stays, so that others reach us here; unless a `box up` does. */
  readonly stays: boolean
  /** Something was said by somebody, or they have something. */
  readonly changed?: (contact: Contact) => void
}

interface DeskParts {
  readonly sealed: SealedState
  readonly mesh: ControllerMesh
  readonly revocations: RevokedZones
}

/** Where what was said is. */
export type Whither = 'heard' | 'left' | 'waits'

export class TalkDesk {
  readonly book: ContactBook
  /** What is handed out where we are reached. */
  readonly files: FileBook
  private readonly context: Context
  private readonly options: DeskOptions
  private readonly mesh: ControllerMesh
  private readonly over = new AbortController()
  private readonly signal: AbortSignal
  private readonly people: People
  private readonly board: Switchboard
  private readonly server: FileServer
  private readonly revocations: RevokedZones
  private readonly delivering = new Map<string, Promise<Whither>>()
  /** By the zone: when somebody was tried in vain, by clock.elapsed. */
  private readonly tried = new Map<string, number>()
  private readonly leftBefore: LeftBefore = new Map()
  private presence: Presence | null = null
  private isHost = false
  private readonly running: Promise<void>[] = []

  /** Fails with NO_EGO, INPUT_INVALID where the ego cannot talk, STATE_UNREADABLE, and why there is no mesh. */
  static async open(context: Context, options: DeskOptions): Promise<TalkDesk> {
    const sealed = await SealedState.open(context.state, context.random)
    const mesh = await context.mesh()
    const desk = new TalkDesk(context, options, {
      sealed,
      mesh,
      revocations: await revokedZones(context),
    })
    await desk.announce()
    desk.start()
    return desk
  }

  private constructor(
    context: Context,
    options: DeskOptions,
    { sealed, mesh, revocations }: DeskParts,
  ) {
    this.signal = AbortSignal.any([context.signal, this.over.signal])
    this.context = { ...context, signal: this.signal }
    this.options = options
    this.revocations = revocations
    this.mesh = mesh
    this.book = new ContactBook(sealed)
    this.files = new FileBook(sealed)
    this.people = new People(this.context, sealed, this.book)
    const { files, book: contacts } = this
    this.server = new FileServer({ context: this.context, mesh, files, contacts })
    this.board = new Switchboard({
      ...{ context: this.context, mesh, book: this.book, people: this.people, revocations },
      changed: contact => {
        if (this.board.isLinked(contact.zone)) this.tried.delete(zoneToText(contact.zone))
        options.changed?.(contact)
      },
    })
  }

  private start(): void {
    const { stays } = this.options
    const isHost = stays && !this.mesh.isLent
    const read = () => ({
      ties: this.people.all().flatMap(({ ties }) => ties),
      relays: ownRelays(this.context).map(({ zone }) => zone),
      shared: isHost ? this.server.labels() : [],
    })
    let last = read()
    // A list that is damaged later on changes nothing of what is said about us.
    const told = () => {
      last = this.quietly(read) ?? last
      return last
    }
    this.isHost = isHost
    if (isHost) this.listen()
    if (isHost || (!this.mesh.isLent && isPresenceDue(this.context, told())))
      this.presence = new Presence(this.context, this.mesh, told, isHost)
    if (stays) this.running.push(this.deliverNowAndThen(), this.visitNowAndThen())
    if (isHost) this.running.push(carryFiles(this.context, this.leaving))
  }

  /** Notes it and begins to bring it. Fails with INPUT_INVALID, ZONE_REVOKED, STATE_UNWRITABLE. */
  async say(contact: Contact, saying: Sayable): Promise<number> {
    const { memory, contact: current } = this.people.of(contact)
    mustNotBeRevoked(this.revocations, current)
    const number = await memory.say(encodeSaying(saying), this.context.clock.now())
    this.begin(contact)
    return number
  }

  /** Brings what waits for somebody now; where it is then. Fails with STATE_UNWRITABLE and its like. */
  async deliver(contact: Contact): Promise<Whither> {
    const key = zoneToText(contact.zone)
    const running =
      this.delivering.get(key) ??
      this.bring(this.people.of(contact)).finally(() => this.delivering.delete(key))
    this.delivering.set(key, running)
    return await running
  }

  /** Is in touch with somebody from now on, where they are there. False where they are not. */
  async call(contact: Contact): Promise<boolean> {
    return (await this.board.linkTo(this.people.of(contact))) !== null
  }

  isLinked({ zone }: Pick<Contact, 'zone'>): boolean {
    return this.board.isLinked(zone)
  }

  memoryOf(contact: Contact): TalkMemory {
    return this.people.of(contact).memory
  }

  /** Fetches what lies at our relays; the number of letters. What goes wrong is in the log. */
  async visit(): Promise<number> {
    let count = 0
    for (const relay of ownRelays(this.context)) {
      try {
        const collecting: Collecting = {
          correspondents: this.people.all(),
          take: (from, letter, by) => this.board.take(from, letter, by),
        }
        count += await visitRelay(this.context, relay, collecting, this.leftBefore, RELAY_MS)
      } catch (error) {
        if (!(error instanceof BoxError) || error.family === 'setup') throw error
        this.signal.throwIfAborted()
        this.leftBefore.delete(zoneToText(relay.zone))
        this.context.log.note('info', 'talk', 'relay not visited', { code: error.code })
      }
    }
    return count
  }

  /** What it takes to leave files with relays of those who are away. */
  get leaving(): Leaving {
    const { files, people, revocations, book: contacts } = this
    return { files, contacts, people, revocations }
  }

  /** Whether what we hand out is handed out by now: by us, or by a `box up`. */
  get isServed(): boolean {
    return this.isHost || this.mesh.isLent === true
  }

  /** Contacts, or what is handed out, are others: those who are new find us from now on, those who are not no longer. */
  listsChanged(): void {
    if (!this.isHost) return
    this.listen()
    this.presence?.look()
  }

  /** Our key is another one: who may know us by one before is told, and finds us by either. Fails with STATE_UNWRITABLE. */
  async keyChanged(): Promise<void> {
    await this.announce()
    this.listsChanged()
  }

  /** Resolves when those who may find us can, or after so long. */
  async out(waitMs: number): Promise<void> {
    await this.presence?.out(waitMs)
  }

  async close(): Promise<void> {
    this.over.abort(new BoxError('ENGINE_CLOSED'))
    this.board.close()
    this.server.close()
    await Promise.all([...this.delivering.values()].map(one => one.catch(() => {})))
    await Promise.all(this.running)
    await this.presence?.close()
  }

  /** Whoever may know us by a key from before is told of that of today, by a letter as well. Fails with STATE_UNWRITABLE. */
  private async announce(): Promise<void> {
    const now = this.context.clock.now()
    const today = zoneToText(this.context.ego().secret.zone)
    for (const { ties, memory } of this.people.all()) {
      const { chain } = ties.at(-1)!
      if (chain.length === 0) continue
      await memory.announce(encodeSaying({ is: 'succession', chain }), today, now)
    }
  }

  private listen(): void {
    this.board.listen()
    this.server.listen()
  }

  /** What fails is tried again by and by. */
  private begin(contact: Contact): void {
    this.deliver(contact).catch(error => {
      if (this.signal.aborted) return
      if (!(error instanceof BoxError)) throw error
      this.context.log.note('warn', 'talk', 'not delivered', { code: error.code })
    })
  }

  private async bring(given: Correspondent): Promise<Whither> {
    const { clock } = this.context
    const { memory } = given
    for (let turn = 0; turn < TURNS_MAX && memory.read().unheard.length > 0; turn++) {
      const link = await this.board.linkTo(given)
      if (!link) break
      if (await this.isHeard(given, link)) return 'heard'
      // Who has just heard of our new key has closed it, to be reached by that one.
      if (link.isOpen) break
    }
    // They may have another key since.
    const to = this.people.of(given.contact)
    const { contact } = to
    if (this.revocations.isRevoked(contact.zone)) return 'waits'
    const state = memory.read()
    if (!hasMail(state, clock.now())) return state.unheard.length === 0 ? 'heard' : 'left'
    this.signal.throwIfAborted()
    const relays = this.book.find(contact.zone)?.relays ?? []
    try {
      await leaveLetters(this.context, to, relays, RELAY_MS)
      this.options.changed?.(contact)
    } catch (error) {
      this.signal.throwIfAborted()
      if (!(error instanceof BoxError) || error.family === 'setup') throw error
      this.context.log.note('info', 'talk', 'not left', { code: error.code })
      this.tried.set(zoneToText(contact.zone), clock.elapsed())
    }
    const { unheard } = memory.read()
    if (unheard.length === 0) return 'heard'
    return unheard.every(({ leftAt }) => leftAt !== null) ? 'left' : 'waits'
  }

  private async isHeard({ memory }: Correspondent, link: TalkLink): Promise<boolean> {
    const { clock } = this.context
    let deadline = clock.elapsed() + HEARD_MS
    let before = Infinity
    for (;;) {
      const { unheard } = memory.read()
      if (unheard.length === 0) return true
      if (unheard.length < before) deadline = clock.elapsed() + HEARD_MS
      before = unheard.length
      if (!link.isOpen || clock.elapsed() >= deadline) return false
      link.send(unheard)
      await pause(clock, HEARD_STEP_MS, this.signal)
      this.signal.throwIfAborted()
    }
  }

  /** Whatever any process of ours has said, and whoever was not there before. */
  private async deliverNowAndThen(): Promise<void> {
    const { clock } = this.context
    while (!this.signal.aborted) {
      const now = clock.elapsed()
      if (this.isHost) this.quietly(() => this.listen())
      await this.announce().catch(error => {
        if (!(error instanceof BoxError)) throw error
      })
      const due = this.quietly(() =>
        this.people.all().filter(({ contact, memory }) => {
          const { unheard, owed, isAgain } = memory.read()
          if (unheard.length + owed.length === 0 && !isAgain) return false
          const before = this.tried.get(zoneToText(contact.zone))
          const isNew = unheard.some(({ leftAt }) => leftAt === null)
          return (
            before === undefined || now - before >= AGAIN_MS || (isNew && this.isLinked(contact))
          )
        }),
      )
      await inParallel(due ?? [], PARALLEL, async ({ contact }) => {
        const key = zoneToText(contact.zone)
        const whither = await this.deliver(contact).catch(error => {
          if (this.signal.aborted || error instanceof BoxError) return 'waits' as const
          throw error
        })
        if (whither !== 'heard') this.tried.set(key, clock.elapsed())
      })
      await pause(clock, LOOK_EVERY_MS, this.signal)
    }
  }

  private async visitNowAndThen(): Promise<void> {
    while (!this.signal.aborted) {
      await this.visit().catch(error => {
        if (this.signal.aborted || error instanceof BoxError) return
        throw error
      })
      await pause(this.context.clock, VISIT_EVERY_MS, this.signal)
    }
  }

  /** What cannot be read now is tried again. */
  private quietly<T>(run: () => T): T | null {
    try {
      return run()
    } catch (error) {
      if (error instanceof BoxError) return null
      throw error
    }
  }
}
