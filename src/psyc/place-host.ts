/**
 * The host of a place: the only one who adds to its chain. It lets people in and out, makes the keys of the
 * group, says what is to be said, and passes on what members say where its rules allow it.
 *
 * In a deniable place it signs with keys that it gives away later (host-epochs.ts).
 *
 * What it has said is on its disk before anybody hears it; a host that was killed goes on where it was.
 */

import { equalBytes, keyOf } from '../base/bytes.ts'
import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { Store } from '../base/store.ts'
import type { SigningKey } from '../crypto/signing.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import {
  ChannelReader,
  contentsOf,
  type HistoryQuery,
  type Message,
  replay,
  type Saying,
} from './channel.ts'
import { Children, FANOUT } from './children.ts'
import type { TreeNode } from './edge.ts'
import { type Fragment, type Head, KIND, makeFragment } from './fragment.ts'
import { KeyRing, sealContent, sealRekey } from './group-key.ts'
import { HISTORY_SIZE_MAX, History, type Ledger } from './history.ts'
import { HostEpochs, type KeptEpochs } from './host-epochs.ts'
import { memberChange, memberSuccession, membersIn } from './member-list.ts'
import { type Member, packState, readMemory, unpackState, writeMemory } from './memory.ts'
import { keepingMode, modeIn, modeModifier, type PlaceRules } from './mode.ts'
import { modifier } from './packet.ts'
import { SaidBook } from './said-book.ts'
import { makeTicket } from './ticket.ts'
import type { Word } from './trust.ts'
import type { Welcome } from './welcome.ts'

/** A new key is sealed to each member in one cell; more is for trees of places. */
export const MEMBERS_MAX = 1_000
/** A ticket lets somebody read for so long after the host was last asked. */
export const TICKET_MS = 7 * 24 * 3_600_000
/** Void tickets that relays must still hear of; older ones have run out. */
const REVOKED_MAX = 512
/** The state is written down when the chain has grown by this share of the history, long before that forgets it. */
const CHECKPOINT_SHARE = 8
const KEY_SIZE = 32
const ZONE_SIZE = 36

export interface PlaceHostOptions {
  readonly key: SigningKey
  readonly self: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  /** The name of our memory in the store. */
  readonly name: string
  readonly ledger: Ledger
  readonly rules: PlaceRules
  readonly fanout?: number
  /** Of the children, how many may be of one zone. */
  readonly perZoneMax?: number
  /** Children beyond the fan-out, where no member takes them. Absent: none. */
  readonly overflowMax?: number
  /** What a zone is called here, which then goes with what it says, comes and leaves (`_nick…`); '' for nothing. */
  readonly nickOf?: (zone: ZoneKey) => string
  /** Bytes of history that are kept. */
  readonly historySize?: number
}

export class PlaceHost {
  readonly children: Children
  readonly place: Uint8Array
  private readonly options: PlaceHostOptions
  private readonly keys = new KeyRing()
  private readonly history: History
  private readonly reader: ChannelReader
  private members = new Map<string, Member>()
  private nextSerial = 1n
  private revoked: bigint[] = []
  private snapshot = { id: 0n, state: new Uint8Array(0) as Uint8Array }
  private grownBy = 0
  private readonly said = new SaidBook()
  private epochs: HostEpochs | null = null

  /** Goes on with what was kept, or begins. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  constructor(options: PlaceHostOptions) {
    const { key, self, clock, ledger, fanout = FANOUT, historySize } = options
    const { perZoneMax, overflowMax } = options
    this.options = options
    this.place = key.publicKey
    this.history = new History(this.place, ledger, historySize, { isPrecious: true })
    this.reader = new ChannelReader({ place: this.place, keys: this.keys, agreement: null })
    this.children = new Children({
      ...{ place: this.place, clock, history: this.history, fanout },
      ...{ ...(perZoneMax && { perZoneMax }), ...(overflowMax && { overflowMax }) },
      ticketKey: () => this.epochs?.ticketKey.publicKey ?? this.place,
      ancestors: () => [self],
      others: () => [],
    })
    try {
      this.recall()
    } catch (error) {
      this.close()
      throw error
    }
  }

  /** The last fragment. */
  get last(): bigint {
    return this.history.head.id
  }

  get state(): ChannelReader['state'] {
    return this.reader.state
  }

  zones(): readonly ZoneKey[] {
    return [...this.members.values()].map(({ zone }) => zone)
  }

  isMember(zone: ZoneKey): boolean {
    return this.members.has(keyOf(zone))
  }

  /**
   * Says it to all members; when this returns it is on the disk. Throws WireError where it does not fit the
   * state, LIMIT_EXCEEDED, STATE_UNWRITABLE.
   */
  announce(saying: Saying): void {
    this.check(saying)
    const whole = this.epochs ? keepingMode(saying, 'deniable') : saying
    try {
      for (const plain of contentsOf(whole, this.options.clock.now())) this.addContent(plain)
      if (this.grownBy > (this.options.historySize ?? HISTORY_SIZE_MAX) / CHECKPOINT_SHARE)
        this.remember()
    } finally {
      // What is in the chain is said, also where the disk was full for what comes after.
      this.children.pump()
    }
  }

  /** Whether what a member asked to be said has been said. */
  hasSaid(author: ZoneKey, tag: Uint8Array): boolean {
    return this.said.has(author, tag)
  }

  /** Says what a member asked to be said, once. Throws as announce. */
  relay(author: ZoneKey, tag: Uint8Array, { method, entity = [], data }: Saying): void {
    if (this.hasSaid(author, tag)) return
    const nick = this.options.nickOf?.(author) ?? ''
    const origin = [
      modifier(':', '_nym_author', encodeBase32(author)),
      modifier(':', '_tag_relay', encodeBase32(tag)),
      ...(nick === '' ? [] : [modifier(':', '_nick_author', nick)]),
    ]
    this.announce({ method, entity: [...origin, ...entity], ...(data && { data }) })
  }

  /** Lets somebody in, or in again. Throws LIMIT_EXCEEDED, STATE_UNWRITABLE. */
  admit(zone: ZoneKey, agreement: Uint8Array): void {
    const known = this.members.get(keyOf(zone))
    if (known) {
      if (equalBytes(known.agreement, agreement)) return
      this.members.set(keyOf(zone), { ...known, agreement: agreement.slice() })
      this.remember()
      return
    }
    if (this.members.size >= MEMBERS_MAX)
      throw new BoxError('LIMIT_EXCEEDED', `The place has ${MEMBERS_MAX} members already.`)
    const since = this.options.rules.isHistoryOpen ? this.history.first : this.last + 2n
    const member = { zone, agreement: agreement.slice(), serial: this.nextSerial++, since }
    this.members.set(keyOf(zone), member)
    this.rekey([], null)
    this.notice('_notice_place_enter', zone, '+')
    this.children.pump()
  }

  /**
   * Puts somebody out, or lets them go; false where they are not in. What is said from now on they cannot
   * read. The others hear it as `method`, which inherits from `_notice_place_leave`.
   */
  dismiss(zone: ZoneKey, method = '_notice_place_leave'): boolean {
    const member = this.members.get(keyOf(zone))
    if (!member) return false
    this.members.delete(keyOf(zone))
    this.revoked = [...this.revoked, member.serial].slice(-REVOKED_MAX)
    this.rekey([member.serial], this.agreements())
    this.notice(method, zone, '-')
    this.children.revoke([member.serial])
    this.children.pump()
    return true
  }

  /**
   * Somebody has another key, and is a member by it from now on, who reads on where they were; with the one before,
   * nobody reads what is said from now on. False where that is no member's. Throws as dismiss.
   */
  succeed(before: ZoneKey, after: ZoneKey): boolean {
    const member = this.members.get(keyOf(before))
    if (!member) return false
    if (this.isMember(after)) return this.dismiss(before)
    this.members.delete(keyOf(before))
    this.members.set(keyOf(after), { ...member, zone: after, serial: this.nextSerial++ })
    this.revoked = [...this.revoked, member.serial].slice(-REVOKED_MAX)
    this.rekey([member.serial], this.agreements())
    if (this.options.rules.announcesMembers) {
      const nick = this.options.nickOf?.(after) ?? ''
      const entity = memberSuccession(before, after, nick)
      this.announce({ method: '_notice_place_key', entity })
    }
    this.children.revoke([member.serial])
    this.children.pump()
    return true
  }

  /** What somebody gets who has been let in; null for those who have not. */
  welcome(zone: ZoneKey): Welcome | null {
    const member = this.members.get(keyOf(zone))
    if (!member) return null
    const { key, clock, rules } = this.options
    const { serial, since } = member
    const until = clock.now() + TICKET_MS
    return {
      ticket: makeTicket(this.epochs?.ticketKey ?? key, zone, { serial, since, until }, this.place),
      generation: this.keys.current,
      key: this.keys.get(this.keys.current)!,
      head: this.history.head,
      start: rules.isHistoryOpen ? this.beginning() : this.history.head,
      first: this.history.first,
      state: packState(this.state.snapshot()),
    }
  }

  /** A ticket for somebody who hands on and reads nothing. Throws STATE_UNWRITABLE. */
  ticketForRelay(zone: ZoneKey): Uint8Array {
    const { key, clock } = this.options
    const serial = this.nextSerial++
    this.remember()
    const ticket = { serial, since: 1n, until: clock.now() + TICKET_MS }
    return makeTicket(this.epochs?.ticketKey ?? key, zone, ticket, this.place)
  }

  /** What is true of the chain, for one who lacks everything from `next` on; null where signatures say it. */
  word(next: bigint): Word | null {
    return this.epochs?.word(next) ?? null
  }

  messages(query: HistoryQuery): Message[] {
    return replay(this.history, { place: this.place, keys: this.keys, agreement: null }, query)
  }

  close(): void {
    this.epochs?.close()
    this.children.close()
  }

  private beginning(): Head {
    if (this.epochs) return this.epochs.beginning
    const first = this.history.get(this.history.first)
    return first ? { id: first.id - 1n, hash: first.previous } : this.history.head
  }

  private newEpochs(kept: KeptEpochs | null): HostEpochs | null {
    const { clock, random, rules, name } = this.options
    if ((kept !== null) !== (rules.isDeniable ?? false) && this.last > 0n)
      throw new BoxError('STATE_UNREADABLE', `A place (${name}) is of another mode than it was.`)
    if (!rules.isDeniable) return null
    const options = {
      ...{ clock, random, history: this.history },
      add: (kind: number, body: Uint8Array) => this.add(kind, this.keys.current, () => body),
      remember: () => this.remember(),
      grown: () => this.children.pump(),
    }
    return new HostEpochs(options, kept)
  }

  /** The mode stands in the state, which each newcomer gets whole. */
  private sayMode(): void {
    const { isDeniable = false } = this.options.rules
    if (isDeniable && modeIn(this.state) !== 'deniable')
      this.announce({ method: '_notice_place_mode', entity: [modeModifier('deniable')] })
  }

  private agreements(): Uint8Array[] {
    return [...this.members.values()].map(({ agreement }) => agreement)
  }

  /** A message that would not fit the state must not be in the chain: it is tried on a copy. */
  private check({ entity = [], reset = false }: Saying): void {
    if (!reset && entity.every(({ operator }) => operator === ':')) return
    this.state.check({ sync: reset ? 'reset' : null, entity })
  }

  private notice(method: string, zone: ZoneKey, operator: '+' | '-'): void {
    if (!this.options.rules.announcesMembers) return
    const nick = this.options.nickOf?.(zone) ?? ''
    this.announce({ method, entity: memberChange(operator, zone, nick) })
  }

  /** A new generation: first on the disk, then in the chain. */
  private rekey(revoked: readonly bigint[], members: readonly Uint8Array[] | null): void {
    const old = this.keys.current
    this.keys.set(old + 1, this.options.random.bytes(KEY_SIZE))
    this.remember()
    this.addRekey(old + 1, revoked, members)
  }

  private addRekey(
    generation: number,
    revoked: readonly bigint[],
    members: readonly Uint8Array[] | null,
  ): void {
    const { random, rules } = this.options
    const body = sealRekey({
      ...{ random, place: this.place, generation, members, revoked },
      key: this.keys.get(generation)!,
      old: this.keys.get(generation - 1),
      isHistoryOpen: rules.isHistoryOpen,
    })
    this.add(KIND.rekey, generation, () => body)
  }

  private addContent(plain: Uint8Array): void {
    const generation = this.keys.current
    const key = this.keys.get(generation)!
    this.add(KIND.content, generation, head => sealContent(key, this.place, head, plain))
  }

  private add(
    kind: number,
    generation: number,
    bodyOf: (head: Pick<Fragment, 'id' | 'kind' | 'generation' | 'previous'>) => Uint8Array,
  ): void {
    const { id, hash: previous } = this.history.head
    const head = { id: id + 1n, kind, generation, previous }
    const signer = this.epochs?.signer ?? this.options.key
    const fragment = makeFragment(signer, { ...head, body: bodyOf(head) }, this.place)
    this.history.append(fragment)
    if (kind < KIND.epoch) this.epochs?.used()
    this.grownBy += fragment.raw.length
    this.said.note(this.reader.take(fragment))
  }

  private remember(): void {
    const { store, name } = this.options
    // Within a message the state is that before it, and reading must begin there again.
    if (!this.reader.isOpen)
      this.snapshot = { id: this.last, state: packState(this.state.snapshot()) }
    writeMemory(store, name, {
      keys: this.keys.entries(),
      snapshot: this.snapshot,
      members: [...this.members.values()],
      nextSerial: this.nextSerial,
      revoked: this.revoked,
      agreement: null,
      ticket: null,
      epochs: this.epochs?.kept,
    })
    this.grownBy = 0
  }

  private recall(): void {
    const { store, name } = this.options
    const memory = readMemory(store, name)
    if (this.history.damaged || (!memory && this.last > 0n))
      throw new BoxError('STATE_UNREADABLE', `The chain of a place (${name}) is damaged.`)
    this.epochs = this.newEpochs(memory?.epochs ?? null)
    if (!memory) {
      this.rekey([], null)
      this.sayMode()
      return
    }
    for (const [generation, key] of memory.keys) this.keys.set(generation, key)
    this.members = new Map(memory.members.map(member => [keyOf(member.zone), member]))
    this.nextSerial = memory.nextSerial
    this.revoked = [...memory.revoked]
    this.snapshot = { ...memory.snapshot }
    if (memory.snapshot.id > this.last)
      throw new BoxError('STATE_UNREADABLE', `The chain of a place (${name}) has lost its end.`)
    this.reread(memory.snapshot)
    this.children.revoke(this.revoked)
    this.epochs?.start()
    this.sayMode()
    this.relist()
  }

  /** Says who came or went when the host died before it could. */
  private relist(): void {
    const listed = new Set(membersIn(this.state).map(({ nym }) => nym))
    for (const zone of this.zones())
      if (!listed.delete(encodeBase32(zone))) this.notice('_notice_place_enter', zone, '+')
    for (const nym of listed)
      this.notice('_notice_place_leave', zoneKey(decodeBase32(nym, ZONE_SIZE)), '-')
  }

  /** Brings state and chain to where they were, and repairs what a crash has left half done. */
  private reread({ id, state }: { readonly id: bigint; readonly state: Uint8Array }): void {
    if (state.length > 0) this.state.apply(unpackState(state))
    for (const message of this.messages({})) this.said.note(message)
    let generation = 0
    for (const fragment of this.history.from(this.history.first)) {
      generation = fragment.generation
      if (fragment.id > id) this.reader.take(fragment)
    }
    if (generation < this.keys.current)
      this.addRekey(this.keys.current, this.revoked, this.agreements())
    // Half of a message was said: the next begins anew, and readers pass the half over.
    // However seldom it runs for long: what has grown since the state was written down, counts.
    this.grownBy = this.history.sizeSince(id)
  }
}
