/**
 * What a command says. Results go to standard output, as lines for people or as JSON lines, never both;
 * remarks, progress and errors go to standard error, so that a result can be piped.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError, EXIT_CODES } from '../src/base/errors.ts'

/** EX_SOFTWARE of sysexits.h: a mistake of ours. */
const EXIT_BUG = 70
/** What a shell reports for a program ended by ^C: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130
/** Nobody is told to wait for what takes less. */
const PROGRESS_AFTER_MS = 1_000

/** Where text goes. */
export interface Sink {
  readonly isTerminal: boolean
  write(bytes: string | Uint8Array): void
  /** Resolves when whoever reads has caught up; null where nobody has to wait. Absent: nobody ever has to. */
  behind?(): Promise<void> | null
}

export interface Progress {
  /** Replaces what is being done. */
  now(doing: string): void
  end(): void
}

export interface OutputOptions {
  readonly json: boolean
  readonly out: Sink
  readonly err: Sink
  readonly clock: Clock
}

export class Output {
  readonly json: boolean
  private readonly out: Sink
  private readonly err: Sink
  private readonly clock: Clock
  private live: { timer: Timer; shown: boolean } | null = null

  constructor({ json, out, err, clock }: OutputOptions) {
    this.json = json
    this.out = out
    this.err = err
    this.clock = clock
  }

  /** One result: the line for people, or the value with --json. */
  result(line: string, value: object): void {
    this.hide()
    this.out.write(this.json ? `${jsonText(value)}\n` : `${printable(line)}\n`)
  }

  /** What a device printed, as it is; only for people. */
  raw(bytes: Uint8Array, to: 'out' | 'err'): void {
    this.hide()
    this[to].write(bytes)
  }

  /** For whoever has much to say: resolves when whoever reads it has caught up; undefined where that need not wait. */
  behind(): Promise<void> | undefined {
    return this.out.behind?.() ?? this.err.behind?.() ?? undefined
  }

  /** A remark for people beside the result. Nothing with --json. */
  remark(line: string): void {
    if (this.json) return
    this.hide()
    this.err.write(`${printable(line)}\n`)
  }

  /** A question to the person at the terminal, and nothing after it. */
  prompt(text: string): void {
    this.hide()
    this.err.write(printable(text))
  }

  /** Shows on a terminal what is being done, once it takes more than a second. */
  progress(doing: string): Progress {
    const begun = this.clock.elapsed()
    let text = doing
    this.live?.timer.cancel()
    const tick = () => {
      this.hide()
      const seconds = Math.round((this.clock.elapsed() - begun) / 1_000)
      this.err.write(`\r${printable(text)} … ${seconds} s`)
      this.live = { timer: this.clock.after(PROGRESS_AFTER_MS, tick), shown: true }
    }
    if (this.err.isTerminal && !this.json)
      this.live = { timer: this.clock.after(PROGRESS_AFTER_MS, tick), shown: false }
    return {
      now: doing => {
        text = doing
      },
      end: () => {
        this.hide()
        this.live?.timer.cancel()
        this.live = null
      },
    }
  }

  /** What went wrong with one of several devices, as a result beside theirs; returns its exit code. */
  problem(name: string, { code, family, message }: BoxError): number {
    if (this.json) this.result('', { name, error: { code, family, message } })
    else this.remark(`${name}: ${message}`)
    return EXIT_CODES[family]
  }

  /** Says what went wrong and returns the exit code for it. */
  failure(error: unknown): number {
    this.hide()
    if (error instanceof BoxError) {
      const { code, family, message } = error
      this.err.write(
        this.json
          ? `${JSON.stringify({ error: { code, family, message } })}\n`
          : `box: ${printable(message)}\n`,
      )
      return EXIT_CODES[family]
    }
    if (error instanceof Interrupted) return EXIT_INTERRUPTED
    this.err.write(`box: ${error instanceof Error ? (error.stack ?? error.message) : error}\n`)
    return EXIT_BUG
  }

  private hide(): void {
    if (!this.live?.shown) return
    this.err.write('\r\u001b[K')
    this.live = { ...this.live, shown: false }
  }
}

/** The person pressed ^C, or the system asked us to end: not an error, and nothing to explain. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}

/** Text that cannot steer a terminal: control characters (C0 but tab and newline, DEL, C1) are shown as `?`. */
export const printable = (text: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
  text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '?')

/** JSON that cannot steer a terminal either: what JSON itself lets pass (DEL, C1) is escaped like the rest. */
const jsonText = (value: object): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f]/g,
    char => `\\u00${char.charCodeAt(0).toString(16)}`,
  )

/** Lines of columns, each as wide as its widest cell. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length)
    })
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i]!))
      .join('  ')
      .trimEnd(),
  )
}
