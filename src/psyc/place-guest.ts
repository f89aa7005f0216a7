/**
 * A member of a place: enters at the host, hangs itself into the tree, reads along, hands on to others, and
 * remembers all of it. Somebody without keys does the same as a relay (place-relay.ts), and reads nothing.
 */

import type { Clock, Timer } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Store } from '../base/store.ts'
import { AgreementKey } from '../crypto/agreement.ts'
import { WireError } from '../wire/layout.ts'
import { type Admission, Entry, refusalOf } from './admission.ts'
import { ChannelReader, type HistoryQuery, type Message, replay, type Saying } from './channel.ts'
import { Confirming } from './confirming.ts'
import { Edge, type EdgeMessage, type Link, type TreeNode } from './edge.ts'
import { frameParts, STATELESS } from './frame.ts'
import { KeyRing } from './group-key.ts'
import { HISTORY_SIZE_MAX, type Ledger } from './history.ts'
import { packState, readMemory, unpackState, writeMemory } from './memory.ts'
import { PlaceEnter, PlaceLeave, PlaceTalk, PlaceTicket, TALKED } from './messages.ts'
import { modeIn } from './mode.ts'
import { State } from './state.ts'
import { TreeMember } from './tree.ts'
import { EpochTrust, type Moment, momentOf } from './trust.ts'

const ANSWER_MS = 30_000
const RETRY_MIN_MS = 1_000
const RETRY_MAX_MS = 60_000
const CHECKPOINT_SIZE = HISTORY_SIZE_MAX / 8
const KEY_SIZE = 32
const TAG_SIZE = 16
const EMPTY = new Uint8Array(0)

export interface GuestEvents {
  /** The host let us in, or the memory of it was there: the state is known. */
  entered(): void
  /**
   * The host does not let us in, or has put us out; or, for a reason, the place is not what it was. Nothing more
   * follows until `enter` is called again.
   */
  refused(reason?: BoxError): void
  /** Something new was said. What was said while we were away comes too, in order. */
  said(message: Message): void
  /** Whether we hang in the tree: if not, what we know grows old. */
  attached(isAttached: boolean): void
  /** We have all there is, at this moment: after `attached`, and again after what is said then. */
  current?(): void
}

export interface PlaceGuestOptions {
  readonly place: Uint8Array
  /** The mode in which it is entered; a place of the other one is refused. Absent: provable. */
  readonly isDeniable?: boolean
  readonly host: TreeNode
  readonly self: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  readonly name: string
  readonly ledger: Ledger
  /** Opens a channel to a node and proves both ends. Fails with BoxError. */
  readonly dial: (node: TreeNode, signal: AbortSignal) => Promise<Link>
  /** What is said at the door. */
  readonly request: Saying
  readonly fanout?: number
  /** Nobody is to hang below us: we are not there for long, or nobody can dial us. */
  readonly isLeaf?: boolean
  /** Bytes of history that are kept. */
  readonly historySize?: number
  readonly events: GuestEvents
}

export class PlaceGuest {
  private readonly options: PlaceGuestOptions
  private readonly keys = new KeyRing()
  private readonly agreement: AgreementKey
  private readonly secret: Uint8Array
  private readonly tree: TreeMember
  /** Null where signatures of the place say what is true. */
  private readonly trust: EpochTrust | null
  private readonly confirming: Confirming | null
  private reader: ChannelReader
  private ticket: Uint8Array | null = null
  private snapshot = { id: 0n, state: EMPTY as Uint8Array }
  private readUntil = 0n
  private grownBy = 0
  private entering: AbortController | null = null
  private timer: Timer | null = null
  private failures = 0
  private closed = false

  /** Goes on with what was kept. Throws STATE_UNREADABLE. */
  constructor(options: PlaceGuestOptions) {
    const { random, store, name, place, clock } = options
    this.options = options
    const trust = options.isDeniable ? new EpochTrust(place, clock) : null
    this.trust = trust
    const memory = readMemory(store, name)
    this.secret = memory?.agreement ?? random.bytes(KEY_SIZE)
    this.agreement = AgreementKey.fromSecret(this.secret)
    this.reader = this.newReader()
    this.tree = new TreeMember({
      ...options,
      ticket: () => this.ticket!,
      ...(trust && { trust, ticketKey: () => trust.ticketKey }),
      unsure: () => this.confirm(),
      grown: () => this.read(),
      refused: why => this.outdated(why),
      moved: isAttached => {
        options.events.attached(isAttached)
        this.compare()
      },
    })
    this.confirming =
      trust &&
      new Confirming({
        ...{ place, clock, random, trust, history: this.tree.history },
        ask: (body, answer, signal) => this.askHost(body, answer, signal),
        vouched: () => this.tree.vouched(),
        outdated: why => this.outdated(why),
      })
    if (memory) {
      for (const [generation, key] of memory.keys) this.keys.set(generation, key)
      this.ticket = memory.ticket
      this.begin(memory.snapshot)
    }
  }

  get state(): ChannelReader['state'] {
    return this.reader.state
  }

  /** Whether the host has let us in, as far as we know. */
  get isIn(): boolean {
    return this.ticket !== null
  }

  /** The first fragment that is kept, or would be. */
  get first(): bigint {
    return this.tree.history.first
  }

  /** The last fragment we have. */
  get last(): bigint {
    return this.tree.history.head.id
  }

  /** How many hang below us. */
  get childCount(): number {
    return this.tree.children.size
  }

  /** Enters, or goes on where we were. */
  enter(): void {
    if (this.ticket) {
      this.options.events.entered()
      if (this.closed) return
      this.tree.attach([])
      this.confirm()
    } else this.ask()
  }

  /** Somebody wants to hang below us. */
  accept(link: Link): void {
    this.tree.accept(link)
  }

  /** What was said, as far as we have it and may read it. */
  messages(query: HistoryQuery): Message[] {
    const { place } = this.options
    return replay(this.tree.history, { place, keys: this.keys, agreement: this.agreement }, query)
  }

  /**
   * Has the host say something to all. Once, however often it is tried. Fails with what the host says
   * (NOT_PERMITTED, TALK_TOO_FAST, INPUT_INVALID, STATE_UNWRITABLE), CHANNEL_CLOSED and the like; with the
   * latter it may have been said all the same, and the tag lets one try again.
   */
  async talk(saying: Saying, tag = this.options.random.bytes(TAG_SIZE)): Promise<void> {
    const { method, entity = [], data = EMPTY } = saying
    const parts = frameParts({ method, entity, data, flags: 0, stateDelta: STATELESS })
    const body = PlaceTalk.encode({ place: this.options.place, tag, parts })
    const answer = await this.askHost(body, message =>
      message.is === 'PLACE_TALKED' ? message.value.status : null,
    )
    if (answer !== TALKED.done) throw refusalOf(answer)
  }

  /** Leaves for good: the host is told, and what we know stays. */
  async leave(): Promise<void> {
    this.tree.detach()
    this.ticket = null
    this.remember()
    const body = PlaceLeave.encode({ place: this.options.place })
    await this.askHost(body, () => null).catch((error: unknown) => {
      // The host closes when it has heard it.
      if (!(error instanceof BoxError) || error.code !== 'CHANNEL_CLOSED') throw error
    })
  }

  close(): void {
    this.closed = true
    this.entering?.abort(new BoxError('ENGINE_CLOSED'))
    this.confirming?.close()
    this.timer?.cancel()
    this.tree.close()
  }

  private newReader(): ChannelReader {
    const { place } = this.options
    return new ChannelReader({ place, keys: this.keys, agreement: this.agreement })
  }

  /** Takes a state for granted, and reads on from there without telling anybody. */
  private begin({ id, state }: { readonly id: bigint; readonly state: Uint8Array }): void {
    this.snapshot = { id, state }
    this.grownBy = this.tree.history.sizeSince(id)
    this.reader = this.newReader()
    if (state.length > 0) this.reader.state.apply(unpackState(state))
    for (const fragment of this.tree.history.from(id + 1n)) this.reader.take(fragment)
    this.readUntil = id > this.last ? id : this.last
  }

  private read(): void {
    for (const fragment of this.tree.history.from(this.readUntil + 1n)) {
      this.readUntil = fragment.id
      this.grownBy += fragment.raw.length
      const message = this.reader.take(fragment)
      if (message) this.options.events.said(message)
    }
    if (this.grownBy > CHECKPOINT_SIZE) this.checkpoint()
    if (!this.isAsEntered()) return
    // A key came that was not for us: we are out, or another process of ours has entered since.
    if (this.reader.locked > 0) this.outdated('forgotten')
    else this.compare()
  }

  private compare(): void {
    if (!this.closed && this.tree.isCurrent) this.options.events.current?.()
  }

  /** Writes down how it is now, unless a message has only begun. Throws STATE_UNWRITABLE. */
  checkpoint(): void {
    if (this.reader.isOpen) return
    this.snapshot = { id: this.readUntil, state: packState(this.state.snapshot()) }
    this.remember()
  }

  private remember(): void {
    const { store, name } = this.options
    writeMemory(store, name, {
      ...{ keys: this.keys.entries(), snapshot: this.snapshot },
      ...{ members: [], nextSerial: 0n, revoked: [] },
      ...{ agreement: this.secret, ticket: this.ticket },
    })
    this.grownBy = 0
  }

  /** The tree does not want us as we are: the host must say what we are. */
  private outdated(why: 'ticket' | 'forgotten'): void {
    this.tree.detach()
    if (this.entering || this.closed) return
    this.ask(why === 'forgotten')
  }

  private ask(isBehind = false): void {
    const { clock, random } = this.options
    const abort = new AbortController()
    this.entering = abort
    this.askToEnter(abort.signal, isBehind).then(
      isIn => {
        if (this.entering !== abort || this.closed) return
        this.entering = null
        this.failures = 0
        if (isIn) return
        this.ticket = null
        this.remember()
        this.options.events.refused()
      },
      (error: unknown) => {
        if (this.entering !== abort || this.closed) return
        // A host that talks nonsense is asked again as one that is silent.
        if (!(error instanceof BoxError) && !(error instanceof WireError)) throw error
        this.entering = null
        const ms = Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** this.failures++)
        this.timer = clock.after(ms / 2 + random.below(ms), () => this.ask(isBehind))
      },
    )
  }

  private async askToEnter(signal: AbortSignal, isBehind: boolean): Promise<boolean> {
    const { place, self, request } = this.options
    const { method, entity = [], data = EMPTY } = request
    const parts = frameParts({ method, entity, data, flags: 0, stateDelta: STATELESS })
    const body = PlaceEnter.encode({ place, self, parts, agreement: this.agreement.publicKey })
    const entry = new Entry()
    const askedAt = momentOf(this.options.clock)
    const admitted = await this.askHost(body, message => entry.take(message), signal)
    if (!admitted) return false
    if (!this.closed) this.admitted(admitted, isBehind, askedAt)
    return true
  }

  private admitted({ value, state, word }: Admission, isBehind: boolean, askedAt: Moment): void {
    const { history } = this.tree
    const told = new State()
    if (state.length > 0) told.apply(unpackState(state))
    if (modeIn(told) !== (this.trust ? 'deniable' : 'provable')) {
      this.dropOut(new BoxError('PLACE_MODE'))
      return
    }
    if ((word !== null) !== (this.trust !== null)) throw new BoxError('STATE_UNEXPECTED')
    this.keys.set(value.generation, value.key)
    this.ticket = value.ticket
    // Those who still find in the tree all that they lack, and may have it, read on: nothing is missed.
    const { since } = PlaceTicket.decode(value.ticket)
    const next = history.head.id + 1n
    const isTold = !word || word.startId < next
    const canReadOn = !isBehind && isTold && next > 1n && next >= value.first && next >= since
    if (!canReadOn) {
      history.begin({ id: value.startId, hash: value.startHash })
      this.begin({ id: value.id, state })
    }
    // What we have is not what the host says: we do not follow, and ask again later.
    if (word && this.trust?.hear(word, askedAt, history) !== 'ok')
      throw new BoxError('STATE_UNEXPECTED')
    this.remember()
    if (!this.isAsEntered()) return
    this.options.events.entered()
    // Whoever wanted the state alone has closed by now.
    if (!this.closed) this.tree.attach(value.relays)
  }

  /** Whether the place says that it is what we take it for; if not, nothing more is done there. */
  private isAsEntered(): boolean {
    const isSo = modeIn(this.state) === (this.trust ? 'deniable' : 'provable')
    if (!isSo) this.dropOut(new BoxError('PLACE_MODE'))
    return isSo
  }

  /** In a deniable place: has the host say what is true; unless it is about to, as we enter. */
  private confirm(): void {
    if (!this.entering) this.confirming?.begin()
  }

  private dropOut(reason: BoxError): void {
    this.tree.detach()
    this.options.events.refused(reason)
  }

  /** One question to the host, on a channel of its own; `answer` gives null until it is the answer. */
  private async askHost<T>(
    body: Uint8Array,
    answer: (message: EdgeMessage) => T | null,
    signal?: AbortSignal,
  ): Promise<T> {
    const { dial, host, clock } = this.options
    const abort = new AbortController()
    const timer = clock.after(ANSWER_MS, () => abort.abort(new BoxError('PEER_TIMEOUT')))
    signal?.addEventListener('abort', () => abort.abort(signal.reason), { once: true })
    let edge: Edge | null = null
    try {
      const opened = new Edge(await dial(host, abort.signal))
      edge = opened
      return await new Promise<T>((resolve, reject) => {
        if (abort.signal.aborted) reject(abort.signal.reason)
        abort.signal.addEventListener('abort', () => reject(abort.signal.reason), { once: true })
        opened.attach({
          message: message => {
            const got = answer(message)
            if (got !== null) resolve(got)
          },
          drained: () => {},
          closed: reject,
        })
        opened.send(body)
      })
    } finally {
      timer.cancel()
      edge?.close()
    }
  }
}
