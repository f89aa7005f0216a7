/**
 * box room enter: shows what was missed, then what is said, and says what is typed, until the person has had
 * enough. The host may be out of reach for a while: what is typed waits, and what was said meanwhile comes.
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError, EXIT_CODES } from '../../src/base/errors.ts'
import type { Message } from '../../src/psyc/channel.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { Interrupted } from '../output.ts'
import type { KnownRoom } from './book.ts'
import { lineOf, modeLine, RoomNames, saidIn, saidValue } from './lines.ts'
import { listenToTyping, noTyping, type Typing } from './typing.ts'
import { RoomVisit } from './visit.ts'

/** Of what was said before, to whom comes for the first time. */
const FIRST_LAST = 20
/** Lines that wait to be said; then the typing is held back. */
const QUEUE_MAX = 32
/** As the host lets one more pass after so long (agent/room.ts). */
const BREATH_MS = 2_000
/** What was said comes back from the host; whoever ends does not wait longer for it. */
const ECHO_MS = 3_000

export interface StayOptions {
  readonly timeoutMs: number
  /** Nothing is said. */
  readonly isSilent: boolean
}

/**
 * Fails with why the host is not reached at the beginning, NOT_PERMITTED once we are not let in (any more), and
 * Interrupted. Returns the exit code.
 */
export async function stay(
  context: Context,
  room: KnownRoom,
  options: StayOptions,
): Promise<number> {
  const one = await Stay.begin(context, room, options)
  try {
    return await one.run()
  } finally {
    await one.close()
  }
}

class Stay {
  private readonly context: Context
  private readonly options: StayOptions
  private readonly names: RoomNames
  private visit!: RoomVisit
  private typing: Typing = noTyping
  private readonly queue: string[] = []
  private sending: Promise<void> | null = null
  /** Of what we said, and have not seen come back. */
  private readonly awaited = new Set<string>()
  private isFirst = false
  private wasAway = false
  private hasBegun = false
  private isEnding = false
  /** Of the last text that was not taken. */
  private code = 0
  private late: Timer | null = null
  private echo: Timer | null = null
  private finish!: (code: number) => void
  private fail!: (reason: unknown) => void
  private readonly finished = new Promise<number>((resolve, reject) => {
    this.finish = resolve
    this.fail = reject
  })

  static async begin(context: Context, room: KnownRoom, options: StayOptions): Promise<Stay> {
    const one = new Stay(context, options)
    one.visit = await RoomVisit.open(context, room, {
      timeoutMs: options.timeoutMs,
      said: message => one.show(message),
      current: () => one.catchUp(),
      attached: isAttached => one.attached(isAttached),
      over: reason => one.fail(reason),
    })
    one.isFirst = one.visit.memory.seen === 0n
    return one
  }

  private constructor(context: Context, options: StayOptions) {
    this.context = context
    this.options = options
    this.names = new RoomNames(context)
    // Whoever fails before it is waited for says so by another way.
    this.finished.catch(() => {})
  }

  async run(): Promise<number> {
    const { output, signal, stdio } = this.context
    const progress = output.progress(`looking for the host of ${this.visit.room.name}`)
    await this.visit.whenCurrent().finally(progress.end)
    this.hasBegun = true
    this.remark(`-- ${modeLine(this.visit.room)}`)
    if (!this.options.isSilent)
      this.typing = listenToTyping(stdio, {
        line: text => this.typed(text),
        ended: () => this.ending(),
        interrupted: () => this.fail(new Interrupted()),
      })
    const abort = () => this.fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    return await this.finished.finally(() => signal.removeEventListener('abort', abort))
  }

  async close(): Promise<void> {
    this.isEnding = true
    this.finish(0)
    this.late?.cancel()
    this.echo?.cancel()
    this.typing.close()
    await this.visit.close()
  }

  /** All there is has come: what was not shown yet is. */
  private catchUp(): void {
    const { guest, memory } = this.visit
    if (this.isFirst) {
      this.isFirst = false
      for (const message of guest.messages({ last: FIRST_LAST })) this.show(message)
      return
    }
    const next = memory.seen + 1n
    if (memory.seen > 0n && guest.first > next && guest.last >= next)
      this.remark('-- some of what was said is not kept any more')
    if (guest.last >= next) for (const message of guest.messages({ from: next })) this.show(message)
  }

  private show(message: Message): void {
    const { memory, room } = this.visit
    if (message.id <= memory.seen) return
    memory.seen = message.id
    const said = saidIn(message)
    const line = said && lineOf(said, this.names)
    if (line !== null)
      this.typing.above(() =>
        this.context.output.result(line, saidValue(room.name, said!, this.names)),
      )
    this.visit.save()
    const tag = message.entity.find(({ name }) => name === '_tag_relay')
    if (tag) this.awaited.delete(new TextDecoder().decode(tag.value))
    this.look()
  }

  private attached(isAttached: boolean): void {
    if (!this.hasBegun || this.wasAway === !isAttached) return
    this.wasAway = !isAttached
    this.remark(
      isAttached
        ? '-- the host is there again'
        : '-- the host is out of reach: what you type waits until it is there again',
    )
  }

  private remark(line: string): void {
    this.typing.above(() => this.context.output.remark(line))
  }

  private typed(text: string): void {
    if (text.trim() === '') return
    this.queue.push(text)
    if (this.queue.length >= QUEUE_MAX) this.typing.pause()
    this.sending ??= this.sayAll().catch(reason => this.fail(reason))
  }

  private async sayAll(): Promise<void> {
    for (let text = this.queue[0]; text !== undefined; text = this.queue[0]) {
      await this.say(text)
      this.queue.shift()
      if (this.isEnding) this.hurry()
      if (this.queue.length < QUEUE_MAX && !this.isEnding) this.typing.resume()
    }
    this.sending = null
    this.look()
  }

  private async say(text: string): Promise<void> {
    const tag = this.visit.newTag()
    const tagText = encodeBase32(tag)
    let wasTold = false
    for (;;) {
      try {
        this.awaited.add(tagText)
        await this.visit.say(text, Infinity, tag)
        return
      } catch (error) {
        this.awaited.delete(tagText)
        if (!(error instanceof BoxError)) throw error
        if (error.code !== 'TALK_TOO_FAST') {
          this.refused(error)
          return
        }
        if (!wasTold) this.remark(`-- ${error.message}`)
        wasTold = true
      }
      await this.visit.pause(BREATH_MS)
    }
  }

  /** One text that is not taken is no reason to leave; being put out is. */
  private refused(error: BoxError): void {
    if (error.code !== 'INPUT_INVALID' && error.code !== 'STATE_UNWRITABLE') throw error
    this.code = EXIT_CODES[error.family]
    this.remark(`-- not said: ${error.message}`)
  }

  /** Nothing more will be typed. */
  private ending(): void {
    if (this.isEnding) return
    this.isEnding = true
    this.hurry()
    this.look()
  }

  /** Whoever ends waits no longer than this for the next line to be said. */
  private hurry(): void {
    this.late?.cancel()
    this.late = this.context.clock.after(this.options.timeoutMs, () =>
      this.fail(new BoxError('PEER_TIMEOUT', 'Not all that was typed has been said.')),
    )
  }

  /** Ends where all is said and has come back. */
  private look(): void {
    if (!this.isEnding || this.sending || this.queue.length > 0) return
    if (this.awaited.size === 0) this.finish(this.code)
    else this.echo ??= this.context.clock.after(ECHO_MS, () => this.finish(this.code))
  }
}
