/** A command that was asked for in one go (src/box/short-command.ts): what it prints, and how it ends. */

import { Readable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import { BoxError } from '../src/base/errors.ts'
import { whyNotRun } from '../src/box/approval.ts'
import {
  CommandErrors,
  CommandExited,
  CommandKilled,
  CommandOutput,
  CommandRefused,
} from '../src/box/messages.ts'
import { endOnce } from '../src/box/short-command.ts'
import { dispatch } from '../src/wire/dispatch.ts'
import { MessageSplitter } from '../src/wire/framing.ts'
import { WireError } from '../src/wire/layout.ts'
import { exitCodeOf, LOST_EARLY, type Running, STARTS_NOTHING } from './remote-process.ts'

const decode = dispatch([
  CommandOutput,
  CommandErrors,
  CommandExited,
  CommandKilled,
  CommandRefused,
])

export class ShortProcess implements Running {
  readonly output: Readable
  readonly errors: Readable
  readonly ended: Promise<number>
  private readonly channel: ClientChannel
  private readonly messages = new MessageSplitter()
  private readonly full = new Set<Readable>()
  private isOver = false
  private tell!: { ended(code: number): void; failed(why: BoxError): void }

  /** In the turn in which the channel was opened: all that is to come may be there already. `goesOn` is called where it is not. */
  constructor(channel: ClientChannel, goesOn: () => void) {
    this.channel = channel
    this.output = new Readable({ read: () => this.goOn(this.output) })
    this.errors = new Readable({ read: () => this.goOn(this.errors) })
    this.ended = new Promise((resolve, reject) => {
      this.tell = { ended: resolve, failed: reject }
    })
    channel.on('error', () => {})
    endOnce(channel)
    channel.on('data', (piece: Uint8Array) => {
      this.take(piece)
      // The next piece may be here as well.
      queueMicrotask(() => {
        if (!this.isOver) goesOn()
      })
    })
    channel.once('close', () => {
      if (!this.isOver) this.fail(new BoxError('CHANNEL_LOST', LOST_EARLY))
    })
  }

  /** We want no more of it. */
  close(): void {
    this.channel.close()
  }

  private take(piece: Uint8Array): void {
    try {
      for (const raw of this.messages.push(piece)) this.hear(raw)
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      this.channel.close()
      this.fail(new BoxError('WIRE_MALFORMED', 'The device answered nonsense.', error))
    }
  }

  private hear(raw: Uint8Array): void {
    const heard = decode(raw)
    switch (heard?.is) {
      case 'BOX_COMMAND_OUTPUT':
        this.show(this.output, heard.value.bytes)
        break
      case 'BOX_COMMAND_ERRORS':
        this.show(this.errors, heard.value.bytes)
        break
      case 'BOX_COMMAND_EXITED':
        this.end(heard.value.code)
        break
      case 'BOX_COMMAND_KILLED': {
        const unapproved = whyNotRun(heard.value.why)
        if (unapproved) this.fail(unapproved)
        else this.end(exitCodeOf(heard.value.signal))
        break
      }
      case 'BOX_COMMAND_REFUSED':
        this.fail(new BoxError('NOT_PERMITTED', STARTS_NOTHING))
    }
  }

  /** Whoever reads the other one waits for this one as well, as over a channel of SSH. */
  private show(stream: Readable, bytes: Uint8Array): void {
    if (this.isOver || stream.push(bytes)) return
    this.full.add(stream)
    this.channel.pause()
  }

  private goOn(stream: Readable): void {
    if (this.full.delete(stream) && this.full.size === 0) this.channel.resume()
  }

  private end(code: number): void {
    this.over()
    this.tell.ended(code)
  }

  private fail(why: BoxError): void {
    this.over()
    this.tell.failed(why)
  }

  private over(): void {
    if (this.isOver) return
    this.isOver = true
    this.output.push(null)
    this.errors.push(null)
  }
}
