/**
 * Pipes for the standard input, output and errors of commands. They are pipes of the file system, made by mkfifo, and
 * not the sockets of child_process: what is a socket cannot be opened again as /dev/stdin, /dev/stdout or
 * /dev/stderr, which scripts do.
 *
 * Node itself can make none, and to start mkfifo costs as much as to start the command: where one command comes after the
 * other, it makes some for those to come. They have no name any more when they are here, and each goes to one command only.
 */

import { execFile } from 'node:child_process'
import { closeSync, constants, fchownSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Identity } from './environment.ts'

/** Two descriptors: of this process, and of the program. */
export interface Pipe {
  readonly ours: number
  readonly theirs: number
}

export interface Pipes {
  readonly stdin: Pipe
  readonly stdout: Pipe
  readonly stderr: Pipe
}

type MakeNamedPipes = (paths: readonly string[]) => Promise<void>

/** Six descriptors for each command; a process often may have 1,024. */
const AT_ONCE_MAX = 8

const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = constants

export class PipeShelf {
  private readonly mkfifo: MakeNamedPipes
  private shelf: Pipes[] = []
  /** For how many commands they are made the next time: one says nothing about a second, and two that there will be more. */
  private next = 1
  private making: Promise<boolean> | null = null
  private users = 0
  private isWanted = false

  constructor(mkfifo: MakeNamedPipes = startMkfifo) {
    this.mkfifo = mkfifo
  }

  /** Pipes that whoever runs the command may open again; null where the machine cannot make them. */
  async take(as: Identity | null): Promise<Pipes | null> {
    this.isWanted = true
    this.users++
    while (this.shelf.length === 0) {
      this.making ??= this.fill().finally(() => {
        this.making = null
      })
      if (!(await this.making)) break
    }
    this.users--
    const pipes = this.shelf.pop()
    if (!this.isWanted) this.clear()
    if (!pipes) return null
    if (!as || given(pipes, as)) return pipes
    closeAll(pipes)
    return null
  }

  /** Closes what waits for commands, once those have theirs that have asked; who asks afterwards is served all the same. */
  clear(): void {
    this.isWanted = false
    this.next = 1
    if (this.users > 0) return
    for (const pipes of this.shelf.splice(0)) closeAll(pipes)
  }

  /** False where it failed. */
  private async fill(): Promise<boolean> {
    const count = this.next
    this.next = AT_ONCE_MAX
    let directory: string | null = null
    try {
      directory = mkdtempSync(join(tmpdir(), 'box-exec-'))
      const paths = Array.from({ length: 3 * count }, (_, i) => join(directory!, String(i)))
      await this.mkfifo(paths)
      for (let i = 0; i < paths.length; i += 3) this.shelf.push(opened(paths.slice(i, i + 3)))
      return true
    } catch {
      return this.shelf.length > 0
    } finally {
      if (directory) rmSync(directory, { recursive: true, force: true })
    }
  }
}

/** All three or none. */
function opened([stdin, stdout, stderr]: readonly string[]): Pipes {
  const pipes: Pipe[] = []
  try {
    pipes.push(openBoth(stdin!, O_WRONLY, O_RDONLY))
    pipes.push(openBoth(stdout!, O_RDONLY, O_WRONLY))
    pipes.push(openBoth(stderr!, O_RDONLY, O_WRONLY))
    return { stdin: pipes[0]!, stdout: pipes[1]!, stderr: pipes[2]! }
  } catch (error) {
    for (const { ours, theirs } of pipes) for (const fd of [ours, theirs]) closeSync(fd)
    throw error
  }
}

/** Opening one side of a pipe waits for the other, unless a third holds both. */
function openBoth(path: string, ourMode: number, theirMode: number): Pipe {
  const held = [openSync(path, O_RDWR)]
  try {
    held.push(openSync(path, ourMode | O_NONBLOCK))
    held.push(openSync(path, theirMode))
  } catch (error) {
    for (const fd of held) closeSync(fd)
    throw error
  }
  closeSync(held[0]!)
  return { ours: held[1]!, theirs: held[2]! }
}

/** Whoever opens them again, as /dev/stdin, is the user. */
function given(pipes: Pipes, { uid, gid }: Identity): boolean {
  try {
    for (const { theirs } of Object.values(pipes) as Pipe[]) fchownSync(theirs, uid, gid)
    return true
  } catch {
    return false
  }
}

function closeAll(pipes: Pipes): void {
  for (const { ours, theirs } of Object.values(pipes) as Pipe[]) {
    closeSync(ours)
    closeSync(theirs)
  }
}

const startMkfifo: MakeNamedPipes = paths =>
  new Promise((resolve, reject) => {
    execFile('mkfifo', ['-m', '600', ...paths], error => (error ? reject(error) : resolve()))
  })
