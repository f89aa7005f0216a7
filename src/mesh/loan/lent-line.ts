/**
 * What is said about the peer as a whole, on one connection for as long as it is lent: who it is and how it is,
 * the ports that the borrower listens on, and the channels that came for them, which it then fetches one by one.
 */

import { BoxError } from '../../base/errors.ts'
import { VERSION } from '../../base/version.ts'
import { encodeBase32 } from '../../wire/base32.ts'
import type { Words } from '../../wire/json-words.ts'
import type { Channel, Listening, Mesh } from '../mesh.ts'
import {
  blockOf,
  LOAN_VERSION,
  pathWords,
  portOf,
  statusWords,
  stringOf,
  unexpected,
  wholeOf,
  wordsIn,
} from './words.ts'

/** A device has some ten services; each place has one more. */
const PORTS_MAX = 1_024
/** Channels that wait for a borrower that is busy: more at once are an attack. */
const WAITING_MAX = 64

/** Channels that came for a borrower, until it has fetched them. */
export class Offers {
  private readonly channels = new Map<number, Channel>()
  private last = 0

  add(channel: Channel): number {
    this.channels.set(++this.last, channel)
    return this.last
  }

  has(offer: number): boolean {
    return this.channels.has(offer)
  }

  /** Throws STATE_UNEXPECTED where there is none, or none any more. */
  take(offer: number): Channel {
    const channel = this.channels.get(offer)
    if (!channel) throw unexpected()
    this.channels.delete(offer)
    return channel
  }

  /** Closes one that nobody fetched. */
  dismiss(offer: number): void {
    this.channels.get(offer)?.close()
    this.channels.delete(offer)
  }
}

export class LentLine {
  private readonly mesh: Mesh
  private readonly offers: Offers
  private readonly say: (value: object) => void
  private readonly ports = new Map<string, Listening>()
  private readonly waiting = new Set<number>()
  private readonly watching: Listening

  constructor(mesh: Mesh, offers: Offers, say: (value: object) => void) {
    this.mesh = mesh
    this.offers = offers
    this.say = say
    say({ loan: LOAN_VERSION, version: VERSION, self: encodeBase32(mesh.self) })
    this.tell()
    this.watching = mesh.watch({ up: () => this.tell(), down: () => this.tell() })
  }

  /** Throws BoxError where it makes no sense. */
  heard(words: Words): void {
    if (words.look !== undefined) this.tell()
    if (words.introduce !== undefined) this.introduce(stringOf(words.introduce))
    if (words.put !== undefined) this.mesh.dht.put(blockOf(wordsIn(words.put)))
    if (words.listen !== undefined) this.listen(stringOf(words.listen))
    if (words.unlisten !== undefined) this.unlisten(stringOf(words.unlisten))
    if (words.dismiss !== undefined)
      this.offers.dismiss(wholeOf(words.dismiss, Number.MAX_SAFE_INTEGER))
  }

  close(): void {
    this.watching.close()
    for (const listening of this.ports.values()) listening.close()
    for (const offer of this.waiting) this.offers.dismiss(offer)
  }

  private tell(): void {
    const { mesh } = this
    this.say({ status: statusWords(mesh.status()), hello: mesh.hello() })
  }

  /** One that we cannot read is no reason to give up. */
  private introduce(hello: string): void {
    try {
      this.mesh.introduce(hello)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.say({ unreadable: hello })
    }
  }

  private listen(port: string): void {
    if (this.ports.size >= PORTS_MAX) throw new BoxError('LIMIT_EXCEEDED')
    try {
      const listening = this.mesh.listen(portOf(port), channel => this.offer(port, channel))
      this.ports.set(port, listening)
      this.say({ listening: port })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.say({ refused: port, code: error.code })
    }
  }

  private unlisten(port: string): void {
    this.ports.get(port)?.close()
    this.ports.delete(port)
  }

  private offer(port: string, channel: Channel): void {
    for (const offer of this.waiting) if (!this.offers.has(offer)) this.waiting.delete(offer)
    if (this.waiting.size >= WAITING_MAX) {
      channel.close()
      return
    }
    const offer = this.offers.add(channel)
    this.waiting.add(offer)
    const path = channel.path()
    this.say({ offer, port, peer: encodeBase32(channel.peer), path: path && pathWords(path) })
  }
}
