/**
 * What somebody types while others speak: line by line, from a terminal or a pipe. On a terminal the line that is
 * being typed stays at the bottom, and what was typed disappears, since it comes back as a message.
 */

import { clearScreenDown, createInterface, cursorTo, moveCursor } from 'node:readline'
import type { Stdio } from '../context.ts'

const PROMPT = '> '
const COLUMNS = 80
/** What cannot be counted in columns is left on the screen. */
const PLAIN = /^[\x20-\x7e]*$/

export interface TypingEvents {
  line(text: string): void
  /** ^D, or the end of the pipe. */
  ended(): void
  /** ^C at a terminal, which is not a signal while lines are edited. */
  interrupted(): void
}

export interface Typing {
  /** Shows something above the line that is being typed. */
  above(show: () => void): void
  /** Holds back whoever types faster than it can be said. */
  pause(): void
  resume(): void
  close(): void
}

export function listenToTyping({ input, output, isTerminal }: Stdio, events: TypingEvents): Typing {
  const lines = createInterface({
    input,
    ...(isTerminal ? { output, terminal: true, prompt: PROMPT, historySize: 100 } : {}),
    crlfDelay: Infinity,
  })
  const ask = () => {
    if (isTerminal) lines.prompt(true)
  }
  lines.on('line', text => {
    if (isTerminal && PLAIN.test(text)) eraseTyped(text)
    events.line(text)
    ask()
  })
  lines.on('close', () => events.ended())
  lines.on('SIGINT', () => events.interrupted())
  /** The cursor stands on the row below. */
  function eraseTyped(text: string): void {
    const { columns } = output as { readonly columns?: number }
    // A terminal that does not know how wide it is says 0.
    const width = columns || COLUMNS
    moveCursor(output, 0, -(Math.floor((PROMPT.length + text.length) / width) + 1))
    clearScreenDown(output)
  }
  ask()
  return {
    above: show => {
      if (isTerminal) {
        moveCursor(output, 0, -lines.getCursorPos().rows)
        cursorTo(output, 0)
        clearScreenDown(output)
      }
      show()
      ask()
    },
    pause: () => lines.pause(),
    resume: () => lines.resume(),
    close: () => lines.close(),
  }
}

/** Nobody types: a program only listens. */
export const noTyping: Typing = {
  above: show => show(),
  pause: () => {},
  resume: () => {},
  close: () => {},
}
