/** A terminal that somebody sits at: a program under tmux, typed to and looked at. */

import { spawnSync } from 'node:child_process'

const LOOK_EVERY_MS = 50
/** Each has a tmux of its own, so that no configuration or session of this machine is in the way. */
let screens = 0
const open = new Set<Screen>()

export interface ScreenOptions {
  readonly columns?: number
  readonly rows?: number
  readonly env?: Readonly<Record<string, string>>
}

export class Screen {
  private readonly socket = `box-${process.pid}-${screens++}`

  /** Runs a line of sh. What it printed stays on the screen when it has ended. */
  constructor(line: string, { columns = 80, rows = 24, env = {} }: ScreenOptions = {}) {
    const size = ['-x', `${columns}`, '-y', `${rows}`]
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
    // The last word of the line stays to be read.
    const command = `${line}\necho "[ended $?]"; exec sleep 600`
    open.add(this)
    const program = ['env', ...variables, 'sh', '-c', command]
    this.tmux('-f', '/dev/null', 'new-session', '-d', ...size, ...program)
  }

  /** Types a text, and the return key. */
  enter(text: string): void {
    this.type(text)
    this.press('Enter')
  }

  type(text: string): void {
    this.tmux('send-keys', '-l', text)
  }

  /** A key as tmux calls it: `Enter`, `C-c`. */
  press(key: string): void {
    this.tmux('send-keys', key)
  }

  resize(columns: number, rows: number): void {
    this.tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** All that was printed so far, lines joined where the screen wrapped them. */
  text(): string {
    return this.tmux('capture-pane', '-p', '-J', '-S', '-1000')
  }

  /** The first match on the screen. Fails when time is up. */
  async until(pattern: RegExp, ms = 30_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + ms
    for (;;) {
      const found = pattern.exec(this.text())
      if (found) return found
      if (Date.now() > deadline) throw new Error(`no ${pattern} in ${ms} ms:\n${this.text()}`)
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  close(): void {
    if (!open.delete(this)) return
    spawnSync('tmux', ['-L', this.socket, 'kill-server'])
  }

  private tmux(...words: string[]): string {
    const ran = spawnSync('tmux', ['-L', this.socket, ...words], { encoding: 'utf8' })
    if (ran.status !== 0) throw new Error(`tmux ${words[0]}: ${ran.stderr}`)
    return ran.stdout
  }
}

/** Ends all of them. */
export function closeScreens(): void {
  for (const screen of open) screen.close()
}
