/** The channel of an SSH session, joined to a program: what is typed goes in, what is printed comes out, then the exit. */

import type { Readable } from 'node:stream'
import type { ServerChannel } from 'ssh2'
import type { Exit, Program } from './program.ts'

/** What the client sends goes to the program; what comes after that has stopped reading is thrown away. */
export function feed(program: Program, channel: ServerChannel, onTerminal: boolean): void {
  // A terminal has no end of input: that is for its user to type.
  channel.pipe(program.input, { end: !onTerminal })
  program.input.once('close', () => {
    channel.unpipe(program.input)
    channel.resume()
  })
}

export async function forward(
  from: Readable,
  write: (chunk: Buffer) => Promise<void>,
): Promise<void> {
  try {
    for await (const chunk of from) await write(chunk as Buffer)
  } catch {
    // The program was hung up: there is nobody to tell.
  }
}

export function tellExit(channel: ServerChannel, exit: Exit): void {
  if ('code' in exit) channel.exit(exit.code)
  else channel.exit(exit.signal, false, '')
  channel.end()
}

/** A path as one word of a shell. */
export const quoted = (path: string): string => `'${path.replaceAll("'", "'\\''")}'`
