/** The channels with contacts who are there: found, or accepted, proven, and kept while something goes over them. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { acceptHandshake, authenticate, type Session } from '../../src/box/handshake.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Resolver } from '../../src/gns/resolver.ts'
import type { Channel, Listening, Mesh } from '../../src/mesh/mesh.ts'
import type { Letter } from '../../src/social/letter.ts'
import type { Context } from '../context.ts'
import { search } from '../device-search.ts'
import { openResolver } from '../names.ts'
import { mustNotBeRevoked } from '../revoked-zones.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import { takeLetter } from './intake.ts'
import { TalkLink } from './link.ts'
import type { TalkMemory } from './memory.ts'
import type { People } from './people.ts'
import type { Correspondent } from './post.ts'
import { followContact, type RevokedZones } from './succession.ts'
import { type Tie, tieName } from './tie.ts'
import { lookFor } from './whereabouts.ts'

/** How long somebody is looked for in GNS; what was known before is tried then. */
const LOOK_MS = 5_000
/** Where they say to be, they answer within seconds. */
const DIRECT_MS = 12_000
const LINKS_MAX = 4
/** Each costs an exponentiation; more at once is an attack. */
const HANDSHAKES_MAX = 16
/** Of keys that follow each other within one search for somebody. */
const TURNS_MAX = 3
const NOTHING = new Uint8Array(0)

/** A letter came to this key of ours, sealed for the prekey of this hint. */
export interface Arrival {
  readonly tie: Tie
  readonly hint: Uint8Array
}

interface Reached {
  readonly session: Session
  readonly tie: Tie
}

export interface SwitchboardOptions {
  /** Its signal ends everything. */
  readonly context: Context
  readonly mesh: Mesh
  readonly book: ContactBook
  readonly people: People
  readonly revocations: RevokedZones
  /** Something has come from somebody, they have something, or they are there, or not any more. */
  readonly changed: (contact: Contact) => void
}

export class Switchboard {
  private readonly context: Context
  private readonly mesh: Mesh
  private readonly book: ContactBook
  private readonly people: People
  private readonly changed: (contact: Contact) => void
  private readonly links = new Map<string, readonly TalkLink[]>()
  private readonly listening = new Map<string, Listening & { readonly zone: ZoneKey }>()
  private readonly revocations: RevokedZones
  private meeting = 0

  constructor({ context, mesh, book, people, revocations, changed }: SwitchboardOptions) {
    this.context = context
    this.mesh = mesh
    this.book = book
    this.people = people
    this.revocations = revocations
    this.changed = changed
  }

  private get signal(): AbortSignal {
    return this.context.signal
  }

  /**
   * Contacts reach us from now on, each at a port that only they know; those who are none any more, no longer. Called
   * again when the list may be another one. Throws STATE_UNREADABLE.
   */
  listen(): void {
    const all = new Map<string, { readonly contact: Contact; readonly tie: Tie }>()
    for (const { contact, ties } of this.people.all())
      for (const tie of ties) all.set(tieName(tie.own.zone, contact.zone), { contact, tie })
    for (const [key, { zone, close }] of this.listening) {
      if (all.has(key)) continue
      close()
      this.listening.delete(key)
      for (const link of this.linksOf(zone)) if (link.name === key) link.close()
    }
    for (const [key, { contact, tie }] of all) {
      if (this.listening.has(key)) continue
      const { zone } = contact
      const { close } = this.mesh.listen(
        tie.bond.port(tie.own.zone),
        channel => void this.meet(channel, zone, tie),
      )
      this.listening.set(key, { zone, close })
    }
  }

  isLinked(zone: ZoneKey): boolean {
    return this.linksOf(zone).length > 0
  }

  close(): void {
    for (const one of this.listening.values()) one.close()
    this.listening.clear()
    for (const link of [...this.links.values()].flat()) link.close()
  }

  /**
   * Takes a letter that came over a relay, to this key of ours: see takeLetter. One may be from the key that they had
   * when it was left; one from a revoked key is passed over. Fails with NOT_PERMITTED where they are no contact any more.
   */
  async take(from: Correspondent, letter: Letter, { tie, hint }: Arrival): Promise<void> {
    const { output, log } = this.context
    if (this.revocations.isRevoked(from.contact.zone)) {
      // Whoever has stolen the key can write such letters, too.
      log.note('warn', 'talk', 'letter of a revoked key', {})
      output.remark(`A letter from ${from.contact.name} is not taken: their key is revoked.`)
      return
    }
    await this.takeFrom(this.book.findEver(from.contact.zone), from, letter, hint)
    await this.shown(from.contact, tie)
  }

  private async takeFrom(
    contact: Contact | null,
    from: Correspondent,
    letter: Letter,
    hint: Uint8Array | null,
  ): Promise<void> {
    if (!contact) throw new BoxError('NOT_PERMITTED')
    const { context, book } = this
    const { memory } = from
    const own = context.ego().secret.zone
    const follow = (chain: Uint8Array) => this.follow({ contact, memory }, chain)
    const taken = await takeLetter({ own, book, memory, contact, follow }, letter, hint)
    if (taken === 'new') this.changed(contact)
  }

  /** They say that they have another key; whether we know them by it from now on. Fails as followContact. */
  private async follow(
    who: { readonly contact: Contact; readonly memory: TalkMemory },
    chain: Uint8Array,
  ): Promise<boolean> {
    const { context, book, revocations } = this
    const isFollowed = await followContact({ context, book, revocations }, who, chain)
    if (isFollowed) {
      // By the new key they reach us at once; by the one before nobody does any more.
      if (this.listening.size > 0) this.listen()
      this.changed(who.contact)
    }
    return isFollowed
  }

  /** They have shown that they know this key of ours: they need not hear of it. */
  private async shown({ zone }: Contact, { own, chain }: Tie): Promise<void> {
    const { former } = this.context.ego()
    const contact = this.book.find(zone)
    if (chain.length > 0 || former.length === 0 || !contact) return
    if (contact.knowsUs && equalBytes(contact.knowsUs, own.zone)) return
    await this.book.knowsUsBy(zone, own.zone)
    if (this.listening.size > 0) this.listen()
  }

  private linksOf(zone: ZoneKey): readonly TalkLink[] {
    return this.links.get(zoneToText(zone)) ?? []
  }

  /** The link there is, or a new one where they are there; null where they are not. */
  async linkTo(to: Correspondent): Promise<TalkLink | null> {
    for (let turn = 0; turn < TURNS_MAX; turn++) {
      const one = this.people.of(to.contact)
      const known = this.linksOf(one.contact.zone).at(-1)
      if (known) return known
      try {
        const reached = await this.reachOut(one)
        if (reached !== 'followed') return await this.linked(reached.session, reached.tie)
      } catch (error) {
        this.signal.throwIfAborted()
        if (!(error instanceof BoxError) || error.family === 'setup') throw error
        this.context.log.note('info', 'talk', 'not there', { code: error.code })
        return null
      }
    }
    return null
  }

  /** By whichever key of ours they know us, whichever way is quickest. Fails with why none leads there. */
  private async reachOut(to: Correspondent): Promise<Reached | 'followed'> {
    mustNotBeRevoked(this.revocations, to.contact)
    const over = new AbortController()
    const signal = AbortSignal.any([this.signal, over.signal])
    const resolver = openResolver(this.mesh, this.context.clock, this.context.ego(), [])
    try {
      return await Promise.any(
        to.ties.map(async tie => {
          const reached = await this.reachBy(to, tie, resolver, signal)
          if (reached !== 'followed' && signal.aborted) {
            reached.session.channel.close()
            throw new BoxError('CHANNEL_CLOSED')
          }
          over.abort(new BoxError('CHANNEL_CLOSED'))
          return reached
        }),
      )
    } catch (error) {
      const all: readonly unknown[] = error instanceof AggregateError ? error.errors : [error]
      throw all.find(one => !(one instanceof BoxError) || one.family === 'setup') ?? all[0]
    } finally {
      resolver.close()
    }
  }

  private async reachBy(
    to: Correspondent,
    tie: Tie,
    resolver: Resolver,
    signal: AbortSignal,
  ): Promise<Reached | 'followed'> {
    const { contact } = to
    const { bond } = tie
    const said = await lookFor(resolver, bond, { signal, timeoutMs: LOOK_MS })
    // That they are not there for one key of ours says nothing where they may know us by another.
    const isSaid = said.where !== undefined && (said.where !== null || to.ties.length === 1)
    await this.book.remember(contact.zone, {
      ...(isSaid && { where: said.where }),
      ...(said.relays && { relays: said.relays }),
    })
    if (await this.follow(to, said.chain)) return 'followed'
    const where = said.where === undefined ? this.book.find(contact.zone)?.where : said.where
    if (!where) throw new BoxError('PEER_UNREACHABLE', `${contact.name} says to be nowhere.`)
    const { met } = await search({ ...this.context, signal }, resolver, {
      called: contact.name,
      name: { labels: [bond.label('where', contact.zone)], zone: contact.zone },
      zone: contact.zone,
      port: bond.port(contact.zone),
      known: where,
      timeoutMs: DIRECT_MS,
      meet: (channel, until) => this.proven(channel, contact, tie, until),
    })
    if (!(await this.follow(to, met.chain))) return { session: met, tie }
    met.channel.close()
    return 'followed'
  }

  private proven(
    channel: Channel,
    { zone }: Contact,
    { own, chain }: Tie,
    signal: AbortSignal,
  ): Promise<Session> {
    const { clock, random } = this.context
    const self = this.mesh.self
    return authenticate(channel, {
      ...{ self, purpose: 'talk', own, device: zone, clock, random, signal, payload: chain },
    })
  }

  /** Somebody wants to talk to us, at the port of this contact and of a key of ours. */
  private async meet(channel: Channel, zone: ZoneKey, tie: Tie): Promise<void> {
    if (this.meeting >= HANDSHAKES_MAX) {
      channel.close()
      return
    }
    this.meeting++
    const { clock, random, log } = this.context
    const { own, chain } = tie
    try {
      const session = await acceptHandshake(channel, {
        ...{ self: this.mesh.self, purpose: 'talk', own, chain },
        ...{ clock, random, signal: this.signal },
        admit: proven =>
          equalBytes(proven, zone) && !this.revocations.isRevoked(zone)
            ? { payload: NOTHING }
            : { refused: 'NOT_PERMITTED' },
      })
      const contact = this.book.find(zone)
      const isFollowed =
        contact !== null && (await this.follow(this.people.of(contact), session.payload))
      // They come again by the new key: whoever has the one before is not believed to be them any more.
      if (isFollowed) session.channel.close()
      else await this.linked(session, tie)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'talk', 'not served', { reason: error.code })
    } finally {
      this.meeting--
    }
  }

  private async linked({ channel, peerZone }: Session, tie: Tie): Promise<TalkLink | null> {
    const contact = this.book.find(peerZone)
    const there = this.linksOf(peerZone)
    if (!contact || this.signal.aborted || there.length >= LINKS_MAX) {
      channel.close()
      return null
    }
    const one = this.people.of(contact)
    const key = zoneToText(peerZone)
    const name = tieName(tie.own.zone, peerZone)
    const link: TalkLink = new TalkLink(channel, this.context.clock, name, {
      take: letter => this.takeFrom(this.book.find(peerZone), one, letter, null),
      heard: number => this.heard(one, number),
      closed: () => {
        const rest = this.linksOf(peerZone).filter(other => other !== link)
        if (rest.length > 0) this.links.set(key, [...rest])
        else this.links.delete(key)
        this.changed(contact)
      },
    })
    this.links.set(key, [...there, link])
    this.changed(contact)
    await this.shown(contact, tie)
    const { owed, unheard, isAgain } = one.memory.read()
    for (const number of owed) link.acknowledge(number)
    // They send what we have not said to have over this link in any case.
    if (owed.length > 0 || isAgain)
      await one.memory.change(state => [
        undefined,
        {
          ...state,
          owed: state.owed.filter(number => !owed.includes(number)),
          isAgain: false,
        },
      ])
    link.send(unheard)
    return link
  }

  private heard({ memory, contact }: Correspondent, number: number): void {
    memory.heard([number]).then(
      () => this.changed(contact),
      error => {
        // It is sent again, and said to be there again.
        if (!(error instanceof BoxError)) throw error
      },
    )
  }
}
