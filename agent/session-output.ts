/**
 * Writes what a program prints into an SSH channel: standard output and standard error in turns, and no
 * faster than the mesh carries it.
 *
 * ssh2 1.17.0 keeps one place each for a chunk of output and of errors that waits for the client's window,
 * does not clear it afterwards, and looks at it again when the other one has waited: a chunk would be sent
 * twice. So one write waits at a time, and what it left there is cleared. Nor does it say any more what became of a write
 * once the channel has gone.
 */

import type { Writable } from 'node:stream'
import type { ServerChannel } from 'ssh2'
import type { Carrier } from './carrier.ts'

/** What is behind the types of ssh2 (lib/Channel.js). */
interface Leftovers {
  _chunk?: unknown
  _chunkcb?: unknown
  _chunkErr?: unknown
  _chunkcbErr?: unknown
  readonly outgoing?: { readonly state: string }
}

/** What is written at once while somebody types: the echo of a key comes behind it, at every hop. */
const PIECE_TYPING = 16 * 1_024

export class SessionOutput {
  private readonly channel: ServerChannel
  private readonly carrier: Carrier
  private turn: Promise<void> = Promise.resolve()
  private isGone: boolean
  /** Ends what a write waits for. */
  private wake = () => {}

  constructor(channel: ServerChannel, carrier: Carrier) {
    this.channel = channel
    this.carrier = carrier
    this.isGone = (channel as Leftovers).outgoing?.state === 'closed'
    channel.once('close', () => {
      this.isGone = true
      this.wake()
    })
  }

  /** Resolves when there is room for more, or the channel has gone. */
  write(chunk: Uint8Array, kind: 'output' | 'errors'): Promise<void> {
    const target = kind === 'output' ? this.channel : this.channel.stderr
    this.turn = this.turn.then(() => this.writeNow(chunk, target))
    return this.turn
  }

  private async writeNow(chunk: Uint8Array, target: Writable): Promise<void> {
    for (let at = 0; at < chunk.length; ) {
      const end = this.carrier.typing.isOn ? at + PIECE_TYPING : chunk.length
      await this.writePiece(chunk.subarray(at, end), target)
      at = end
    }
  }

  private async writePiece(piece: Uint8Array, target: Writable): Promise<void> {
    await this.wait(done => target.write(piece, () => done()))
    Object.assign(this.channel as Leftovers, {
      _chunk: undefined,
      _chunkcb: undefined,
      _chunkErr: undefined,
      _chunkcbErr: undefined,
    })
    // ssh2 does not look whether the carrier keeps up; without this, ^C would wait behind megabytes.
    const { stream, typing } = this.carrier
    if (typing.isOn && stream.untilRoom)
      await this.wait(done => void stream.untilRoom?.().then(done))
    if (stream.writableNeedDrain) await this.wait(done => stream.once('drain', done))
  }

  private async wait(begin: (done: () => void) => unknown): Promise<void> {
    if (this.isGone) return
    await new Promise<void>(resolve => {
      this.wake = resolve
      begin(resolve)
    })
  }
}
