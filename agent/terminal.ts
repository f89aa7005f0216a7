/** What the command says: lines for people or JSON lines, never both, on standard output; errors apart. */

import { BoxError, EXIT_CODES } from '../src/base/errors.ts'

/** EX_SOFTWARE of sysexits.h: a mistake of ours. */
const EXIT_BUG = 70

export interface TerminalParts {
  readonly json: boolean
  /** Whether somebody looks at it. */
  readonly isTerminal: boolean
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export class Terminal {
  readonly json: boolean
  readonly isTerminal: boolean
  private readonly out: (text: string) => void
  private readonly err: (text: string) => void

  constructor({ json, isTerminal, out, err }: TerminalParts) {
    this.json = json
    this.isTerminal = isTerminal
    this.out = out
    this.err = err
  }

  /** One result: the lines for people, or the value with --json. */
  say(lines: string, value: object): void {
    this.out(`${this.json ? JSON.stringify(value) : lines}\n`)
  }

  /** For people only. */
  show(lines: string): void {
    if (!this.json) this.out(`${lines}\n`)
  }

  /** One sentence, and the exit code that goes with it. */
  failure(error: unknown): number {
    if (!(error instanceof BoxError)) {
      this.err(`box-agent: ${error instanceof Error ? error.stack : String(error)}\n`)
      return EXIT_BUG
    }
    const message = error.message.replaceAll(/\p{Cc}+/gu, ' ')
    const { code, family } = error
    this.err(
      this.json
        ? `${JSON.stringify({ error: { code, family, message } })}\n`
        : `box-agent: ${message}\n`,
    )
    return EXIT_CODES[family]
  }
}
