/** The channel of an SSH session, joined to a program: what is typed goes in, what is printed comes out, then the exit. */

import { constants } from 'node:os'
import type { Readable } from 'node:stream'
import type { ServerChannel } from 'ssh2'
import type { Carrier } from './carrier.ts'
import type { Exit, Program } from './program.ts'
import { SessionOutput } from './session-output.ts'
import type { Typing } from './typing.ts'

type Write = (chunk: Uint8Array) => Promise<void>

/** A program that could not be started at all: what a shell reports. */
export const EXIT_NOT_STARTED = 126

/** The signals that ssh2 1.17.0 can name to a client (RFC 4254 section 6.10); it throws for all others, and for names of one's own. */
const NAMED = /^(ABRT|ALRM|FPE|HUP|ILL|INT|KILL|PIPE|QUIT|SEGV|TERM|USR1|USR2)$/

/** For whoever looked at a shell that has gone to another connection of the same person. */
export const TAKEN_OVER = '\r\nThis shell was taken over from elsewhere: box ssh --resume.\r\n'

/** What the client sends, on a terminal where `typing` is told, goes to the program; what comes after that has stopped reading is thrown away. */
export function feed(program: Program, channel: ServerChannel, typing: Typing | null): void {
  // A terminal has no end of input: that is for its user to type.
  channel.pipe(program.input, { end: !typing })
  if (typing) channel.on('data', () => typing.typed())
  program.input.once('close', () => {
    channel.unpipe(program.input)
    channel.resume()
  })
}

async function forward(from: Readable, write: Write): Promise<void> {
  try {
    for await (const chunk of from) await write(chunk as Uint8Array)
  } catch {
    // The program was hung up: there is nobody to tell.
  }
}

/** All that the program prints. */
export async function forwardAll(program: Program, show: Write, showErrors: Write): Promise<void> {
  const printed = await program.printed?.()
  if (!printed) {
    const { output, errors } = program
    await Promise.all([forward(output, show), errors && forward(errors, showErrors)])
    return
  }
  if (printed.output.length > 0) await show(printed.output)
  if (printed.errors.length > 0) await showErrors(printed.errors)
}

/** For what only tells: whatever is typed there goes nowhere. */
export async function tellOnly(
  channel: ServerChannel,
  carrier: Carrier,
  work: (write: (piece: Uint8Array) => Promise<void>, left: AbortSignal) => Promise<number>,
): Promise<Exit> {
  const left = new AbortController()
  channel.once('close', () => left.abort())
  channel.resume()
  const out = new SessionOutput(channel, carrier)
  const code = await work(piece => out.write(piece, 'output'), left.signal)
  if (!left.signal.aborted) tellExit(channel, { code })
  return { code }
}

/** Says this, and ends. */
export function tellText(channel: ServerChannel | undefined, text: string): void {
  channel?.on('error', () => {})
  channel?.write(text)
  if (channel) tellExit(channel, { code: 0 })
}

export function tellExit(channel: ServerChannel, exit: Exit): void {
  if ('code' in exit) channel.exit(exit.code)
  else if (canName(channel, exit.signal)) channel.exit(exit.signal, false, '')
  else channel.exit(codeOf(exit.signal))
  channel.end()
}

/** A short command (short-command.ts) has no channel of ssh2, and a name for each. */
const canName = (channel: ServerChannel, signal: string): boolean =>
  NAMED.test(signal) || !('incoming' in channel)

/** As a shell of this device has it. */
const codeOf = (signal: string): number =>
  128 + ((constants.signals as Readonly<Record<string, number>>)[`SIG${signal}`] ?? 0)

/** A path as one word of a shell. */
export const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`
