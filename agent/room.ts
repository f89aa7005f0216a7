/**
 * One room on its device: the host of the place, its door, and how much a member may say. Whoever is invited may
 * enter, speak and read; the device reads along, for it makes the keys.
 *
 * When the disk fails while somebody comes or goes, the room is begun anew from what is on it, as after a crash.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import type { Session } from '../src/box/handshake.ts'
import { sha256 } from '../src/crypto/hash.ts'
import { SigningKey } from '../src/crypto/signing.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { TreeNode } from '../src/psyc/edge.ts'
import type { Ledger } from '../src/psyc/history.ts'
import { nickChange } from '../src/psyc/member-list.ts'
import { modifier } from '../src/psyc/packet.ts'
import { PlaceDoor } from '../src/psyc/place-door.ts'
import { PlaceHost } from '../src/psyc/place-host.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { RoomAnswers } from './room-answers.ts'
import type { Invitation, RoomRecord } from './room-book.ts'
import { Allowance } from './talk-allowance.ts'

/** Bytes of history: about a thousand messages of a line. On disk it is up to four times as much. */
export const ROOM_HISTORY_SIZE = 1_048_576
/** Of the file that holds it. */
export const ROOM_LEDGER_SIZE = 4 * ROOM_HISTORY_SIZE
/** Those below whom nobody can hang are taken where no member takes them: people have a few programs each. */
const OVERFLOW_MAX = 252
const PROGRAMS_PER_PERSON_MAX = 8
/** A page of text, with what is around it. More is for files. */
const TALK_SIZE_MAX = 4_096 + 256
/** More than somebody types or pastes; less than wears out flash or pushes out what others said. */
const TALK = { burst: 20, everyMs: 2_000 }
/** A few programs that start at once. */
const VISITS = { burst: 60, everyMs: 1_000 }
/** Each may cost a write; whoever comes back has a ticket and does not ask. */
const ENTRIES = { burst: 10, everyMs: 30_000 }

/** An answer comes some time after the question: when tells nothing of what it took. */
const ANSWER_AFTER_MS = { least: 300, spread: 1_200 }
const ANSWER_LABEL = new TextEncoder().encode('secushare-box room answer 1')
const TAG_SIZE = 16

/** The names in the store of all that is kept of a room, its ledger aside. */
export const roomFile = (place: Uint8Array, isDeniable: boolean): string =>
  `${isDeniable ? 'deniable-' : ''}room-${encodeBase32(place)}`
export const ledgerFile = (place: Uint8Array, isDeniable: boolean): string =>
  `${roomFile(place, isDeniable)}.log`

export type OpenLedger = Ledger & { close(): void }

export interface RoomOptions {
  readonly self: TreeNode
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: Store
  readonly openLedger: (name: string, sizeMax: number) => OpenLedger
  /** What the device says when it is asked; null: nothing. */
  readonly answers: RoomAnswers | null
  /** The book has changed: it is written down. Throws STATE_UNWRITABLE, and then it has not. */
  readonly keep: (record: RoomRecord) => void
}

/** As `box-agent status --json` has it. */
export interface RoomTraffic {
  readonly name: string
  readonly members: number
  /** Programs to which this device hands on itself. */
  readonly direct: number
  /** So many there are, from the beginning of the room. */
  readonly fragments: string
  /** So many were handed on since the room came up; one to three programs counts three times. */
  readonly sent: number
}

/** The parts that live as long as the disk is well. */
interface Running {
  readonly host: PlaceHost
  readonly door: PlaceDoor
  readonly ledger: OpenLedger
}

export class Room {
  readonly place: Uint8Array
  record: RoomRecord
  private readonly key: SigningKey
  private readonly options: RoomOptions
  private readonly talk: Allowance
  private readonly visits: Allowance
  private readonly entries: Allowance
  private running: Running | null = null
  /** Answers that are about to be said. */
  private readonly answering = new Set<Timer>()

  /** Goes on with what was kept, or begins. What cannot be read is told when somebody comes. */
  constructor(record: RoomRecord, options: RoomOptions) {
    this.record = record
    this.options = options
    this.key = SigningKey.fromSeed(record.seed)
    this.place = this.key.publicKey
    this.talk = new Allowance(TALK, options.clock)
    this.visits = new Allowance(VISITS, options.clock)
    this.entries = new Allowance(ENTRIES, options.clock)
  }

  /** Brings it up where it is not. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  open(): PlaceHost {
    this.running ??= this.start()
    return this.running.host
  }

  isInvited(zone: ZoneKey): boolean {
    return this.invitation(zone) !== null
  }

  isMember(zone: ZoneKey): boolean {
    return this.running?.host.isMember(zone) ?? false
  }

  /** How it is handed on; null while it is not up. */
  traffic(): RoomTraffic | null {
    const host = this.running?.host
    if (!host) return null
    const { size: direct, sent } = host.children
    return {
      name: this.record.name,
      members: host.zones().length,
      direct,
      fragments: `${host.last}`,
      sent,
    }
  }

  /** Somebody who was let in at the port: what they want is for the door. */
  serve({ peerZone: zone, channel }: Session): void {
    if (!this.visits.take(zone)) {
      channel.close()
      return
    }
    try {
      this.open()
      this.running!.door.accept({ zone, channel })
    } catch (error) {
      channel.close()
      this.complain(error)
    }
  }

  /** Lets somebody enter, or calls them otherwise. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  invite(guest: Invitation, by: Invitation): void {
    const host = this.open()
    const before = this.invitation(guest.zone)
    if (before?.nick === guest.nick) return
    const others = this.record.invited.filter(one => one !== before)
    this.change({ ...this.record, invited: [...others, guest] })
    const nym = zoneToText(guest.zone)
    const isIn = host.isMember(guest.zone)
    host.announce({
      method: before ? '_notice_place_nick' : '_notice_place_invite',
      entity: [
        modifier(':', '_nym', nym),
        modifier(':', '_nym_author', zoneToText(by.zone)),
        ...(guest.nick === '' ? [] : [modifier(':', '_nick', guest.nick)]),
        ...(by.nick === '' ? [] : [modifier(':', '_nick_author', by.nick)]),
        ...(isIn ? [nickChange(guest.nick === '' ? '-' : '+', nym, guest.nick)] : []),
      ],
    })
  }

  /** Who was invited by one key is by another, and is in where they were. False where nobody was. Throws as invite. */
  succeed(before: ZoneKey, after: ZoneKey): boolean {
    const old = this.invitation(before)
    if (!old) return false
    const host = this.open()
    const isEither = ({ zone }: Invitation) => equalBytes(zone, before) || equalBytes(zone, after)
    const others = this.record.invited.filter(one => !isEither(one))
    this.change({ ...this.record, invited: [...others, { zone: after, nick: old.nick }] })
    try {
      host.succeed(before, after)
    } catch (error) {
      this.beginAnew(error)
      throw error
    }
    return true
  }

  /** The device says something itself, once for each tag. Throws as invite. */
  say(text: string, nick: string, tag: Uint8Array): void {
    const entity = [modifier(':', '_nick_author', nick)]
    const data = new TextEncoder().encode(text)
    this.open().relay(this.options.self.zone, tag, { method: '_message', entity, data })
  }

  /** Puts somebody out. Throws as invite; then it may be done again. */
  remove(zone: ZoneKey): void {
    this.dismiss(zone, '_notice_place_leave_removed')
  }

  close(): void {
    const { running } = this
    this.running = null
    for (const timer of this.answering) timer.cancel()
    this.answering.clear()
    running?.door.close()
    running?.host.close()
    running?.ledger.close()
  }

  private invitation(zone: ZoneKey): Invitation | null {
    return this.record.invited.find(one => equalBytes(one.zone, zone)) ?? null
  }

  /** First out of the place, then off the list: half done, it is done by doing it again. */
  private dismiss(zone: ZoneKey, method: string): void {
    const host = this.open()
    try {
      host.dismiss(zone, method)
    } catch (error) {
      this.beginAnew(error)
      throw error
    }
    const invited = this.record.invited.filter(one => !equalBytes(one.zone, zone))
    this.change({ ...this.record, invited })
  }

  private change(record: RoomRecord): void {
    this.options.keep(record)
    this.record = record
  }

  private start(): Running {
    const { self, clock, random, store, openLedger } = this.options
    const { isOpen, isDeniable } = this.record
    const ledger = openLedger(ledgerFile(this.place, isDeniable), ROOM_LEDGER_SIZE)
    try {
      const host = new PlaceHost({
        ...{ key: this.key, self, clock, random, store, ledger },
        name: roomFile(this.place, isDeniable),
        overflowMax: OVERFLOW_MAX,
        perZoneMax: PROGRAMS_PER_PERSON_MAX,
        historySize: ROOM_HISTORY_SIZE,
        rules: { isHistoryOpen: isOpen, announcesMembers: true, isDeniable },
        nickOf: zone => this.invitation(zone)?.nick ?? '',
      })
      return { host, ledger, door: this.newDoor(host) }
    } catch (error) {
      ledger.close()
      throw error
    }
  }

  private newDoor(host: PlaceHost): PlaceDoor {
    return new PlaceDoor({
      ...{ host, clock: this.options.clock },
      // Whoever comes too often hears nothing, and comes again later.
      door: ({ zone }, decide) => {
        if (!this.isInvited(zone)) decide(false)
        else if (this.entries.take(zone)) decide(true)
      },
      relayRules: new Map([['_message', true]]),
      allows: (zone, size) => {
        if (size > TALK_SIZE_MAX) return 'tooLong'
        return this.talk.take(zone) ? 'yes' : 'tooFast'
      },
      said: (zone, tag, { data }) => this.answer(zone, tag, data),
      leaves: zone => this.dismiss(zone, '_notice_place_leave'),
      failed: error => this.beginAnew(error),
    })
  }

  /** Whoever asks the device hears it in the room; once, however often the question was sent. */
  private answer(zone: ZoneKey, tag: Uint8Array, question: Uint8Array): void {
    const { answers, clock, random } = this.options
    const text = answers?.to(zone, new TextDecoder().decode(question)) ?? null
    if (!answers || text === null) return
    const own = sha256(ANSWER_LABEL, zone, tag).subarray(0, TAG_SIZE)
    const { least, spread } = ANSWER_AFTER_MS
    const timer = clock.after(least + random.below(spread), () => {
      this.answering.delete(timer)
      try {
        this.say(text, answers.name, own)
      } catch (error) {
        this.complain(error)
      }
    })
    this.answering.add(timer)
  }

  /** What is in memory may be ahead of the disk: what is on the disk counts. */
  private beginAnew(error: unknown): void {
    if (!(error instanceof BoxError) || error.code !== 'STATE_UNWRITABLE') return
    this.complain(error)
    const { running } = this
    // Not from within a call of the place.
    this.options.clock.after(0, () => {
      if (this.running === running) this.close()
    })
  }

  private complain(error: unknown): void {
    if (!(error instanceof BoxError)) throw error
    this.options.log.note('error', 'rooms', 'failed', {
      room: this.record.name,
      code: error.code,
      why: error.detail,
    })
  }
}
