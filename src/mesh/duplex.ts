/**
 * A channel as a Node stream: bytes in both directions, back-pressure, and what a channel alone does not
 * have, an end. Each side says END after its last byte and hears END_ACK once the other has it all, so
 * `finish` means that every byte has arrived; the channel is closed only when both are through.
 *
 * Small writes of one turn travel together. `destroy` before the end tells the other side RESET: its
 * stream then fails, and does not look complete.
 */

import { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import { message, rest } from '../wire/layout.ts'
import type { Channel } from './mesh.ts'
import { Deadlines } from './transport/deadlines.ts'

/** Some bytes of the stream. */
export const StreamData = message('BOX_STREAM_DATA', 0xbdb0, { payload: rest })
/** There are no more bytes from this side. */
export const StreamEnd = message('BOX_STREAM_END', 0xbdb1, {})
/** All bytes before END have arrived. */
export const StreamEndAck = message('BOX_STREAM_END_ACK', 0xbdb2, {})
/** This side gives the stream up. */
export const StreamReset = message('BOX_STREAM_RESET', 0xbdb3, {})

/** Bytes of one message: few messages a second, and yet a relay hands them on quickly. */
const PAYLOAD_MAX = 60 * 1_024
/** What Node may hold for a slow reader. */
const BUFFER_BYTES = 256 * 1_024
/** From so many on a writer waits where nothing can be sent: what is written next comes behind them. */
const COLLECTED_BYTES = 16 * 1_024
/** So many bytes, so often before there is room again, are sent all the same where somebody waits for what is small. */
const PASSING_BYTES = 512
const PASSING_MAX = 32
/** How long the side that ended last waits for the other to close the channel: its END_ACK may be under way. */
const LINGER_MS = 30_000
/** When both have ended, the last END_ACK must come within this. */
const END_MS = 60_000

const NOTHING = new Uint8Array(0)

export interface DuplexOptions {
  /** Whether one direction may go on when the other has ended, as in TCP; the default. */
  readonly allowHalfOpen?: boolean
}

/** Bytes both ways; see `hurry` of a channel. */
export interface MeshStream extends Duplex {
  hurry(isOn: boolean): void
  /** Resolves when all that was written is on its way and there is room for more; also where nothing can be sent any more. */
  untilRoom(): Promise<void>
}

/** Makes a stream of a channel, which must not be attached yet; the stream alone uses it from now on. */
export function asDuplex(
  channel: Channel,
  clock: Clock,
  { allowHalfOpen = true }: DuplexOptions = {},
): MeshStream {
  const ends = new StreamEnds(channel, clock)
  const duplex = new Duplex({
    allowHalfOpen,
    readableHighWaterMark: BUFFER_BYTES,
    writableHighWaterMark: COLLECTED_BYTES,
    read: () => channel.resume(),
    write: (chunk: Uint8Array, _encoding, done) => ends.write([chunk], done),
    writev: (pieces, done) =>
      ends.write(
        pieces.map(({ chunk }) => chunk as Uint8Array),
        done,
      ),
    final: done => ends.finish(done),
    destroy: (error, done) => {
      ends.abandon()
      done(error)
    },
  })
  ends.begin(duplex)
  const hurry = (isOn: boolean) => ends.hurry(isOn)
  return Object.assign(duplex, { hurry, untilRoom: () => ends.untilRoom() })
}

type Done = (error?: Error | null) => void

/** Both directions of one stream, and how far each has come to its end. */
class StreamEnds {
  private readonly channel: Channel
  private readonly deadlines: Deadlines<'linger' | 'end'>
  private duplex!: Duplex
  private collected: Uint8Array[] = []
  private collectedBytes = 0
  private flushing = false
  private heldBack = false
  private isHurried = false
  private passed = 0
  private roomWaiters: (() => void)[] = []
  private written: Done | null = null
  private finishing: Done | null = null
  private mine: 'open' | 'ended' | 'acknowledged' = 'open'
  private theirs: 'open' | 'ended' = 'open'
  /** Whether our END_ACK went out before our END: whoever has acknowledged that END has it. */
  private acknowledgedFirst = false
  /** Why the channel can no longer be used; null while it can. */
  private over: Error | null = null

  constructor(channel: Channel, clock: Clock) {
    this.channel = channel
    this.deadlines = new Deadlines(clock, {
      linger: () => this.close(),
      end: () => this.duplex.destroy(new BoxError('PEER_TIMEOUT', 'The stream did not end.')),
    })
  }

  begin(duplex: Duplex): void {
    this.duplex = duplex
    this.channel.attach({
      message: raw => this.received(raw),
      drained: () => this.drained(),
      closed: reason => this.closed(reason),
    })
  }

  hurry(isOn: boolean): void {
    this.isHurried = isOn
    this.channel.hurry?.(isOn)
  }

  untilRoom(): Promise<void> {
    return new Promise(resolve => {
      this.roomWaiters.push(resolve)
      this.flushSoon()
    })
  }

  write(chunks: readonly Uint8Array[], done: Done): void {
    if (this.over) {
      done(this.over)
      return
    }
    for (const chunk of chunks) {
      this.collected.push(chunk)
      this.collectedBytes += chunk.length
    }
    this.flush(PAYLOAD_MAX)
    this.flushSoon()
    // Whoever waits here holds back the writer; else its next small write is to join this one.
    if (this.heldBack && !this.passes()) this.written = done
    else done()
  }

  /** No more writes: calls `done` when the other side has everything. */
  finish(done: Done): void {
    if (this.over) {
      done(this.over)
      return
    }
    this.finishing = done
    this.flush(1)
    this.endIfWritten()
  }

  /** The stream is destroyed, in good order or not. */
  abandon(): void {
    if (this.isComplete() || this.over) return
    this.send(StreamReset.encode({}))
    this.close()
  }

  private received(raw: Uint8Array): void {
    if (this.over) return
    switch ((raw[2]! << 8) | raw[3]!) {
      case StreamData.type:
        if (this.theirs === 'ended') this.fail()
        else if (raw.length > 4 && !this.duplex.push(StreamData.decode(raw).payload))
          this.channel.pause()
        break
      case StreamEnd.type:
        this.receivedEnd()
        break
      case StreamEndAck.type:
        this.receivedEndAck()
        break
      case StreamReset.type:
        this.close()
        this.duplex.destroy(new BoxError('CHANNEL_CLOSED', 'The other side gave the stream up.'))
        break
      default:
        this.fail()
    }
  }

  private receivedEnd(): void {
    if (this.theirs === 'ended') return
    this.theirs = 'ended'
    this.acknowledgedFirst = this.mine === 'open'
    this.send(StreamEndAck.encode({}))
    this.duplex.push(null)
    if (this.finishing) this.deadlines.set('end', END_MS)
    this.closeIfComplete()
  }

  private receivedEndAck(): void {
    if (this.mine !== 'ended') {
      this.fail()
      return
    }
    this.mine = 'acknowledged'
    this.finishing?.()
    this.finishing = null
    this.closeIfComplete()
  }

  private isComplete(): boolean {
    return this.mine === 'acknowledged' && this.theirs === 'ended'
  }

  private closeIfComplete(): void {
    if (!this.isComplete()) return
    this.deadlines.cancel('end')
    if (this.acknowledgedFirst) this.close()
    else this.deadlines.set('linger', LINGER_MS)
  }

  /** The channel has ended without our doing. */
  private closed(reason: BoxError): void {
    this.deadlines.clear()
    if (this.over) return
    this.over = reason
    this.tellRoom()
    if (!this.isComplete()) this.duplex.destroy(reason)
  }

  /** The other side does not speak this protocol, or says what it must not. */
  private fail(): void {
    this.duplex.destroy(new BoxError('WIRE_MALFORMED', 'The peer broke the stream protocol.'))
  }

  private close(): void {
    this.deadlines.clear()
    if (this.over) return
    this.over = new BoxError('CHANNEL_CLOSED', 'The stream is closed.')
    this.collected = []
    this.collectedBytes = 0
    this.tellRoom()
    this.channel.close()
  }

  private drained(): void {
    this.heldBack = false
    this.passed = 0
    // What does not fill a message waits for what the writer has held back.
    this.flush(this.finishing ? 1 : PAYLOAD_MAX)
    this.endIfWritten()
    if (this.heldBack) return
    const { written } = this
    this.written = null
    written?.()
    this.flushSoon()
  }

  private endIfWritten(): void {
    if (!this.finishing || this.mine !== 'open' || this.collectedBytes > 0 || this.over) return
    this.mine = 'ended'
    this.send(StreamEnd.encode({}))
    if (this.theirs === 'ended') this.deadlines.set('end', END_MS)
  }

  /** Sends what was collected when the turn is over: whoever writes much in small pieces is still writing. */
  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    queueMicrotask(() => {
      this.flushing = false
      this.flush(1)
      this.tellRoom()
    })
  }

  private tellRoom(): void {
    if ((this.heldBack || this.collectedBytes > 0) && !this.over) return
    for (const told of this.roomWaiters.splice(0)) told()
  }

  /** Whether what was collected goes although what is large is held back. */
  private passes(): boolean {
    return this.isHurried && this.collectedBytes <= PASSING_BYTES && this.passed < PASSING_MAX
  }

  /** Sends while there are at least so many bytes, 1 or more. */
  private flush(least: number): void {
    while (this.collectedBytes >= least && !this.over) {
      if (this.heldBack) {
        if (!this.passes()) return
        this.passed++
      }
      this.send(this.takeMessage())
    }
  }

  private takeMessage(): Uint8Array {
    const size = Math.min(this.collectedBytes, PAYLOAD_MAX)
    const message = StreamData.encodeWithRoom({ payload: NOTHING }, size)
    let used = 0
    for (let at = message.length - size; at < message.length; ) {
      const chunk = this.collected[used]!
      const part = chunk.subarray(0, message.length - at)
      message.set(part, at)
      at += part.length
      if (part.length === chunk.length) used++
      else this.collected[used] = chunk.subarray(part.length)
    }
    this.collected.splice(0, used)
    this.collectedBytes -= size
    return message
  }

  private send(raw: Uint8Array): void {
    if (this.over) return
    const wasHeldBack = this.heldBack
    this.heldBack = !this.channel.send(raw)
    // There is room again, and nobody else says so: see `send` of a channel.
    if (wasHeldBack && !this.heldBack)
      queueMicrotask(() => {
        if (!this.heldBack && !this.over) this.drained()
      })
  }
}
