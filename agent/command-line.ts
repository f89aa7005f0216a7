/** From words to a command: which one is meant, and the exit code. */

import { stateDirectory, surroundings } from '../src/sys/paths.ts'
import type { Command } from './command.ts'
import { install, uninstall } from './commands/install.ts'
import { mesh } from './commands/mesh.ts'
import { pair } from './commands/pair.ts'
import { putBack } from './commands/put-back.ts'
import { reset } from './commands/reset.ts'
import { run } from './commands/run.ts'
import { status } from './commands/status.ts'
import { upgrade } from './commands/upgrade.ts'
import { type Read, readWords } from './read-words.ts'
import { Terminal } from './terminal.ts'

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  run,
  pair,
  status,
  reset,
  mesh,
  putBack,
  install,
  uninstall,
  upgrade,
]
/** What a shell reports for a program ended by ^C: 128 + SIGINT. */
const EXIT_INTERRUPTED = 130

/** Runs a command line; returns its exit code. Never throws. */
export async function runCommandLine(words: readonly string[]): Promise<number> {
  const terminal = new Terminal({
    json: words.includes('--json'),
    isTerminal: process.stdout.isTTY === true,
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
  })
  const end = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      // Whoever says it twice means at once.
      if (end.signal.aborted) process.exit(EXIT_INTERRUPTED)
      end.abort()
    })
  try {
    const read = readWords(words, COMMANDS) ?? (await explain(words))
    if ('text' in read) terminal.show(read.text)
    else await start(read, terminal, end.signal)
    return 0
  } catch (error) {
    const isInterrupted = end.signal.aborted && error === end.signal.reason
    return isInterrupted ? EXIT_INTERRUPTED : terminal.failure(error)
  }
}

const explain = async (words: readonly string[]) =>
  (await import('./explain-words.ts')).explainWords(words, COMMANDS)

async function start({ command, args }: Read, terminal: Terminal, signal: AbortSignal) {
  const env = args.state ? { BOX_STATE: String(args.state) } : process.env
  const directory = stateDirectory('agent', { ...surroundings(), env })
  await command.run({ directory, terminal, signal }, args as Parameters<Command['run']>[1])
}
