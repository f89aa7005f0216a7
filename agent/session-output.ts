/**
 * Writes what a program prints into an SSH channel: standard output and standard error in turns, and no
 * faster than the mesh carries it.
 *
 * ssh2 1.17.0 keeps one place each for a chunk of output and of errors that waits for the client's window,
 * does not clear it afterwards, and looks at it again when the other one has waited: a chunk would be sent
 * twice. So one write waits at a time, and what it left there is cleared.
 */

import type { Duplex, Writable } from 'node:stream'
import type { ServerChannel } from 'ssh2'

/** What is behind the types of ssh2 (lib/Channel.js). */
interface Leftovers {
  _chunk?: unknown
  _chunkcb?: unknown
  _chunkErr?: unknown
  _chunkcbErr?: unknown
}

export class SessionOutput {
  private readonly channel: ServerChannel
  /** What carries the whole connection. */
  private readonly carrier: Duplex
  private turn: Promise<void> = Promise.resolve()

  constructor(channel: ServerChannel, carrier: Duplex) {
    this.channel = channel
    this.carrier = carrier
  }

  /** Resolves when there is room for more. Never, where the channel has gone: nothing is left to do then. */
  write(chunk: Uint8Array, kind: 'output' | 'errors'): Promise<void> {
    const target = kind === 'output' ? this.channel : this.channel.stderr
    this.turn = this.turn.then(() => this.writeNow(chunk, target))
    return this.turn
  }

  private async writeNow(chunk: Uint8Array, target: Writable): Promise<void> {
    await new Promise<void>(resolve => target.write(chunk, () => resolve()))
    Object.assign(this.channel as Leftovers, {
      _chunk: undefined,
      _chunkcb: undefined,
      _chunkErr: undefined,
      _chunkcbErr: undefined,
    })
    // ssh2 does not look whether the carrier keeps up; without this, ^C would wait behind megabytes.
    if (this.carrier.writableNeedDrain)
      await new Promise<void>(resolve => this.carrier.once('drain', resolve))
  }
}
