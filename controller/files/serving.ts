/**
 * Hands out files for as long as a process stays: those we have offered, and those of rooms that we have fetched. Each at
 * a port that only those know who were offered it; and of them, whoever is in the room now, or the one contact, gets it.
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { acceptHandshake, type Session } from '../../src/box/handshake.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel, Listening, Mesh } from '../../src/mesh/mesh.ts'
import { type FileOffer, fileLabel, filePort, offerId } from '../../src/social/file-offer.ts'
import { encodeGone, encodePart } from '../../src/social/file-part.ts'
import { chunkCount } from '../../src/social/file-tree.ts'
import { FileAsk, FileHave } from '../../src/social/messages.ts'
import { messageType } from '../../src/wire/dispatch.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { Context } from '../context.ts'
import { RoomBook } from '../room/book.ts'
import { keptRoom } from '../room/kept.ts'
import type { ContactBook } from '../talk/contact-book.ts'
import type { OwnLabel } from '../talk/presence.ts'
import { keysKnown } from '../talk/tie.ts'
import type { FileBook, HeldFile } from './file-book.ts'
import { PlantedFile } from './tree-file.ts'

/** At once: each has a part under way, and the disk and the line are shared. */
const HANDED_MAX = 16
const HANDED_PER_ZONE_MAX = 2
/** Whoever takes nothing for so long is not there any more. */
const STALL_MS = 120_000
/** Parts that are sent in one turn of the event loop. */
const PARTS_AT_ONCE = 8
const NOTHING = new Uint8Array(0)

export interface FileServerOptions {
  /** Its signal ends everything. */
  readonly context: Context
  readonly mesh: Mesh
  readonly files: FileBook
  readonly contacts: ContactBook
}

/** A file that is handed out at the port of a key of ours. */
interface Place {
  readonly held: HeldFile
  readonly own: ZoneSecret
}

const nameOf = ({ held, own }: Place): string => `${offerId(held.offer)} ${zoneToText(own.zone)}`

export class FileServer {
  private readonly options: FileServerOptions
  private readonly listening = new Map<string, Listening>()
  private readonly handed = new Map<Handing, string>()
  private meeting = 0

  constructor(options: FileServerOptions) {
    this.options = options
  }

  /** Hands out what there is by now; called again when that may be something else. Throws STATE_UNREADABLE. */
  listen(): void {
    const shared = new Map(this.places().map(place => [nameOf(place), place]))
    for (const [name, { close }] of this.listening) {
      if (shared.has(name)) continue
      close()
      this.listening.delete(name)
    }
    for (const [name, place] of shared) {
      if (this.listening.has(name)) continue
      const port = filePort(place.held.offer, place.own.zone)
      const { close } = this.options.mesh.listen(port, channel => void this.meet(channel, place))
      this.listening.set(name, { close })
    }
  }

  /** Where others find what we hand out, as labels in our zones. Throws STATE_UNREADABLE. */
  labels(): readonly OwnLabel[] {
    return this.places().map(({ own, held }) => ({ own, label: fileLabel(held.offer, own.zone) }))
  }

  close(): void {
    for (const { close } of this.listening.values()) close()
    this.listening.clear()
    for (const one of this.handed.keys()) one.close()
  }

  /** Whoever has not heard of our new key asks by the one before. */
  private places(): readonly Place[] {
    const { ego, clock } = this.options.context
    const keys = keysKnown(ego(), null, clock.now()).map(({ own }) => own)
    return this.shared().flatMap(held => keys.map(own => ({ held, own })))
  }

  /** What came from a contact is theirs to hand out. */
  private shared(): readonly HeldFile[] {
    return this.options.files
      .read()
      .filter(({ isWhole, by, circle }) => isWhole && (by === null || circle.is === 'room'))
  }

  private async meet(channel: Channel, place: Place): Promise<void> {
    const { context, mesh } = this.options
    const { clock, random, log, signal } = context
    if (this.meeting + this.handed.size >= HANDED_MAX) {
      channel.close()
      return
    }
    this.meeting++
    try {
      const { own } = place
      const readers = await this.readersOf(place.held)
      const session = await acceptHandshake(channel, {
        ...{ self: mesh.self, purpose: 'file', own, clock, random, signal },
        admit: zone =>
          readers.has(zoneToText(zone)) ? { payload: NOTHING } : { refused: 'NOT_PERMITTED' },
      })
      this.hand(session, place)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      channel.close()
      log.note('info', 'files', 'not handed out', { reason: error.code })
    } finally {
      this.meeting--
    }
  }

  /** Who may have it at this moment. */
  private async readersOf({ circle }: HeldFile): Promise<ReadonlySet<string>> {
    const { context, contacts } = this.options
    if (circle.is === 'contact') {
      const contact = contacts.findEver(circle.zone)
      return new Set(contact ? [zoneToText(contact.zone)] : [])
    }
    const room = new RoomBook(context.state).find(circle.place)
    if (!room) return new Set()
    return new Set((await keptRoom(context, room)).members.map(({ nym }) => nym))
  }

  private hand({ channel, peerZone }: Session, place: Place): void {
    const { offer } = place.held
    const { context } = this.options
    const zone = zoneToText(peerZone)
    const ofZone = [...this.handed.values()].filter(one => one === zone).length
    // It may have been taken back while they proved who they are.
    if (ofZone >= HANDED_PER_ZONE_MAX || !this.listening.has(nameOf(place))) {
      channel.close()
      return
    }
    const planted = this.openPlanted(offer)
    const one: Handing = new Handing(channel, offer, planted, context, {
      had: () => this.had(offer, peerZone),
      ended: () => {
        this.handed.delete(one)
        planted?.close()
      },
    })
    this.handed.set(one, zone)
  }

  /** Null where it is not there any more, or another one by now. */
  private openPlanted(offer: FileOffer): PlantedFile | null {
    const id = offerId(offer)
    const { files, context } = this.options
    const held = files.find(id)
    try {
      return held && new PlantedFile(held.path, files.treePath(id), offer.size)
    } catch (error) {
      context.log.note('warn', 'files', 'not there any more', { file: id, why: `${error}` })
      return null
    }
  }

  private had(offer: FileOffer, by: ZoneKey): void {
    const { files, context } = this.options
    files.taken(offerId(offer), by).catch(error => {
      if (!(error instanceof BoxError)) throw error
      context.log.note('warn', 'files', 'not noted', { code: error.code })
    })
  }
}

interface HandingEvents {
  /** They have all of it. */
  had(): void
  ended(): void
}

/** One file to one person: as fast as they take it, and never more than a few parts in memory. */
class Handing {
  private readonly channel: Channel
  private readonly offer: FileOffer
  private readonly planted: PlantedFile | null
  private readonly clock: Context['clock']
  private readonly events: HandingEvents
  /** The next part; null before it was asked for. */
  private next: number | null = null
  private isOpen = true
  private stalled: Timer
  private turn: Timer | null = null

  constructor(
    channel: Channel,
    offer: FileOffer,
    planted: PlantedFile | null,
    { clock }: Pick<Context, 'clock'>,
    events: HandingEvents,
  ) {
    this.channel = channel
    this.offer = offer
    this.planted = planted
    this.clock = clock
    this.events = events
    this.stalled = this.stallTimer()
    channel.attach({
      message: raw => this.heard(raw),
      drained: () => this.pump(),
      closed: () => this.ended(),
    })
  }

  close(): void {
    if (!this.isOpen) return
    this.channel.close()
    this.ended()
  }

  private heard(raw: Uint8Array): void {
    try {
      switch (messageType(raw)) {
        case FileAsk.type: {
          const { index } = FileAsk.decode(raw)
          if (this.next !== null || index >= BigInt(chunkCount(this.offer.size))) this.close()
          else {
            this.next = Number(index)
            this.pump()
          }
          return
        }
        case FileHave.type:
          this.events.had()
          this.close()
          return
        default:
        // A newer one may say more.
      }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.close()
    }
  }

  private pump(): void {
    if (this.next === null || !this.isOpen || this.turn) return
    this.stalled.cancel()
    this.stalled = this.stallTimer()
    for (let i = 0; i < PARTS_AT_ONCE; i++) {
      const index: number = this.next
      if (index >= chunkCount(this.offer.size)) return
      const chunk = this.chunk(index)
      if (!chunk) {
        // Whoever hears it closes.
        this.next = chunkCount(this.offer.size)
        this.channel.send(encodeGone())
        return
      }
      this.next = index + 1
      if (!this.channel.send(encodePart(this.offer, { index, ...chunk }))) return
    }
    this.turn = this.clock.after(0, () => {
      this.turn = null
      this.pump()
    })
  }

  /** Null where it is not what was offered any more: then nothing of it goes out. */
  private chunk(index: number): ReturnType<PlantedFile['chunk']> {
    try {
      return this.planted?.chunk(index) ?? null
    } catch {
      return null
    }
  }

  private ended(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.stalled.cancel()
    this.turn?.cancel()
    this.events.ended()
  }

  private stallTimer(): Timer {
    return this.clock.after(STALL_MS, () => this.close())
  }
}
