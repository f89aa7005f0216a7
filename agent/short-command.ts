/**
 * A command that is asked for and answered in one go (src/box/short-command.ts), as the session that it is in all
 * else: rights, journal, recording and the program are those of ssh-session.ts.
 */

import { EventEmitter } from 'node:events'
import { Writable } from 'node:stream'
import type { ServerChannel, Session } from 'ssh2'
import {
  CommandErrors,
  CommandExited,
  CommandKilled,
  CommandOutput,
  CommandRefused,
} from '../src/box/messages.ts'
import { COMMAND_PIECE_MAX, endOnce } from '../src/box/short-command.ts'

/** What an SSH session has for its listeners, until it is begun. */
export const newSession = (): Session => new EventEmitter() as Session

/** Asks the session, which has the input already, for its command; `accept` opens the channel. */
export function beginShortly(session: Session, command: string, accept: () => ServerChannel): void {
  let isOver = false
  const over = () => {
    if (!isOver) session.emit('close')
    isOver = true
  }
  const opened = () => {
    const channel = accept()
    channel.on('error', () => {})
    endOnce(channel)
    channel.once('close', over)
    // Nothing more is to come; its end is to be seen.
    channel.resume()
    return channel
  }
  const begin = () => new ShortChannel(opened(), over) as unknown as ServerChannel
  const refuse = () => void opened().end(CommandRefused.encode({}))
  session.emit('exec', begin, refuse, { command })
}

type Told = (error?: Error | null) => void

/** The part of a channel of ssh2 that a session uses where nothing more comes from the client. */
class ShortChannel extends Writable {
  private errors: Writable | null = null
  private readonly channel: ServerChannel
  /** How it has ended, to be told after all that it printed. */
  private ending: Uint8Array | null = null
  private readonly over: () => void

  /** Calls `over` when all is said: what the client says to that is nothing to wait for. */
  constructor(channel: ServerChannel, over: () => void) {
    super({ emitClose: false, autoDestroy: false })
    this.channel = channel
    this.over = over
    channel.once('close', () => this.emit('close'))
  }

  /** Most commands have nothing to say here. */
  get stderr(): Writable {
    this.errors ??= new Writable({
      write: (piece: Uint8Array, _encoding, told) => this.tell(CommandErrors, piece, told),
    })
    return this.errors
  }

  override _write(piece: Uint8Array, _encoding: string, told: Told): void {
    this.tell(CommandOutput, piece, told)
  }

  override _final(told: Told): void {
    const { channel, ending } = this
    // Which says that nothing more comes as well; harmless the second time.
    const close = () => {
      channel.close()
      this.over()
    }
    if (ending) channel.write(ending, close)
    // In the same turn, to be in the same message, unless the window is full.
    if (channel.writableLength === 0) close()
    told()
  }

  /** As of ssh2: a code, or the name of a signal. */
  exit(how: number | string, _isCoreDumped?: boolean, why = ''): void {
    this.ending =
      typeof how === 'number'
        ? CommandExited.encode({ code: how })
        : CommandKilled.encode({ signal: how, why })
  }

  close(): void {
    this.channel.close()
  }

  private tell(kind: typeof CommandOutput | typeof CommandErrors, piece: Uint8Array, told: Told) {
    let at = 0
    const next = () => {
      const bytes = piece.subarray(at, at + COMMAND_PIECE_MAX)
      at += bytes.length
      this.channel.write(kind.encode({ bytes }), at < piece.length ? next : told)
    }
    next()
  }
}
