/**
 * box chat: shows what was said last, then what is being said, and says what is typed, until the person has had enough.
 * Whoever is not there gets it later; what is typed is on the disk at once.
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Context } from '../context.ts'
import { Interrupted } from '../output.ts'
import { listenToTyping, noTyping, type Typing } from '../room/typing.ts'
import type { Contact } from './contact-book.ts'
import type { TalkDesk, Whither } from './desk.ts'
import { talkLine, talkValue } from './lines.ts'
import type { Said } from './talk-state.ts'

/** Of what was said before. */
const FIRST_LAST = 20
/** Another process of ours may take what they say, a `box up`. */
const LOOK_EVERY_MS = 500

export interface ChatOptions {
  /** Nothing is typed. */
  readonly isSilent: boolean
}

/** Returns whither the last that was said has come. Fails with Interrupted, STATE_UNREADABLE, STATE_UNWRITABLE. */
export async function chat(
  context: Context,
  desk: TalkDesk,
  contact: Contact,
  options: ChatOptions,
): Promise<Whither> {
  const one = new Chat(context, desk, contact, options)
  try {
    return await one.run()
  } finally {
    one.close()
  }
}

class Chat {
  private readonly context: Context
  private readonly desk: TalkDesk
  private readonly contact: Contact
  private readonly options: ChatOptions
  private typing: Typing = noTyping
  private readonly shown = new Set<string>()
  private revision = ''
  private looking: Promise<void> | null = null
  private timer: Timer | null = null
  private whither: Whither = 'heard'
  private isThere: boolean | null = null
  private saying: Promise<void> = Promise.resolve()
  private finish!: () => void
  private fail!: (reason: unknown) => void
  private readonly finished = new Promise<void>((resolve, reject) => {
    this.finish = resolve
    this.fail = reject
  })

  constructor(context: Context, desk: TalkDesk, contact: Contact, options: ChatOptions) {
    this.context = context
    this.desk = desk
    this.contact = contact
    this.options = options
    // Whoever fails before it is waited for says so by another way.
    this.finished.catch(() => {})
  }

  async run(): Promise<Whither> {
    const { stdio, signal } = this.context
    const abort = () => this.fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    await this.look(FIRST_LAST)
    if (!this.options.isSilent)
      this.typing = listenToTyping(stdio, {
        line: text => this.typed(text),
        ended: () => this.finish(),
        interrupted: () => this.fail(new Interrupted()),
      })
    this.watch()
    this.desk.call(this.contact).then(
      () => this.tellPresence(),
      error => this.fail(error),
    )
    try {
      await this.finished
      await this.saying
      if (this.desk.memoryOf(this.contact).read().unheard.length === 0) return 'heard'
      this.whither = await this.desk.deliver(this.contact)
      await this.look(Infinity)
      return this.whither
    } finally {
      signal.removeEventListener('abort', abort)
    }
  }

  close(): void {
    this.timer?.cancel()
    this.timer = null
    this.typing.close()
  }

  private watch(): void {
    this.timer = this.context.clock.after(LOOK_EVERY_MS, () => {
      this.tellPresence()
      this.look(Infinity).then(
        () => {
          if (this.timer) this.watch()
        },
        error => this.fail(error),
      )
    })
  }

  /** Shows what was not shown yet, of the last so many. */
  private async look(last: number): Promise<void> {
    await this.looking
    this.looking = this.lookOnce(last).finally(() => {
      this.looking = null
    })
    await this.looking
  }

  private async lookOnce(last: number): Promise<void> {
    const memory = this.desk.memoryOf(this.contact)
    const revision = memory.revision()
    if (revision === this.revision) return
    this.revision = revision
    const all = await memory.history()
    const from = Math.max(0, all.length - last)
    all.forEach((said, at) => {
      const key = `${said.by} ${said.number}`
      if (this.shown.has(key)) return
      this.shown.add(key)
      if (at >= from) this.show(said)
    })
    await memory.markRead()
  }

  private show(said: Said): void {
    const { output, ego } = this.context
    const line = talkLine(said, this.contact, ego().name)
    this.typing.above(() => output.result(line, talkValue(said, this.contact)))
  }

  private typed(text: string): void {
    if (text.trim() === '') return
    this.saying = this.saying
      .then(async () => {
        await this.desk.say(this.contact, { is: 'text', text })
        await this.look(Infinity)
        this.follow()
      })
      .catch(error => {
        const isTold = error instanceof BoxError && error.code === 'INPUT_INVALID'
        if (isTold) this.remark(`-- not said: ${error.message}`)
        else this.fail(error)
      })
  }

  /** Tells where it goes, once it is another way than before. */
  private follow(): void {
    this.desk.deliver(this.contact).then(
      whither => {
        if (whither === this.whither) return
        this.whither = whither
        const { name } = this.contact
        const told = {
          heard: `-- ${name} has all of it`,
          left: `-- ${name} is not there: it lies with a relay until they are`,
          waits: `-- ${name} is out of reach: it waits here, and is brought while this or box up runs`,
        }[whither]
        this.remark(told)
      },
      error => {
        // The loops of the desk try again.
        if (!(error instanceof BoxError)) this.fail(error)
      },
    )
  }

  private tellPresence(): void {
    // They may have another key since.
    const { book } = this.desk
    const isThere = this.desk.isLinked(book.findEver(this.contact.zone) ?? this.contact)
    if (isThere === this.isThere) return
    if (isThere || this.isThere)
      this.remark(`-- ${this.contact.name} is ${isThere ? '' : 'no longer '}there`)
    this.isThere = isThere
  }

  private remark(line: string): void {
    this.typing.above(() => this.context.output.remark(line))
  }
}
