/** A terminal with somebody in front of it: a tmux of its own, what it shows, keys typed, its size changed. */

import { spawnSync } from 'node:child_process'

const LOOK_EVERY_MS = 100

export class Screen {
  private readonly socket: string

  constructor(name: string, size: readonly [number, number], command: string) {
    this.socket = `box-${process.pid}-${name}`
    const [columns, rows] = size.map(String)
    this.tmux('-f', '/dev/null', 'new-session', '-d', '-x', columns!, '-y', rows!, command)
    this.tmux('set-option', '-g', 'status', 'off')
    this.tmux('set-option', '-g', 'remain-on-exit', 'on')
  }

  /** The lines that can be seen, without blanks at their ends. */
  lines(): string[] {
    return this.tmux('capture-pane', '-p')
      .split('\n')
      .map(line => line.trimEnd())
  }

  text(): string {
    return this.lines().join('\n')
  }

  /** Keys as tmux names them: `Enter`, `C-c`, or text. */
  type(...keys: readonly string[]): void {
    this.tmux('send-keys', ...keys)
  }

  /** Pastes as a terminal does, with brackets where the program has asked for them. */
  paste(text: string): void {
    this.tmux('set-buffer', text)
    this.tmux('paste-buffer', '-p', '-r')
  }

  resize(columns: number, rows: number): void {
    this.tmux('resize-window', '-x', `${columns}`, '-y', `${rows}`)
  }

  /** Until what is seen satisfies; what it was otherwise. */
  async until(holds: RegExp | ((lines: string[]) => boolean), ms = 20_000): Promise<string[]> {
    const deadline = Date.now() + ms
    for (;;) {
      const lines = this.lines()
      if (typeof holds === 'function' ? holds(lines) : holds.test(lines.join('\n'))) return lines
      if (Date.now() > deadline) throw new Error(`never saw ${holds}:\n${lines.join('\n')}`)
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
    }
  }

  close(): void {
    spawnSync('tmux', ['-L', this.socket, 'kill-server'])
  }

  private tmux(...words: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync('tmux', ['-L', this.socket, ...words], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' },
    })
    if (status !== 0) throw new Error(`tmux ${words.join(' ')}: ${stderr}`)
    return stdout
  }
}
