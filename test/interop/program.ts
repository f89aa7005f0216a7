/** Runs our programs, and others', as real processes for the interop tests; ends them all afterwards. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')
export const BOX = join(ROOT, 'dist', 'bin', 'box.js')
export const BOX_AGENT = join(ROOT, 'dist', 'bin', 'box-agent.js')

export interface Outcome {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Where a program runs: in a network namespace or not, with which environment. */
export interface Place {
  readonly namespace?: string
  readonly env?: Readonly<Record<string, string>>
}

const children = new Set<ChildProcess>()
const folders: string[] = []

/** A fresh folder, removed by `cleanUp`. */
export function folder(name: string): string {
  const path = mkdtempSync(join(tmpdir(), `box-${name}-`))
  folders.push(path)
  return path
}

/** What stands in the files below a folder. */
export const filesIn = (folder: string): Buffer[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry =>
    entry.isFile() ? [readFileSync(join(entry.parentPath, entry.name))] : [],
  )

const placed = (place: Place, command: readonly string[]): [string, string[]] => {
  const all = place.namespace ? ['ip', 'netns', 'exec', place.namespace, ...command] : command
  return [all[0]!, all.slice(1)]
}

/** Starts a program that goes on running; `until` waits for a line of its output. */
export class Program {
  out = ''
  err = ''
  readonly child: ChildProcess
  private exit: number | null | undefined
  private wake: (() => void)[] = []

  constructor(command: readonly string[], place: Place = {}) {
    const [file, rest] = placed(place, command)
    this.child = spawn(file, rest, {
      env: { ...process.env, ...place.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    children.add(this.child)
    this.child.stdout!.on('data', chunk => {
      this.out += chunk
      this.stir()
    })
    this.child.stderr!.on('data', chunk => {
      this.err += chunk
      this.stir()
    })
    this.child.on('close', code => {
      children.delete(this.child)
      this.exit = code
      this.stir()
    })
  }

  /** The first match of `pattern` in the output; fails when the program ends or time is up. */
  async until(pattern: RegExp, ms = 30_000): Promise<RegExpExecArray> {
    const deadline = Date.now() + ms
    for (;;) {
      const found = pattern.exec(this.out) ?? pattern.exec(this.err)
      if (found) return found
      if (this.exit !== undefined)
        throw new Error(`ended (${this.exit}) before ${pattern}: ${this.tail()}`)
      if (Date.now() > deadline) throw new Error(`no ${pattern} in ${ms} ms: ${this.tail()}`)
      await Promise.race([
        new Promise<void>(resolve => this.wake.push(resolve)),
        new Promise<void>(resolve => setTimeout(resolve, 200)),
      ])
    }
  }

  async ended(ms = 30_000): Promise<Outcome> {
    const deadline = Date.now() + ms
    while (this.exit === undefined) {
      if (Date.now() > deadline) {
        this.kill('SIGKILL')
        throw new Error(`still running after ${ms} ms: ${this.tail()}`)
      }
      await new Promise<void>(resolve => setTimeout(resolve, 20))
    }
    return { code: this.exit, out: this.out, err: this.err }
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.child.kill(signal)
  }

  private tail(): string {
    return `${this.out.slice(-1_000)}\n${this.err.slice(-2_000)}`
  }

  private stir(): void {
    const wake = this.wake
    this.wake = []
    for (const resolve of wake) resolve()
  }
}

/** Runs a program to its end with `input` on its standard input. */
export async function run(
  command: readonly string[],
  { input = '', ms = 60_000, ...place }: Place & { input?: string; ms?: number } = {},
): Promise<Outcome> {
  const program = new Program(command, place)
  program.child.stdin!.on('error', () => {})
  program.child.stdin!.end(input)
  return program.ended(ms)
}

/** As `run`, and fails unless it exits with 0. */
export async function succeed(
  command: readonly string[],
  options: Place & { input?: string; ms?: number } = {},
): Promise<string> {
  const { code, out, err } = await run(command, options)
  if (code !== 0) throw new Error(`${command.join(' ')} exited ${code}:\n${out}\n${err}`)
  return out
}

/** A short administrative command; throws with its standard error. */
export function shell(script: string): string {
  const { status, stdout, stderr } = spawnSync('sh', ['-ec', script], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${script}\n${stderr}`)
  return stdout
}

export async function cleanUp(): Promise<void> {
  for (const child of children) child.kill('SIGTERM')
  const deadline = Date.now() + 3_000
  while (children.size > 0 && Date.now() < deadline)
    await new Promise(resolve => setTimeout(resolve, 50))
  for (const child of children) child.kill('SIGKILL')
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
}

const has = (program: string): boolean => spawnSync('which', [program]).status === 0

/**
 * Why tests that need `programs` (and root, where `root`) cannot run here, or null where they can.
 * In CI nothing may be missing: there it throws instead.
 */
export function missing(programs: readonly string[], { root = false } = {}): string | null {
  const absent = programs.filter(program => !has(program))
  const reason =
    absent.length > 0
      ? `not installed: ${absent.join(', ')}`
      : root && process.getuid?.() !== 0
        ? 'needs root'
        : null
  if (reason && process.env.CI) throw new Error(`must not be skipped in CI: ${reason}`)
  if (reason) console.warn(`skipped: ${reason}`)
  return reason
}
