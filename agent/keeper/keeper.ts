/**
 * Holds the terminals of shells while agents come and go: the agent is ended, crashes and is upgraded, and the next
 * one finds them. It knows nothing of grants or people, and lets nobody in but through the agent's own socket; it is
 * small so that it need not be upgraded.
 *
 * It ends shells by itself where no agent comes back in the time for which they are kept, and itself when it holds
 * nothing more.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Stream, StreamEvents } from '../../src/base/stream.ts'
import { WireError } from '../../src/wire/layout.ts'
import type { TerminalProgram } from '../lasting-shell.ts'
import type { Exit } from '../program.ts'
import type { TerminalRequest } from '../pty.ts'
import { HeldShell } from './held-shell.ts'
import {
  type Answer,
  bytesMessages,
  type FirstOrder,
  KEEPER_VERSIONS,
  KeeperReader,
  type LineOrder,
  type Order,
  readOrder,
  unexpected,
  wordsMessage,
} from './words.ts'

/** As many as an agent keeps (lasting-shells.ts): each has a shell, and 64 KB of its screen. */
const SHELLS_MAX = 32
/** A next shell within this time has no start to wait for. */
const IDLE_MS = 60_000
/** Whoever started it says so at once; a machine that is loaded takes its time. */
const FIRST_MS = 30_000
const LOOK_EVERY_MS = 20_000

export interface KeeperOptions {
  readonly clock: Clock
  /** Starts a program on a terminal. Throws where the machine has none left. */
  readonly start: (request: TerminalRequest) => TerminalProgram
  /** A shell was ended, or forgotten, with no agent there that could note it. `exit` null: it was let go. */
  readonly ended: (end: {
    readonly label: string
    readonly at: number
    readonly exit: Exit | null
  }) => void
  /** Whether an agent could still come: the state directory is there, and the socket in it. */
  readonly isReachable: () => boolean
  /** It holds nothing, and takes nothing any more. */
  readonly over: () => void
}

export class Keeper {
  private readonly options: KeeperOptions
  private readonly shells = new Map<number, HeldShell>()
  private line: Stream | null = null
  private keepMs = 0
  private last = 0
  private idle: Timer
  private look: Timer | null = null
  private isOver = false

  constructor(options: KeeperOptions) {
    this.options = options
    this.idle = options.clock.after(FIRST_MS, () => this.rest())
    this.lookAgain()
  }

  /** What to do with each connection. */
  accept(stream: Stream): StreamEvents {
    return new Visit(stream, this).events
  }

  /** Ends every shell, and itself. */
  close(): void {
    for (const shell of this.shells.values()) shell.hangUp()
    this.shells.clear()
    this.line?.close()
    this.finish()
  }

  /** An agent is there; the one before it is not any more. */
  greet(stream: Stream, { versions, keepMs }: FirstOrder & { do: 'line' }): Answer {
    const version = KEEPER_VERSIONS.find(one => versions.includes(one))
    if (version === undefined) return { say: 'refused', why: 'version', versions: KEEPER_VERSIONS }
    this.line?.close()
    this.line = stream
    this.keepMs = keepMs
    const holds = [...this.shells.values()].map(shell => shell.describe())
    for (const shell of this.shells.values()) shell.stopWaiting()
    this.rest()
    return { say: 'line', version, holds }
  }

  /** Returns the shell, or why there is none. */
  open({ program: request, label }: FirstOrder & { do: 'open' }): HeldShell | string {
    if (!this.line) return 'nobody looks after it'
    if (this.shells.size >= SHELLS_MAX) return 'there are too many'
    const { clock, start } = this.options
    let program: TerminalProgram
    try {
      program = start(request)
    } catch (error) {
      return String(error)
    }
    const shell = new HeldShell({ number: ++this.last, label, program, clock })
    this.shells.set(shell.number, shell)
    this.rest()
    return shell
  }

  find(number: number): HeldShell | null {
    return this.shells.get(number) ?? null
  }

  /** An order on the line. What is meant for a shell that has gone meanwhile does nothing. */
  obey(order: LineOrder): void {
    const shell = this.find(order.shell)
    if (!shell) return
    switch (order.do) {
      case 'resize':
        shell.program.resize(order.columns, order.rows)
        return
      case 'signal':
        shell.program.signal(`SIG${order.name}` as NodeJS.Signals)
        return
      case 'seen':
        shell.see(order.isSeen)
        return
      case 'end':
        this.forget(shell)
    }
  }

  /** A line has ended. */
  left(stream: Stream): void {
    if (this.line !== stream) return
    this.line = null
    for (const shell of this.shells.values()) {
      shell.detach()
      shell.wait(this.keepMs, () => this.letGo(shell))
    }
    this.rest()
  }

  private forget(shell: HeldShell): void {
    this.shells.delete(shell.number)
    shell.hangUp()
    this.rest()
  }

  private letGo(shell: HeldShell): void {
    const { label, ended } = shell
    const at = ended?.at ?? this.options.clock.now()
    this.options.ended({ label, at, exit: ended?.exit ?? null })
    this.forget(shell)
  }

  /** Ends where there is nothing to hold, and nobody who is about to bring something. */
  private rest(): void {
    this.idle.cancel()
    if (this.isOver || this.shells.size > 0) return
    if (!this.line) this.finish()
    else this.idle = this.options.clock.after(IDLE_MS, () => this.finish())
  }

  /** Nobody comes back through a socket that is gone: the device was reset, or taken away. */
  private lookAgain(): void {
    this.look = this.options.clock.after(LOOK_EVERY_MS, () => {
      if (!this.line && !this.options.isReachable()) this.close()
      else this.lookAgain()
    })
  }

  private finish(): void {
    if (this.isOver) return
    this.isOver = true
    this.idle.cancel()
    this.look?.cancel()
    this.line?.close()
    this.options.over()
  }
}

/** One connection: the line of an agent, or one of its shells. */
class Visit {
  readonly events: StreamEvents
  private readonly stream: Stream
  private readonly keeper: Keeper
  private readonly reader = new KeeperReader()
  private is: 'new' | 'line' | 'shell' | 'over' = 'new'
  private shell: HeldShell | null = null
  /** Its program reads nothing at the moment. */
  private isHeld = false
  private readonly attached = {
    write: (bytes: Uint8Array) =>
      bytesMessages(bytes)
        .map(message => this.stream.write(message))
        .every(Boolean),
    say: (answer: Answer) => void this.stream.write(wordsMessage(answer)),
    close: () => this.end(),
  }

  constructor(stream: Stream, keeper: Keeper) {
    this.stream = stream
    this.keeper = keeper
    this.events = {
      opened: () => {},
      received: chunk => this.received(chunk),
      drained: () => this.shell?.wake(),
      closed: () => this.closed(),
    }
  }

  private received(chunk: Uint8Array): void {
    if (this.is === 'over') return
    try {
      for (const heard of this.reader.push(chunk)) {
        if ('bytes' in heard) this.type(heard.bytes)
        else this.hear(readOrder(heard.words))
      }
    } catch (error) {
      if (!(error instanceof BoxError || error instanceof WireError)) throw error
      this.end()
    }
  }

  private hear(order: Order): void {
    const isFirst = order.do === 'line' || order.do === 'open' || order.do === 'attach'
    if (isFirst !== (this.is === 'new')) throw unexpected()
    if (!isFirst) {
      if (this.is !== 'line') throw unexpected()
      this.keeper.obey(order)
    } else if (order.do === 'line') {
      const answer = this.keeper.greet(this.stream, order)
      this.attached.say(answer)
      if (answer.say === 'line') this.is = 'line'
      else this.end()
    } else if (order.do === 'open') this.look(this.keeper.open(order))
    else this.look(this.keeper.find(order.shell) ?? 'it has ended')
  }

  private look(shell: HeldShell | string): void {
    if (typeof shell === 'string') {
      this.attached.say({ say: 'refused', why: shell, versions: KEEPER_VERSIONS })
      this.end()
      return
    }
    this.is = 'shell'
    this.shell = shell
    shell.attach(this.attached)
  }

  private type(bytes: Uint8Array): void {
    if (this.is !== 'shell') throw unexpected()
    const { input } = this.shell!.program
    if (input.destroyed || input.write(bytes) || this.isHeld) return
    this.isHeld = true
    this.stream.pause()
    const goOn = () => {
      this.isHeld = false
      input.off('drain', goOn)
      input.off('close', goOn)
      this.stream.resume()
    }
    input.on('drain', goOn)
    input.on('close', goOn)
  }

  private end(): void {
    if (this.is === 'over') return
    const { is } = this
    this.is = 'over'
    // What is paused would not hear of the end.
    this.stream.resume()
    this.stream.close()
    if (is === 'line') this.keeper.left(this.stream)
  }

  private closed(): void {
    const { is } = this
    this.is = 'over'
    if (is === 'line') this.keeper.left(this.stream)
    this.shell?.detach(this.attached)
  }
}
