/**
 * A program on a pseudoterminal, as two streams: every byte it prints arrives, then its exit.
 *
 * node-pty alone loses output and can stop the whole agent; this file is the only one that knows it.
 * - libuv before 1.52 takes a short read with a hang-up for the end: our own descriptor of the terminal's
 *   other side keeps the hang-up away until everything has been read.
 * - node-pty closes the terminal 200 ms after the exit even where the reader is slow: we read what the
 *   kernel still holds at once, and close it ourselves.
 * - libuv's writes to a terminal block when the program does not read: we write and try again.
 */

import { chownSync, closeSync, constants, openSync, readSync, statSync, write } from 'node:fs'
import { constants as osConstants } from 'node:os'
import { Readable, Writable } from 'node:stream'
import { spawn, type Terminal } from 'node-pty'
import type { Clock } from '../src/base/clock.ts'
import type { Identity } from './environment.ts'
import { foregroundGroup, signalGroup } from './process-group.ts'
import type { Exit, Program } from './program.ts'

/** Held for a slow reader before the program is made to wait. */
const OUTPUT_BUFFER = 64 * 1024
/** The kernel holds some 64 KB; more comes only where a program left behind goes on printing. */
const DRAIN_MAX = 1024 * 1024
/** A program that does not read its input is asked again so often. */
const WRITE_AGAIN_MS = 20
/** What ioctl(TIOCSWINSZ) takes is 16 bits; a terminal of more is none. */
const SIZE_MAX = 1_000

/** What is to run; no more than can be told to another process. */
export interface TerminalRequest {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly columns: number
  readonly rows: number
  /** Whose it is; null: that of whoever starts it, which must be root otherwise. */
  readonly as: Identity | null
}

export interface PtyOptions extends TerminalRequest {
  readonly clock: Clock
}

export class Pty implements Program {
  /** What the program prints; ends after its exit, with the last byte. */
  readonly output: Readable
  /** A terminal shows both as one. */
  readonly errors = null
  /** What it reads. */
  readonly input: Writable
  readonly exited: Promise<Exit>
  private readonly terminal: Terminal
  private readonly clock: Clock
  private hold: number | null
  private open = true

  /** Starts the program. Throws where the machine has no terminal or process left. */
  constructor({ clock, ...request }: PtyOptions) {
    this.clock = clock
    this.terminal = begin(request)
    this.hold = holdOpen(this.terminal.ptsName)
    this.output = new Readable({
      highWaterMark: OUTPUT_BUFFER,
      read: () => void (this.open && this.terminal._socket.resume()),
      destroy: (error, done) => {
        this.hangUp()
        done(error)
      },
    })
    this.input = new Writable({
      highWaterMark: OUTPUT_BUFFER,
      write: (chunk: Buffer, _encoding, done) => this.type(chunk, done),
    })
    this.exited = this.watch()
  }

  get pid(): number {
    return this.terminal.pid
  }

  /** The device file of the terminal, `/dev/pts/3`. */
  get name(): string {
    return this.terminal.ptsName
  }

  resize(columns: number, rows: number): void {
    if (this.open) this.terminal.resize(sizeOf(columns, 80), sizeOf(rows, 24))
  }

  /** Sends a signal to whatever is in the foreground, as ^C does. */
  signal(name: NodeJS.Signals): void {
    if (this.open) signalGroup(foregroundGroup(this.pid) ?? this.pid, name)
  }

  /** The line is gone: what runs on the terminal gets SIGHUP, and nothing more is read. */
  hangUp(): void {
    if (!this.open) return
    // The kernel does the same when the terminal is closed, but programs of other sessions may have
    // inherited our side of it: node-pty does not mark it as ours alone.
    for (const group of new Set([foregroundGroup(this.pid) ?? this.pid, this.pid])) {
      signalGroup(group, 'SIGHUP')
      signalGroup(group, 'SIGCONT')
    }
    this.open = false
    this.letGo()
    this.terminal._socket.destroy()
    // Whoever reads it is not to wait for ever.
    this.output.destroy()
  }

  private watch(): Promise<Exit> {
    const { terminal } = this
    const socket = terminal._socket
    socket._readableState.decoder = null
    socket._readableState.encoding = null
    socket.removeAllListeners('data')
    socket.on('data', (chunk: Buffer) => void (this.output.push(chunk) || socket.pause()))
    // Both are what node-pty calls when the program has ended: at once, and 200 ms later.
    const { once } = terminal
    terminal.once = (event, listener) => {
      once.call(terminal, event, listener)
      if (event === 'close') this.finish()
    }
    const destroy = socket.destroy.bind(socket)
    socket.destroy = error => {
      this.finish()
      return destroy(error)
    }
    return new Promise(resolve => {
      terminal.onExit(({ exitCode, signal }) => resolve(exitOf(exitCode, signal)))
    })
  }

  /** The program has ended: reads the rest, and closes the terminal. */
  private finish(): void {
    if (!this.open) return
    this.open = false
    const socket = this.terminal._socket
    socket.pause()
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) this.output.push(chunk)
    // Now a hang-up may come: the kernel gives all that was printed before it says so.
    this.letGo()
    this.drain()
    this.output.push(null)
    this.input.destroy()
    socket.destroy()
  }

  private drain(): void {
    for (let total = 0; total < DRAIN_MAX; ) {
      const chunk = Buffer.allocUnsafe(OUTPUT_BUFFER)
      let size: number
      try {
        size = readSync(this.terminal.fd, chunk)
      } catch {
        return // EIO: all closed. EAGAIN: somebody was left behind, and is silent.
      }
      if (size === 0) return
      this.output.push(chunk.subarray(0, size))
      total += size
    }
  }

  private letGo(): void {
    if (this.hold !== null) closeSync(this.hold)
    this.hold = null
  }

  /** Writes all of it. What is typed when nobody reads any more is lost, as on any terminal. */
  private type(chunk: Buffer, done: () => void): void {
    if (!this.open) {
      done()
      return
    }
    write(this.terminal.fd, chunk, (error, written) => {
      const again = error?.code === 'EAGAIN'
      if (written === chunk.length || (error && !again)) done()
      else
        this.clock.after(again ? WRITE_AGAIN_MS : 0, () => this.type(chunk.subarray(written), done))
    })
  }
}

function begin({ file, args, env, cwd, columns, rows, as }: TerminalRequest): Terminal {
  const options = {
    name: env.TERM ?? 'dumb',
    cols: sizeOf(columns, 80),
    rows: sizeOf(rows, 24),
    cwd,
    env: { ...env },
    encoding: 'utf8', // Makes the kernel erase whole characters (IUTF8); the bytes stay bytes, see `watch`.
  }
  if (as === null) return spawn(file, [...args], options)
  // node-pty sets user and group and leaves the other groups, root's, with the program.
  const own = process.getgroups!()
  process.setgroups!([...as.groups])
  try {
    const terminal = spawn(file, [...args], { ...options, uid: as.uid, gid: as.gid })
    chownSync(terminal.ptsName, as.uid, statSync(terminal.ptsName).gid)
    return terminal
  } finally {
    process.setgroups!(own)
  }
}

const sizeOf = (wanted: number, otherwise: number): number =>
  Number.isInteger(wanted) && wanted > 0 ? Math.min(wanted, SIZE_MAX) : otherwise

/** Our own descriptor of the program's side; null where the program has ended already. */
function holdOpen(path: string): number | null {
  try {
    return openSync(path, constants.O_RDWR | constants.O_NOCTTY)
  } catch {
    return null
  }
}

function exitOf(code: number, signal: number | undefined): Exit {
  if (!signal) return { code }
  const [name] = Object.entries(osConstants.signals).find(([, number]) => number === signal) ?? []
  return { signal: name?.slice('SIG'.length) ?? 'TERM' }
}
