/**
 * What a shell shows, for those who watch it beside its person: they see the screen as it is when they come, then all
 * that follows, at their own pace. Whoever falls behind sees the screen anew; the shell waits for nobody.
 */

import type { Clock } from '../src/base/clock.ts'
import type { CastKind } from '../src/box/recording.ts'
import type { OpenShell } from '../src/box/watching.ts'
import { foregroundName } from './process-group.ts'
import { ScreenTail } from './screen-tail.ts'

/** More people look at one shell only where it is a lecture. */
export const WATCHERS_MAX = 8
/** Of one watcher, what has not been taken yet; some four screens full. */
const BEHIND_MAX = 256 * 1_024
/** Of a terminal that is not known to be empty: everything begins anew. */
const RESET = '\u001bc'
const WHOLE_NUMBER = (count: number, otherwise: number) =>
  Number.isInteger(count) && count > 0 ? Math.min(count, 1_000) : otherwise

/** Why somebody does not watch any more. */
export type WatchEnd = 'left' | 'over'

export interface WatchedShell {
  readonly number: number
  /** Whose it is. */
  readonly who: string
  readonly clock: Clock
  readonly columns: number
  readonly rows: number
  /** Called when it is over. */
  readonly closed: () => void
}

interface Watcher {
  pending: string[]
  size: number
  isBehind: boolean
  /** Ends the waiting for something to show. */
  wake: () => void
  hasLeft: boolean
}

export class WatchedScreen {
  readonly number: number
  /** Of the program, once it runs. */
  pid = 0
  /** Shows the person whose shell it is a line of ours. */
  tell: (line: Uint8Array) => void = () => {}
  private readonly shell: WatchedShell
  private readonly startedAt: number
  private readonly begunAt: number
  private readonly tail = new ScreenTail()
  private readonly watchers = new Set<Watcher>()
  private decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  private columns: number
  private rows: number
  private isOver = false

  constructor(shell: WatchedShell) {
    this.shell = shell
    this.number = shell.number
    this.columns = WHOLE_NUMBER(shell.columns, 80)
    this.rows = WHOLE_NUMBER(shell.rows, 24)
    this.startedAt = shell.clock.now()
    this.begunAt = shell.clock.elapsed()
  }

  get who(): string {
    return this.shell.who
  }

  get isFull(): boolean {
    return this.watchers.size >= WATCHERS_MAX
  }

  /** What the program prints. */
  add(bytes: Uint8Array): void {
    this.tail.add(bytes)
    if (this.watchers.size > 0) this.say('o', this.decoder.decode(bytes, { stream: true }))
  }

  /** As ScreenTail.replay. */
  replay(): Uint8Array {
    return this.tail.replay()
  }

  resize(columns: number, rows: number): void {
    this.columns = WHOLE_NUMBER(columns, this.columns)
    this.rows = WHOLE_NUMBER(rows, this.rows)
    this.say('r', this.size)
  }

  describe(): OpenShell {
    const { number, columns, rows, startedAt } = this
    const program = (this.pid > 0 && !this.isOver && foregroundName(this.pid)) || ''
    const watchers = this.watchers.size
    return { number, who: this.shell.who, program, startedAt, columns, rows, watchers }
  }

  /** The program has ended: so has the watching. */
  end(): void {
    if (this.isOver) return
    this.isOver = true
    for (const watcher of this.watchers) watcher.wake()
    this.shell.closed()
  }

  /**
   * Shows it to one more, until it is over or `left` is aborted; `write` resolves when there is room for more, perhaps
   * never. The person whose shell it is reads who comes and goes.
   */
  async watch(
    who: string,
    write: (line: string) => Promise<void>,
    left: AbortSignal,
  ): Promise<WatchEnd> {
    const watcher: Watcher = {
      ...{ pending: [], size: 0, isBehind: true, hasLeft: left.aborted },
      wake: () => {},
    }
    const leave = () => {
      watcher.hasLeft = true
      watcher.wake()
    }
    left.addEventListener('abort', leave, { once: true })
    if (this.watchers.size === 0) this.decoder = new TextDecoder('utf-8', { ignoreBOM: true })
    this.watchers.add(watcher)
    this.announce(`${who} watches this session`)
    try {
      await Promise.race([
        this.show(watcher, write),
        new Promise<void>(resolve => left.addEventListener('abort', () => resolve())),
      ])
    } finally {
      this.watchers.delete(watcher)
      left.removeEventListener('abort', leave)
      this.announce(`${who} watches no longer`)
    }
    return this.isOver && !watcher.hasLeft ? 'over' : 'left'
  }

  private async show(watcher: Watcher, write: (line: string) => Promise<void>): Promise<void> {
    await write(`${JSON.stringify(this.describe())}\n`)
    while (!watcher.hasLeft) {
      const lines = this.linesFor(watcher)
      for (const line of lines) {
        if (watcher.hasLeft || watcher.isBehind) break
        await write(line)
      }
      if (lines.length > 0) continue
      if (this.isOver) return
      await new Promise<void>(resolve => {
        watcher.wake = resolve
      })
    }
  }

  /** Takes what waits for a watcher: the whole screen, where it is new or has fallen behind. */
  private linesFor(watcher: Watcher): readonly string[] {
    const lines = watcher.pending
    watcher.pending = []
    watcher.size = 0
    if (!watcher.isBehind) return lines
    watcher.isBehind = false
    const screen = new TextDecoder().decode(this.tail.replay())
    return [this.line('r', this.size), this.line('o', RESET + screen)]
  }

  private say(kind: CastKind, data: string): void {
    if (data === '' || this.watchers.size === 0) return
    const line = this.line(kind, data)
    for (const watcher of this.watchers) {
      if (watcher.isBehind) continue
      watcher.pending.push(line)
      watcher.size += line.length
      if (watcher.size > BEHIND_MAX) {
        watcher.isBehind = true
        watcher.pending = []
        watcher.size = 0
      }
      watcher.wake()
    }
  }

  private line(kind: CastKind, data: string): string {
    const ms = Math.round(this.shell.clock.elapsed() - this.begunAt)
    return `${JSON.stringify([ms / 1_000, kind, data])}\n`
  }

  private get size(): string {
    return `${this.columns}x${this.rows}`
  }

  /** On a line of its own, which names steer nothing in. */
  private announce(text: string): void {
    if (this.isOver) return
    const line = Buffer.from(`\r\n[${text.replaceAll(/\p{C}/gu, '?')}]\r\n`)
    // Also for whoever comes back to a shell that nobody looked at meanwhile.
    this.add(line)
    this.tell(line)
  }
}
