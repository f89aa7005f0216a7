/** The side of `box up`: lends its peer to other `box` commands of the same person, so that they need not start one. */

import { BoxError } from '../../src/base/errors.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { VERSION } from '../../src/base/version.ts'
import type { Channel, Listening, Mesh } from '../../src/mesh/mesh.ts'
import { listenUnix, type UnixListener } from '../../src/sys/unix-socket.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { WireError } from '../../src/wire/layout.ts'
import {
  blockOf,
  isWords,
  LoanMessage,
  pathOf,
  peerOf,
  portOf,
  queryOf,
  readWords,
  resultWords,
  statusWords,
  type Words,
  wordsOf,
} from './loan.ts'

/** A fleet of some hundred devices may be watched by one command, and asked by another. */
const LOANS_MAX = 1_024

/** Lends until closed. Fails with ADDRESS_IN_USE where another one does. */
export const lendMesh = (path: string, mesh: Mesh): Promise<UnixListener> =>
  listenUnix(path, stream => new Loan(stream, mesh).events, { connectionsMax: LOANS_MAX })

/** One connection of a command. */
class Loan {
  readonly events: StreamEvents
  private readonly stream: Stream
  private readonly mesh: Mesh
  private readonly splitter = new MessageSplitter()
  private readonly gone = new AbortController()
  private channel: Channel | null = null
  private listening: Listening | null = null
  private asked = false

  constructor(stream: Stream, mesh: Mesh) {
    this.stream = stream
    this.mesh = mesh
    this.events = {
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.channel?.resume(),
      closed: () => {
        this.gone.abort(new BoxError('CHANNEL_CLOSED'))
        this.listening?.close()
        this.channel?.close()
      },
    }
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const raw of this.splitter.push(chunk)) this.take(raw)
    } catch (error) {
      this.failed(error)
    }
  }

  /** Whoever asks is of another version, or asks for what cannot be had. */
  private failed(error: unknown): void {
    if (error instanceof BoxError) this.end({ closed: error.code, detail: error.detail })
    else if (error instanceof WireError || error instanceof RangeError)
      this.end({ closed: 'STATE_UNEXPECTED' })
    else throw error
  }

  private take(raw: Uint8Array): void {
    if (this.gone.signal.aborted) return
    if (isWords(raw)) this.heard(readWords(raw))
    else if (this.channel) {
      if (!this.channel.send(LoanMessage.decode(raw).raw.slice())) this.stream.pause()
    } else throw new BoxError('STATE_UNEXPECTED')
  }

  private heard(words: Words): void {
    if (typeof words.introduce === 'string') this.mesh.introduce(words.introduce)
    if (words.put) this.mesh.dht.put(blockOf(words.put as Words))
    if (this.asked) return
    this.asked = true
    switch (words.do) {
      case 'mesh':
        this.tellOfMesh()
        return
      case 'connect':
        this.connect(words).catch(error => this.failed(error))
        return
      case 'get':
        this.listening = this.mesh.dht.get(queryOf(words), result => this.say(resultWords(result)))
        return
      default:
        throw new BoxError('STATE_UNEXPECTED')
    }
  }

  private tellOfMesh(): void {
    const { mesh } = this
    const tell = () => this.say({ status: statusWords(mesh.status()) })
    this.say({ version: VERSION, self: encodeBase32(mesh.self), hello: mesh.hello() })
    tell()
    this.listening = mesh.watch({ up: tell, down: tell })
  }

  private async connect({ peer, port, via }: Words): Promise<void> {
    const ways = Array.isArray(via) ? via.map(pathOf) : []
    const options = { via: ways, signal: this.gone.signal }
    const channel = await this.mesh.connect(peerOf(peer), portOf(port), options)
    if (this.gone.signal.aborted) {
      channel.close()
      return
    }
    this.channel = channel
    this.say({ path: channel.path()?.map(encodeBase32) ?? null })
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
