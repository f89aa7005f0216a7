/**
 * One shell in the keeper. It is always read: the last of what it prints is kept, and all of it goes to the agent
 * that is attached, no faster than that reads.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { TerminalProgram } from '../lasting-shell.ts'
import type { Exit } from '../program.ts'
import { ScreenTail } from '../screen-tail.ts'
import type { Answer, Held } from './words.ts'

/** The connection of an agent to this shell. */
export interface Attached {
  /** False: wait for `wake` before more. */
  write(bytes: Uint8Array): boolean
  say(answer: Answer): void
  close(): void
}

export interface HeldShellOptions {
  readonly number: number
  readonly label: string
  readonly program: TerminalProgram
  readonly clock: Clock
}

export class HeldShell {
  readonly number: number
  readonly label: string
  readonly program: TerminalProgram
  private readonly clock: Clock
  private readonly startedAt: number
  private readonly tail = new ScreenTail()
  private attached: Attached | null = null
  private resume = () => {}
  private end: { readonly exit: Exit; readonly at: number } | null = null
  /** By clock.elapsed, since when nobody looks; null while somebody does. */
  private unseenSince: number | null = null
  private cutOffAt: number | null = null
  private timer: Timer | null = null

  constructor({ number, label, program, clock }: HeldShellOptions) {
    this.number = number
    this.label = label
    this.program = program
    this.clock = clock
    this.startedAt = clock.now()
    void this.carry()
  }

  /** How and when it ended; null while it runs. */
  get ended(): { readonly exit: Exit; readonly at: number } | null {
    return this.end
  }

  describe(): Held {
    const { number: shell, label, startedAt, cutOffAt, unseenSince } = this
    const since = unseenSince ?? this.clock.elapsed()
    const silentMs = Math.max(0, Math.round(this.clock.elapsed() - since))
    return { shell, pid: this.program.pid, label, startedAt, silentMs, cutOffAt }
  }

  /** From now on this one gets it: first the screen as it was. Whoever had it before is let go. */
  attach(attached: Attached): void {
    this.detach()
    this.attached = attached
    attached.say({ say: 'shell', shell: this.number, pid: this.program.pid })
    const screen = this.tail.replay()
    if (screen.length > 0) attached.write(screen)
    this.tellEnd()
  }

  /** Its agent has gone, or another one comes. */
  detach(attached = this.attached): void {
    if (attached === null || attached !== this.attached) return
    this.attached = null
    attached.close()
    this.resume()
  }

  /** There is room again. */
  wake(): void {
    this.resume()
  }

  /** Whether anybody looks, as the agent says. */
  see(isSeen: boolean): void {
    this.cutOffAt = null
    this.unseenSince = isSeen ? null : (this.unseenSince ?? this.clock.elapsed())
  }

  /** There is no agent: after this time `over` is called, unless one comes. */
  wait(keepMs: number, over: () => void): void {
    if (this.unseenSince === null) {
      this.unseenSince = this.clock.elapsed()
      this.cutOffAt = this.clock.now()
    }
    const left = keepMs - (this.clock.elapsed() - this.unseenSince)
    this.timer?.cancel()
    this.timer = this.clock.after(Math.max(0, left), over)
  }

  /** There is an agent, who looks after the time. */
  stopWaiting(): void {
    this.timer?.cancel()
    this.timer = null
  }

  /** It is not wanted any more. */
  hangUp(): void {
    this.stopWaiting()
    this.detach()
    this.program.hangUp()
  }

  private async carry(): Promise<void> {
    try {
      for await (const chunk of this.program.output) {
        this.tail.add(chunk as Uint8Array)
        const { attached } = this
        if (attached && !attached.write(chunk as Uint8Array))
          await new Promise<void>(resolve => {
            this.resume = resolve
          })
      }
    } catch {
      // It was hung up.
    }
    const exit = await this.program.exited
    this.end = { exit, at: this.clock.now() }
    this.tellEnd()
  }

  private tellEnd(): void {
    if (this.end) this.attached?.say({ say: 'exit', ...this.end })
  }
}
