/** The channels with contacts who are there: found, or accepted, proven, and kept while something goes over them. */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { acceptHandshake, authenticate, type Session } from '../../src/box/handshake.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel, Listening, Mesh } from '../../src/mesh/mesh.ts'
import type { Bond } from '../../src/social/bond.ts'
import type { Letter } from '../../src/social/letter.ts'
import type { Context } from '../context.ts'
import { search } from '../device-search.ts'
import { openResolver } from '../names.ts'
import type { Contact, ContactBook } from './contact-book.ts'
import { takeLetter } from './intake.ts'
import { TalkLink } from './link.ts'
import type { People } from './people.ts'
import type { Correspondent } from './post.ts'
import { lookFor } from './whereabouts.ts'

/** How long somebody is looked for in GNS; what was known before is tried then. */
const LOOK_MS = 5_000
/** Where they say to be, they answer within seconds. */
const DIRECT_MS = 12_000
const LINKS_MAX = 4
/** Each costs an exponentiation; more at once is an attack. */
const HANDSHAKES_MAX = 16
const NOTHING = new Uint8Array(0)

export interface SwitchboardOptions {
  /** Its signal ends everything. */
  readonly context: Context
  readonly mesh: Mesh
  readonly book: ContactBook
  readonly people: People
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
  private readonly listening = new Map<string, Listening & { readonly bond: Bond }>()
  private meeting = 0

  constructor({ context, mesh, book, people, changed }: SwitchboardOptions) {
    this.context = context
    this.mesh = mesh
    this.book = book
    this.people = people
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
    const all = new Map(this.people.all().map(one => [zoneToText(one.contact.zone), one]))
    for (const [key, listening] of this.listening) {
      if (all.get(key)?.bond === listening.bond) continue
      listening.close()
      this.listening.delete(key)
      for (const link of this.links.get(key) ?? []) link.close()
    }
    for (const [key, { bond, contact }] of all) {
      if (this.listening.has(key)) continue
      const { close } = this.mesh.listen(
        bond.port(bond.own),
        channel => void this.meet(channel, contact.zone),
      )
      this.listening.set(key, { bond, close })
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

  /** Takes a letter: see takeLetter. Fails with NOT_PERMITTED where they are no contact any more. */
  async take(from: Correspondent, letter: Letter, hint: Uint8Array | null): Promise<void> {
    const { book, context } = this
    const contact = book.find(from.contact.zone)
    if (!contact) throw new BoxError('NOT_PERMITTED')
    const own = context.ego().secret.zone
    const taken = await takeLetter({ own, book, memory: from.memory, contact }, letter, hint)
    if (taken === 'new') this.changed(contact)
  }

  private linksOf(zone: ZoneKey): readonly TalkLink[] {
    return this.links.get(zoneToText(zone)) ?? []
  }

  /** The link there is, or a new one where they are there; null where they are not. */
  async linkTo(to: Correspondent): Promise<TalkLink | null> {
    const known = this.linksOf(to.contact.zone).at(-1)
    if (known) return known
    const { contact, bond } = to
    const resolver = openResolver(this.mesh, this.context.clock, this.context.ego(), [])
    try {
      const { signal } = this
      const said = await lookFor(resolver, bond, { signal, timeoutMs: LOOK_MS })
      await this.book.remember(contact.zone, {
        ...(said.where !== undefined && { where: said.where }),
        ...(said.relays && { relays: said.relays }),
      })
      const where = this.book.find(contact.zone)?.where
      if (!where) return null
      const { met } = await search(this.context, resolver, {
        called: contact.name,
        name: { labels: [bond.label('where', contact.zone)], zone: contact.zone },
        zone: contact.zone,
        port: bond.port(contact.zone),
        known: where,
        timeoutMs: DIRECT_MS,
        meet: (channel, until) => this.proven(channel, contact, until),
      })
      return await this.linked(met)
    } catch (error) {
      this.signal.throwIfAborted()
      if (!(error instanceof BoxError) || error.family === 'setup') throw error
      this.context.log.note('info', 'talk', 'not there', { code: error.code })
      return null
    } finally {
      resolver.close()
    }
  }

  private proven(channel: Channel, { zone }: Contact, signal: AbortSignal): Promise<Session> {
    const { clock, random } = this.context
    const own = this.context.ego().secret
    const self = this.mesh.self
    return authenticate(channel, {
      ...{ self, purpose: 'talk', own, device: zone, clock, random, signal },
    })
  }

  /** Somebody wants to talk to us, at the port of this contact. */
  private async meet(channel: Channel, contact: ZoneKey): Promise<void> {
    if (this.meeting >= HANDSHAKES_MAX) {
      channel.close()
      return
    }
    this.meeting++
    const { clock, random, log } = this.context
    try {
      const session = await acceptHandshake(channel, {
        ...{ self: this.mesh.self, purpose: 'talk', own: this.context.ego().secret },
        ...{ clock, random, signal: this.signal },
        admit: zone =>
          equalBytes(zone, contact) ? { payload: NOTHING } : { refused: 'NOT_PERMITTED' },
      })
      await this.linked(session)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'talk', 'not served', { reason: error.code })
    } finally {
      this.meeting--
    }
  }

  private async linked({ channel, peerZone }: Session): Promise<TalkLink | null> {
    const contact = this.book.find(peerZone)
    const there = this.linksOf(peerZone)
    if (!contact || this.signal.aborted || there.length >= LINKS_MAX) {
      channel.close()
      return null
    }
    const one = this.people.of(contact)
    const key = zoneToText(peerZone)
    const link: TalkLink = new TalkLink(channel, this.context.clock, {
      take: letter => this.take(one, letter, null),
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
    const { owed, unheard } = one.memory.read()
    for (const number of owed) link.acknowledge(number)
    if (owed.length > 0)
      await one.memory.change(state => [
        undefined,
        { ...state, owed: state.owed.filter(number => !owed.includes(number)) },
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
