/**
 * A command for a device, run over the connections of a `box up` of the same state where one runs, and over our own
 * where none does, or where it is lost before anything was begun. Nothing is begun twice: where a command may have
 * begun, its failure is told.
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { tellGreeting } from '../greeting.ts'
import type { CommandEnd, Heard as Hear, RemoteCommand } from '../remote-command.ts'
import {
  type Answer,
  ErrandReader,
  errandMessage,
  type Heard,
  inputMessage,
  PIECE_MAX,
  readAnswer,
  unexpected,
} from './words.ts'

/** A `box up` says at once that it has heard, however long the device then takes; one that hangs is let be. */
const HEARD_MS = 2_000

/** Never throws; failure comes as `closed`. */
export type DialErrand = (events: StreamEvents) => Stream

/** What is to be run, with all of its standard input. */
export type Job = RemoteCommand & { readonly input: Uint8Array }

/** Runs it. Fails only with the reason of the context's signal. */
export async function runThere(
  context: Context,
  device: Device,
  job: Job,
  hear: Hear,
): Promise<CommandEnd> {
  const { clock, signal } = context
  const since = clock.elapsed()
  signal.throwIfAborted()
  const dial = await context.errands()
  const end =
    (dial && (await new GivenErrand(context, device, job, hear).give(dial))) ??
    (await runByOurselves(context, device, job, hear))
  return { ...end, ms: Math.round(clock.elapsed() - since) }
}

/** Loaded here: it is half of the program, and a `box up` has it already. */
const runByOurselves = async (...job: Parameters<typeof runThere>): Promise<CommandEnd> =>
  await (await import('../remote-command.ts')).runCommand(...job)

class GivenErrand {
  private readonly context: Context
  private readonly device: Device
  private readonly job: Job
  private readonly hear: Hear
  private readonly reader = new ErrandReader()
  private stream: Stream | null = null
  private timer: Timer | null = null
  /** How much of the input has left; null: nothing has begun. */
  private sent: number | null = null
  /** Whether its last piece has. */
  private isSent = false
  private settle: { resolve(end: CommandEnd | null): void; reject(reason: unknown): void } | null =
    null

  constructor(context: Context, device: Device, job: Job, hear: Hear) {
    this.context = context
    this.device = device
    this.job = job
    this.hear = hear
  }

  /** Null where nothing was begun, and nothing will be: for whatever reason, another way may do. */
  async give(dial: DialErrand): Promise<CommandEnd | null> {
    const { clock, signal } = this.context
    const request = this.request()
    if (!request) return null
    const abort = () => this.finish(({ reject }) => reject(signal.reason))
    try {
      return await new Promise((resolve, reject) => {
        this.settle = { resolve, reject }
        this.stream = dial({
          opened: () => {},
          received: chunk => this.received(chunk),
          drained: () => {},
          closed: () => this.lost(),
        })
        this.stream.write(request)
        this.timer = clock.after(HEARD_MS, () => this.lost())
        signal.addEventListener('abort', abort, { once: true })
        if (signal.aborted) abort()
      })
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  /** Null where the line is too long to be handed over. */
  private request(): Uint8Array | null {
    const { line, user = null, timeoutMs, limitS, approved = false } = this.job
    try {
      return errandMessage({ zone: this.device.zone, line, user, timeoutMs, limitS, approved })
    } catch (error) {
      if (error instanceof BoxError) return null
      throw error
    }
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const heard of this.reader.push(chunk)) if (this.settle) this.take(heard)
    } catch (error) {
      if (!(error instanceof BoxError || error instanceof WireError)) throw error
      this.lost()
    }
  }

  private take(heard: Heard): void {
    if ('words' in heard) this.answered(readAnswer(heard.words))
    else if (!('piece' in heard) || this.sent === null) throw unexpected()
    else this.pass(heard.from, heard.piece)
  }

  private answered(answer: Answer): void {
    this.timer?.cancel()
    switch (answer.say) {
      case 'heard':
        this.context.log.note('info', 'errand', 'over the connections of box up')
        return
      case 'refused':
        this.context.log.note('info', 'errand', 'refused', { why: answer.why })
        this.lost()
        return
      case 'greeting':
        tellGreeting(this.context, this.device, answer.text)
        return
      case 'ready':
      case 'more':
        this.sendInput()
        return
      case 'end': {
        const { exitCode, error } = answer
        const begun = this.sent !== null
        if (exitCode === null && error === null) throw unexpected()
        this.finish(({ resolve }) => resolve({ exit_code: exitCode, error, ms: 0, begun }))
      }
    }
  }

  /** From here on it may have begun. */
  private sendInput(): void {
    if (this.isSent) throw unexpected()
    const { input } = this.job
    const from = this.sent ?? 0
    this.sent = Math.min(from + PIECE_MAX, input.length)
    this.isSent = this.sent === input.length
    const { isSent: isLast } = this
    this.stream?.write(inputMessage(input.subarray(from, this.sent), { isLast }))
  }

  private pass(from: 'out' | 'err', piece: Uint8Array): void {
    const taken = this.hear(from, piece)
    if (!taken) return
    this.stream?.pause()
    const goOn = () => this.stream?.resume()
    void taken.then(goOn, goOn)
  }

  /** Nothing more will be heard of it. */
  private lost(): void {
    const { code, message } = new BoxError(
      'CHANNEL_LOST',
      'The box up that had the connection is gone, or makes no sense any more.',
    )
    const untold = { exit_code: null, error: { code, message }, ms: 0, begun: true }
    this.finish(({ resolve }) => resolve(this.sent === null ? null : untold))
  }

  private finish(tell: (settle: NonNullable<GivenErrand['settle']>) => void): void {
    const { settle } = this
    if (!settle) return
    this.settle = null
    this.timer?.cancel()
    this.stream?.close()
    tell(settle)
  }
}
