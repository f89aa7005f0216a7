/**
 * A shell that can outlive its connection. Its output is always read: shown to whoever looks, and the last of it
 * kept for whoever comes back. Nobody looking, the program runs on as it would behind a tmux.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import type { KeptShell } from '../src/box/kept-shells.ts'
import { foregroundName } from './process-group.ts'
import type { Exit, Program } from './program.ts'
import type { Caller } from './ssh-server.ts'
import type { WatchedScreen } from './watched-screen.ts'

/** A program on a terminal: pty.ts has them, and the keeper those that outlive this process. */
export type TerminalProgram = Program & {
  resize(columns: number, rows: number): void
  readonly keeping?: Keeping
}

/** What can be done with a program that another process holds. */
export interface Keeping {
  /** When it ended, in milliseconds since 1970; null where that is not known. */
  readonly endedAt: number | null
  /** Whether anybody looks: it has to be known there where this process ends without a word. */
  see(isSeen: boolean): void
  /** It goes on without this process. */
  leave(): void
}

/** Whose shell it is: of `Caller` what is known after a restart as well. */
export type ShellOwner = Pick<Caller, 'zone' | 'name' | 'allows' | 'note'>

export interface WindowSize {
  readonly columns: number
  readonly rows: number
}

/** Of a shell that an agent before has opened, until somebody looks at it. */
export const UNKNOWN_SIZE: WindowSize = { columns: 80, rows: 24 }

/** Why a view ended before the program did. */
export type Parting = 'lost' | 'taken over'

/** Who looks at a shell. */
export interface Viewer {
  readonly caller: Caller
  /** Resolves when there is room for more; perhaps never, where the connection has gone. */
  write(chunk: Uint8Array): Promise<void>
  /** By clock.elapsed, when anything last came over the connection. */
  heardAt(): number
}

interface View extends Viewer {
  /** Called when the view ends. */
  end: (parting: Parting) => void
  /** Ends the waiting for a write. */
  wake: () => void
}

/** A program that is told of two sizes at once sees only the second; on a loaded machine that takes a while. */
const REDRAW_MS = 150

export interface LastingShellOptions {
  readonly id: string
  readonly program: TerminalProgram
  readonly owner: ShellOwner
  /** Whose of the machine it is; null: of whoever the agent runs as. */
  readonly user: string | null
  readonly clock: Clock
  /** Of one that an agent before has opened. */
  readonly before?: { readonly startedAt: number; readonly silentMs: number }
  /** Keeps what it shows, for whoever comes back and for whoever watches. */
  readonly screen: WatchedScreen
}

export class LastingShell {
  readonly id: string
  readonly program: TerminalProgram
  readonly screen: WatchedScreen
  readonly user: string | null
  /** Whoever looks, or looked last. */
  owner: ShellOwner
  private readonly clock: Clock
  private readonly startedAt: number
  private readonly exited: Promise<Exit>
  private view: View | null = null
  private redrawing: Timer | null = null
  private exit: Exit | null = null
  private lostAt: number

  constructor({ id, program, owner, user, clock, screen, before }: LastingShellOptions) {
    this.id = id
    this.screen = screen
    screen.tell = line => void this.view?.write(line)
    this.program = program
    this.owner = owner
    this.user = user
    this.clock = clock
    this.startedAt = before?.startedAt ?? clock.now()
    this.lostAt = clock.elapsed() - (before?.silentMs ?? 0)
    this.exited = this.carry()
  }

  /** Whether nobody looks. */
  get isKept(): boolean {
    return this.view === null
  }

  /** How it ended; null while it runs. */
  get end(): Exit | null {
    return this.exit
  }

  /** Shows it to the first who looks, behind a greeting, until it or the view ends. */
  show(viewer: Viewer, greeting: Uint8Array): Promise<Exit | Parting> {
    this.screen.add(greeting)
    return this.showAfter(viewer, greeting)
  }

  /** Shows it to whoever comes back: the screen as it was, then all that follows. */
  async showAgain(viewer: Viewer, size: WindowSize): Promise<Exit | Parting> {
    this.view?.end('taken over')
    this.owner = viewer.caller
    const shown = this.showAfter(viewer, this.screen.replay())
    this.screen.resize(size.columns, size.rows)
    this.redraw(size)
    return await shown
  }

  /** The connection of whoever looks is lost. */
  lose(): void {
    this.view?.end('lost')
  }

  /** Leaves it to whoever holds it, for the next agent; false where that is this process. */
  leave(): boolean {
    const { keeping } = this.program
    if (!keeping) return false
    this.lose()
    this.redrawing?.cancel()
    keeping.leave()
    return true
  }

  /** Ends it, whoever looks. */
  hangUp(): void {
    this.redrawing?.cancel()
    this.program.hangUp()
  }

  describe(): KeptShell {
    const since = this.view ? this.view.heardAt() : this.lostAt
    return {
      id: this.id,
      state: this.view ? 'open' : this.exit ? 'ended' : 'kept',
      program: (!this.exit && foregroundName(this.program.pid)) || '',
      startedAt: this.startedAt,
      silentMs: Math.max(0, Math.round(this.clock.elapsed() - since)),
    }
  }

  private showAfter(viewer: Viewer, first: Uint8Array): Promise<Exit | Parting> {
    return new Promise(resolve => {
      const view: View = {
        caller: viewer.caller,
        heardAt: () => viewer.heardAt(),
        write: chunk => viewer.write(chunk),
        wake: () => {},
        end: parting => {
          this.view = null
          this.program.keeping?.see(false)
          this.lostAt = this.clock.elapsed()
          view.wake()
          resolve(parting)
        },
      }
      this.view = view
      this.program.keeping?.see(true)
      // Written before anything that is printed from now on; its end is behind it.
      const begun = first.length > 0 ? viewer.write(first) : Promise.resolve()
      void begun.then(() => this.exited).then(resolve)
    })
  }

  /** Reads to the end, no faster than whoever looks does. */
  private async carry(): Promise<Exit> {
    try {
      for await (const chunk of this.program.output) {
        this.screen.add(chunk as Uint8Array)
        const { view } = this
        if (view)
          await new Promise<void>(resolve => {
            view.wake = resolve
            void view.write(chunk as Uint8Array).then(resolve)
          })
      }
    } catch {
      // It was hung up.
    }
    this.redrawing?.cancel()
    this.exit = await this.program.exited
    return this.exit
  }

  /** Programs draw themselves again when the window changes, many only when it does: so it changes twice. */
  private redraw({ columns, rows }: WindowSize): void {
    this.redrawing?.cancel()
    this.program.resize(columns, rows > 2 ? rows - 1 : rows + 1)
    this.redrawing = this.clock.after(REDRAW_MS, () => this.program.resize(columns, rows))
  }
}
