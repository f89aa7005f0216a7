/**
 * The side of whoever has the peer: `box up`, which lends it to other commands of the same person, and
 * `box-agent mesh`, whose peer the device's agent uses. What is asked for is done as a hub would do it for
 * anybody; who may ask, the file system decides.
 */

import { BoxError } from '../../base/errors.ts'
import type { Stream, StreamEvents } from '../../base/stream.ts'
import type { Words } from '../../wire/json-words.ts'
import { WireError } from '../../wire/layout.ts'
import type { Channel, Listening, Mesh } from '../mesh.ts'
import { LentLine, Offers } from './lent-line.ts'
import {
  type Heard,
  LoanMessage,
  LoanReader,
  pathsOf,
  pathWords,
  peerOf,
  portOf,
  queryOf,
  resultWords,
  unexpected,
  wholeOf,
  wordsOf,
} from './words.ts'

/** A fleet of some hundred devices may be watched by one command, and asked by another. */
export const LOANS_MAX = 1_024

/** What to do with each connection at the socket. */
export function lender(mesh: Mesh): (stream: Stream) => StreamEvents {
  const offers = new Offers()
  return stream => new Loan(stream, mesh, offers).events
}

/** One connection. */
class Loan {
  readonly events: StreamEvents
  private readonly stream: Stream
  private readonly mesh: Mesh
  private readonly offers: Offers
  private readonly reader = new LoanReader()
  private readonly gone = new AbortController()
  private line: LentLine | null = null
  private channel: Channel | null = null
  private asking: Listening | null = null
  private asked = false

  constructor(stream: Stream, mesh: Mesh, offers: Offers) {
    this.stream = stream
    this.mesh = mesh
    this.offers = offers
    this.events = {
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.channel?.resume(),
      closed: () => {
        this.gone.abort(new BoxError('CHANNEL_CLOSED'))
        this.line?.close()
        this.asking?.close()
        this.channel?.close()
      },
    }
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const heard of this.reader.push(chunk)) this.take(heard)
    } catch (error) {
      this.failed(error)
    }
  }

  /** Whoever asks is of another version, or asks for what cannot be had. */
  private failed(error: unknown): void {
    if (error instanceof BoxError) this.end({ closed: error.code, detail: error.detail })
    else if (error instanceof WireError) this.end({ closed: 'STATE_UNEXPECTED' })
    else throw error
  }

  private take(heard: Heard): void {
    if (this.gone.signal.aborted) return
    if ('message' in heard) {
      if (!this.channel) throw unexpected()
      if (!this.channel.send(heard.message.slice())) this.stream.pause()
    } else if (this.line) this.line.heard(heard.words)
    else this.request(heard.words)
  }

  private request(words: Words): void {
    if (this.asked) throw unexpected()
    this.asked = true
    switch (words.do) {
      case 'mesh':
        this.line = new LentLine(this.mesh, this.offers, value => this.say(value))
        return
      case 'connect':
        this.connect(words).catch(error => this.failed(error))
        return
      case 'accept':
        this.serve(this.offers.take(wholeOf(words.offer, Number.MAX_SAFE_INTEGER)))
        return
      case 'get':
        this.asking = this.mesh.dht.get(queryOf(words), result => this.say(resultWords(result)))
        return
      default:
        throw unexpected()
    }
  }

  private async connect({ peer, port, via }: Words): Promise<void> {
    const options = { via: pathsOf(via), signal: this.gone.signal }
    const channel = await this.mesh.connect(peerOf(peer), portOf(port), options)
    if (this.gone.signal.aborted) channel.close()
    else this.serve(channel)
  }

  private serve(channel: Channel): void {
    this.channel = channel
    const path = channel.path()
    this.say({ path: path && pathWords(path) })
    channel.attach({
      message: raw => {
        if (!this.stream.write(LoanMessage.encode({ raw }))) channel.pause()
      },
      drained: () => this.stream.resume(),
      closed: ({ code }) => {
        this.channel = null
        this.end({ closed: code })
      },
    })
  }

  private say(value: object): void {
    if (!this.gone.signal.aborted) this.stream.write(wordsOf(value))
  }

  private end(value: object): void {
    this.say(value)
    this.stream.resume()
    this.stream.close()
  }
}
