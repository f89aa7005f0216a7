/**
 * Where a running `box up` takes errands from other commands of the same person, and runs them over the connections it
 * has. Who may ask, the file system decides; what may be done, each device at each command. Whoever goes away has ended
 * what was begun for it.
 *
 * Standard input is asked for piece by piece, so that the connection is always read, and its end always heard.
 */

import { setMaxListeners } from 'node:events'
import { Readable } from 'node:stream'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { Context } from '../context.ts'
import { type Heard as Hear, type Lend, type LentShell, runCommand } from '../remote-command.ts'
import {
  type Answer,
  answerMessage,
  type Errand,
  ErrandReader,
  type Heard,
  printedMessages,
  readErrand,
  unexpected,
} from './words.ts'

/** As many devices may be asked at once by a few commands; more run over connections of their own. */
export const ERRANDS_MAX = 512

/** What to do with each connection at the socket; `lend` has the ways to devices. */
export function errandDesk(context: Context, lend: Lend): (stream: Stream) => StreamEvents {
  setMaxListeners(0, context.signal)
  return stream => new TakenErrand(context, stream, lend).events
}

class TakenErrand {
  readonly events: StreamEvents
  private readonly context: Context
  private readonly stream: Stream
  private readonly lend: Lend
  private readonly reader = new ErrandReader()
  private readonly gone = new AbortController()
  private readonly input: Readable
  /** Whether a piece of input may come now. */
  private isAsked = false
  private errand: Errand | null = null
  private begin: (() => void) | null = null
  private waiting: (() => void)[] = []

  constructor(context: Context, stream: Stream, lend: Lend) {
    this.context = context
    this.stream = stream
    this.lend = lend
    this.input = new Readable({ highWaterMark: 1, read: () => this.askFor('more') })
    this.events = {
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.drained(),
      closed: () => this.end(),
    }
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const heard of this.reader.push(chunk)) if (!this.gone.signal.aborted) this.take(heard)
    } catch (error) {
      if (!(error instanceof BoxError || error instanceof WireError)) throw error
      this.refuse(error instanceof BoxError ? error.detail : 'It makes no sense.')
    }
  }

  private take(heard: Heard): void {
    if ('input' in heard) this.takeInput(heard.input, heard.isLast)
    else if ('words' in heard && !this.errand) {
      const errand = readErrand(heard.words)
      this.errand = errand
      void this.carry(errand)
    } else throw unexpected()
  }

  private takeInput(piece: Uint8Array, isLast: boolean): void {
    if (!this.isAsked) throw unexpected()
    this.isAsked = false
    if (piece.length > 0) this.input.push(piece)
    else if (!isLast) throw unexpected()
    if (isLast) this.input.push(null)
    this.begin?.()
    this.begin = null
  }

  /** It never fails: what is wrong ends the connection. */
  private async carry(errand: Errand): Promise<void> {
    const { context, gone } = this
    const { zone, ...job } = errand
    try {
      const device = context.fleet.devices().find(one => equalBytes(one.zone, zone))
      if (!device) {
        this.refuse('It is none of the devices here.')
        return
      }
      this.say({ say: 'heard' })
      const signal = AbortSignal.any([context.signal, gone.signal])
      const command = { ...job, input: this.input }
      const { exit_code: exitCode, error } = await runCommand(
        { ...context, signal },
        device,
        command,
        (from, piece) => this.pass(from, piece),
        (...asked) => this.lendWhenReady(...asked),
      )
      // What was printed may be on its way still: who asked ends the connection.
      this.say({ say: 'end', exitCode, error })
    } catch (error) {
      if (!gone.signal.aborted && !context.signal.aborted)
        context.log.note('error', 'errand', 'failed', { why: String(error) })
      this.end()
      this.stream.close()
    }
  }

  private readonly lendWhenReady: Lend = async (context, device, options) => {
    const lent: LentShell = await this.lend(context, device, options)
    for (const text of lent.greetings) this.say({ say: 'greeting', text })
    const begun = new Promise<void>((resolve, reject) => {
      this.begin = resolve
      const end = () => reject(context.signal.reason)
      if (context.signal.aborted) end()
      else context.signal.addEventListener('abort', end, { once: true })
    })
    this.askFor('ready')
    try {
      await begun
    } catch (error) {
      lent.giveBack(true)
      throw error
    }
    return lent
  }

  private askFor(say: 'ready' | 'more'): void {
    this.isAsked = true
    this.say({ say })
  }

  private readonly pass: Hear = (from, piece) => {
    let isTaken = true
    for (const one of printedMessages(from, piece)) isTaken = this.stream.write(one)
    return isTaken ? undefined : new Promise(resolve => void this.waiting.push(resolve))
  }

  private drained(): void {
    const { waiting } = this
    this.waiting = []
    for (const goOn of waiting) goOn()
  }

  private say(answer: Answer): void {
    if (!this.gone.signal.aborted) this.stream.write(answerMessage(answer))
  }

  /** Ends what was begun, where anything was. */
  private refuse(why: string): void {
    this.say({ say: 'refused', why })
    this.end()
    this.stream.close()
  }

  private end(): void {
    this.gone.abort(new BoxError('CHANNEL_CLOSED'))
    this.input.destroy()
    this.drained()
  }
}
