/**
 * A program on a terminal that the keeper holds, as this agent has it: its bytes come over a connection of its own,
 * what else is to be done with it goes over the line. It may be left, and goes on.
 */

import { Readable, Writable } from 'node:stream'
import { BoxError } from '../../src/base/errors.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { TerminalProgram } from '../lasting-shell.ts'
import type { Exit } from '../program.ts'
import {
  type Answer,
  bytesMessages,
  type FirstOrder,
  type Heard,
  KeeperReader,
  type LineOrder,
  readAnswer,
  unexpected,
  wordsMessage,
} from './words.ts'

/** Held for a slow reader before the keeper is made to wait. */
const BUFFER = 64 * 1024
/** For whoever looks at a shell whose keeper is gone: the kernel hangs it up then. */
const LOST = '\r\nThis shell has ended: the process that held it is gone.\r\n'

export interface KeptProgramOptions {
  readonly dial: (events: StreamEvents) => Stream
  readonly first: FirstOrder & { do: 'open' | 'attach' }
  /** On the line. */
  readonly tell: (order: LineOrder) => void
}

export class KeptProgram implements TerminalProgram {
  readonly output: Readable
  readonly errors = null
  readonly input: Writable
  readonly exited: Promise<Exit>
  readonly keeping = this
  /** When it ended, in milliseconds since 1970; null where that is not known. */
  endedAt: number | null = null
  private readonly tell: (order: LineOrder) => void
  private readonly stream: Stream
  private readonly reader = new KeeperReader()
  private readonly settle: (exit: Exit) => void
  private known: { readonly shell: number; readonly pid: number } | null = null
  private begun: { resolve(program: KeptProgram): void; reject(error: unknown): void } | null = null
  private drained = () => {}
  private isOver = false

  /** Opens or attaches to one. Fails with LIMIT_EXCEEDED, CHANNEL_LOST, SHELL_UNKNOWN. */
  static begin(options: KeptProgramOptions): Promise<KeptProgram> {
    return new Promise((resolve, reject) => {
      try {
        const program = new KeptProgram(options)
        program.begun = { resolve, reject }
      } catch (error) {
        reject(error)
      }
    })
  }

  private constructor({ dial, first, tell }: KeptProgramOptions) {
    this.tell = tell
    let settle: (exit: Exit) => void
    this.exited = new Promise(resolve => {
      settle = resolve
    })
    this.settle = settle!
    const request = wordsMessage(first)
    this.stream = dial({
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.drained(),
      closed: () => this.closed(),
    })
    // Before it stands: it is the first that leaves, whatever is written meanwhile.
    this.stream.write(request)
    this.output = new Readable({
      highWaterMark: BUFFER,
      read: () => this.stream.resume(),
      destroy: (error, done) => {
        this.hangUp()
        done(error)
      },
    })
    this.input = new Writable({
      highWaterMark: BUFFER,
      write: (chunk: Uint8Array, _encoding, done) => this.type(chunk, done),
    })
  }

  get pid(): number {
    return this.known?.pid ?? 0
  }

  resize(columns: number, rows: number): void {
    this.order(shell => ({ do: 'resize', shell, columns: whole(columns), rows: whole(rows) }))
  }

  signal(name: NodeJS.Signals): void {
    this.order(shell => ({ do: 'signal', shell, name: name.slice('SIG'.length) }))
  }

  /** Whether anybody looks: the keeper has to know where this process ends without a word. */
  see(isSeen: boolean): void {
    this.order(shell => ({ do: 'seen', shell, isSeen }))
  }

  /** It is hung up; where it has ended, what is kept of it is given up. */
  hangUp(): void {
    this.order(shell => ({ do: 'end', shell }))
    this.finish({ signal: 'HUP' })
  }

  /** It goes on without us, and waits for the next agent. */
  leave(): void {
    if (this.isOver) return
    this.isOver = true
    this.stream.resume()
    this.stream.close()
  }

  private order(make: (shell: number) => LineOrder): void {
    if (this.known) this.tell(make(this.known.shell))
  }

  private received(chunk: Uint8Array): void {
    try {
      for (const heard of this.reader.push(chunk)) this.take(heard)
    } catch (error) {
      if (!(error instanceof BoxError || error instanceof WireError)) throw error
      this.closed()
    }
  }

  private take(heard: Heard): void {
    if (this.isOver) return
    if ('words' in heard) this.hear(readAnswer(heard.words))
    else if (!this.known) throw unexpected()
    else if (!this.output.push(heard.bytes)) this.stream.pause()
  }

  private hear(answer: Answer): void {
    switch (answer.say) {
      case 'shell': {
        this.known = answer
        const { begun } = this
        this.begun = null
        begun?.resolve(this)
        return
      }
      case 'refused':
        this.fail(new BoxError('SHELL_UNKNOWN', `The keeper of shells: ${answer.why}.`))
        return
      case 'exit':
        this.endedAt = answer.at
        this.finish(answer.exit)
        return
      default:
        throw unexpected()
    }
  }

  private fail(error: BoxError): void {
    this.begun?.reject(error)
    this.begun = null
    this.finish({ signal: 'HUP' })
  }

  /** The keeper is gone, or says nothing that makes sense. */
  private closed(): void {
    if (this.isOver) return
    if (this.known) this.output.push(new TextEncoder().encode(LOST))
    this.fail(new BoxError('CHANNEL_LOST', 'The keeper of shells is gone.'))
  }

  private finish(exit: Exit): void {
    if (this.isOver) return
    this.isOver = true
    this.settle(exit)
    this.output.push(null)
    this.input.destroy()
    // What is paused would not hear of the end.
    this.stream.resume()
    this.stream.close()
  }

  private type(chunk: Uint8Array, done: () => void): void {
    const messages = this.isOver ? [] : bytesMessages(chunk)
    if (messages.map(message => this.stream.write(message)).every(Boolean)) {
      done()
      return
    }
    this.drained = () => {
      this.drained = () => {}
      done()
    }
  }
}

const whole = (size: number): number => (Number.isInteger(size) && size > 0 ? size : 0)
