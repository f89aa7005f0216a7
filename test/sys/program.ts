/** Runs a TypeScript file of the tests as a process of its own, that can be killed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

export interface Program {
  readonly process: ChildProcess
  /** The lines it has printed. */
  readonly lines: string[]
  /** Waits for its next line, or its end. */
  next(): Promise<void>
  /** Kills it without a chance to do anything, and waits for its end. */
  kill(): Promise<void>
  ended(): Promise<void>
}

/** Makes one file of a program and all it imports, so that the oldest Node can run it. */
export function compile(source: string, directory: string): string {
  const outfile = join(directory, 'program.mjs')
  buildSync({
    entryPoints: [join(import.meta.dirname, source)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile,
  })
  return outfile
}

export function start(file: string, ...args: string[]): Program {
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines: string[] = []
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  const end = once(child, 'close')
  const ended = async () => void (await end)
  return {
    process: child,
    lines,
    next: async () => void (await Promise.race([once(child.stdout, 'data'), end])),
    kill: () => {
      child.kill('SIGKILL')
      return ended()
    },
    ended,
  }
}
