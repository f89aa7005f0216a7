/**
 * Pipes for the standard input, output and errors of commands. They are pipes of the file system, made by mkfifo, and
 * not the sockets of child_process: what is a socket cannot be opened again as /dev/stdin, /dev/stdout or
 * /dev/stderr, which scripts do.
 *
 * Node itself can make none, and to start mkfifo costs as much as to start the command: where one command comes after the
 * other, it makes some for those to come. They have no name any more when they are here, and each goes to one command only.
 * On the shelf each is one descriptor; its two ends are opened for whoever takes it.
 */

import { spawn } from 'node:child_process'
import {
  closeSync,
  constants,
  fchownSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Identity } from './environment.ts'

/** Two descriptors: of this process, and of the program. */
export interface Pipe {
  readonly ours: number
  readonly theirs: number
}

export interface Pipes {
  /** Null where there is no input. */
  readonly stdin: Pipe | null
  readonly stdout: Pipe
  readonly stderr: Pipe
}

type MakeNamedPipes = (paths: readonly string[]) => Promise<void>
type Places = readonly string[]

/** Standard input, output and errors. */
const PIPES_EACH = 3
/** Commands for which they are made at once: so many times as many as before, up to this; a process often may have 1,024 descriptors. */
const GROWTH = 8
const AT_ONCE_MAX = 32

/** On a disk a file that goes at once costs more than all else of a pipe, where many others have just gone (ext4). */
const IN_MEMORY = '/dev/shm'

const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = constants

export class PipeShelf {
  private readonly mkfifo: MakeNamedPipes
  private readonly places: Places
  private readonly shelf: number[] = []
  /** For how many commands they are made the next time: one says nothing about a second, and two that there will be more. */
  private next = 1
  private making: Promise<boolean> | null = null
  private users = 0
  private isWanted = false

  /** The names of the pipes are for a moment in the first of the places that will do. */
  constructor(mkfifo: MakeNamedPipes = startMkfifo, places: Places = [IN_MEMORY, tmpdir()]) {
    this.mkfifo = mkfifo
    this.places = places
  }

  /** Pipes that whoever runs the command may open again; null where the machine cannot make them. */
  async take(as: Identity | null, hasInput = true): Promise<Pipes | null> {
    const held = await this.hold(hasInput ? PIPES_EACH : PIPES_EACH - 1)
    const pipes = opened(held)
    for (const fd of held) closeSync(fd)
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
    for (const fd of this.shelf.splice(0)) closeSync(fd)
  }

  /** So many, off the shelf; none where there are too few and no more can be made. */
  private async hold(count: number): Promise<readonly number[]> {
    this.isWanted = true
    this.users++
    try {
      while (this.shelf.length < count) {
        this.making ??= this.fill().finally(() => {
          this.making = null
        })
        if (!(await this.making)) break
      }
      return this.shelf.length < count ? [] : this.shelf.splice(-count)
    } finally {
      this.users--
      if (!this.isWanted) this.clear()
    }
  }

  /** False where it failed, and nothing was added. */
  private async fill(): Promise<boolean> {
    const count = this.next
    this.next = Math.min(GROWTH * count, AT_ONCE_MAX)
    for (const place of this.places) if (await this.make(count, place)) return true
    this.next = 1 // What there is not for many, there may be for one.
    return false
  }

  private async make(count: number, place: string): Promise<boolean> {
    let directory: string
    try {
      directory = mkdtempSync(join(place, 'box-exec-'))
    } catch {
      return false
    }
    const paths = Array.from({ length: PIPES_EACH * count }, (_, i) => join(directory, String(i)))
    const held: number[] = []
    try {
      await this.mkfifo(paths)
      for (const path of paths) held.push(openSync(path, O_RDWR))
    } catch {
      for (const fd of held) closeSync(fd)
      return false
    } finally {
      removeNames(directory, paths)
    }
    this.shelf.push(...held)
    return true
  }
}

/** One by one: rmSync needs a descriptor to look what there is, and there may be none left. */
function removeNames(directory: string, paths: readonly string[]): void {
  for (const path of paths) {
    try {
      unlinkSync(path)
    } catch {
      // It was not made.
    }
  }
  try {
    rmdirSync(directory)
  } catch {
    // Somebody has put something in, or has removed it.
  }
}

/** All of them or none; the third is for the input. */
function opened(held: readonly number[]): Pipes | null {
  const [stdout, stderr, stdin] = held
  if (stdout === undefined || stderr === undefined) return null
  const pipes: Pipe[] = []
  const open = (fd: number, ourMode: number, theirMode: number) => {
    const pipe = openBoth(fd, ourMode, theirMode)
    pipes.push(pipe)
    return pipe
  }
  try {
    return {
      stdin: stdin === undefined ? null : open(stdin, O_WRONLY, O_RDONLY),
      stdout: open(stdout, O_RDONLY, O_WRONLY),
      stderr: open(stderr, O_RDONLY, O_WRONLY),
    }
  } catch {
    for (const pipe of pipes) closePipe(pipe)
    return null
  }
}

/** Its two ends. Opening one waits for the other, unless somebody holds both, as the shelf does. */
function openBoth(held: number, ourMode: number, theirMode: number): Pipe {
  const path = `/proc/self/fd/${held}`
  const ours = openSync(path, ourMode | O_NONBLOCK)
  try {
    return { ours, theirs: openSync(path, theirMode) }
  } catch (error) {
    closeSync(ours)
    throw error
  }
}

/** The pipes that there are. */
const all = ({ stdin, stdout, stderr }: Pipes): readonly Pipe[] =>
  stdin ? [stdin, stdout, stderr] : [stdout, stderr]

/** Whoever opens them again, as /dev/stdin, is the user. */
function given(pipes: Pipes, { uid, gid }: Identity): boolean {
  try {
    for (const { theirs } of all(pipes)) fchownSync(theirs, uid, gid)
    return true
  } catch {
    return false
  }
}

/** They are the program's now. */
export function closeTheirs(pipes: Pipes): void {
  for (const { theirs } of all(pipes)) closeSync(theirs)
}

/** Both ends of each. */
export function closeAll(pipes: Pipes): void {
  for (const pipe of all(pipes)) closePipe(pipe)
}

function closePipe({ ours, theirs }: Pipe): void {
  closeSync(ours)
  closeSync(theirs)
}

const startMkfifo: MakeNamedPipes = paths =>
  new Promise((resolve, reject) => {
    // Without streams: where descriptors run out while it is started, Node never closes those it has begun.
    const child = spawn('mkfifo', ['-m', '600', ...paths], { stdio: 'ignore' })
    child.once('error', reject)
    child.once('exit', code => (code === 0 ? resolve() : reject(new Error(`mkfifo: exit ${code}`))))
  })
