/** One terminal of the page: what is typed goes to a shell on a device, what it prints comes back as fast as it is taken. */

import { setMaxListeners } from 'node:events'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  isShellId,
  KEEP_VARIABLE,
  newShellId,
  parseShells,
  RESUME_VARIABLE,
  SHELLS_SUBSYSTEM,
} from '../../src/box/kept-shells.ts'
import { isUserName } from '../../src/box/ssh-announcement.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import type { Device } from '../fleet.ts'
import type { RemoteProcess } from '../remote-process.ts'
import type { SshSession } from '../ssh-client.ts'

const REACH_TIMEOUT_MS = 30_000
/** Whoever opens a socket says at once what for. */
const SILENT_MS = 10_000
/** Sent, and not shown yet: more waits on the device. */
const AHEAD_MAX = 262_144
/** As the kernel counts them, and no screen is so large. */
const EDGE_MAX = 1_000
/** Typed before the shell is there. */
const EARLY_MAX = 65_536
const KIND = 'xterm-256color'

export interface TerminalEnd {
  output(bytes: Uint8Array): void
  say(value: object): void
  close(): void
}

/** What the page says: the first of all has a size; `resume` names the shell it wants back, `user` whose it is there. */
interface Told {
  readonly rows?: unknown
  readonly columns?: unknown
  readonly resume?: unknown
  readonly user?: unknown
  /** So many bytes were shown. */
  readonly taken?: unknown
  /** The shell is to end. */
  readonly leave?: unknown
}

interface Size {
  readonly rows: number
  readonly columns: number
}

export class TerminalTalk {
  private readonly context: Context
  private readonly device: Device
  private readonly end: TerminalEnd
  private readonly over = new AbortController()
  private readonly silence: Timer
  private ssh: SshSession | null = null
  private shell: RemoteProcess | null = null
  private size: Size | null = null
  private early: Uint8Array[] = []
  private earlySize = 0
  private ahead = 0

  constructor(context: Context, device: Device, end: TerminalEnd) {
    const signal = AbortSignal.any([context.signal, this.over.signal])
    setMaxListeners(0, signal)
    this.context = { ...context, signal }
    this.device = device
    this.end = end
    this.silence = context.clock.after(SILENT_MS, () => end.close())
  }

  typed(bytes: Uint8Array): void {
    if (this.shell) void this.shell.input.write(bytes)
    else if (this.earlySize + bytes.length <= EARLY_MAX) {
      this.early.push(bytes)
      this.earlySize += bytes.length
    }
  }

  /** What makes no sense ends it. */
  told(text: string): void {
    const said = asTold(text)
    if (!said) this.end.close()
    else if (said.leave === true) void this.leave()
    else if (typeof said.taken === 'number') this.taken(said.taken)
    else this.resized(said)
  }

  /** Nobody is there any more. The device keeps the shell, and is told nothing. */
  gone(): void {
    this.silence.cancel()
    this.over.abort(new BoxError('CHANNEL_CLOSED'))
    this.ssh?.destroy()
  }

  private resized(said: Told): void {
    const size = sizeIn(said)
    if (!size) {
      this.end.close()
      return
    }
    const isFirst = this.size === null
    this.size = size
    if (this.shell) this.shell.resize(size)
    else if (isFirst) {
      this.silence.cancel()
      void this.begin(said)
    }
  }

  /** Until the shell ends, or the connection does; says which. */
  private async begin({ resume, user }: Told): Promise<void> {
    const wanted = typeof resume === 'string' && isShellId(resume) ? resume : null
    try {
      const { ssh } = await openShell(this.context, this.device, {
        timeoutMs: REACH_TIMEOUT_MS,
        user: userIn(user),
      })
      this.ssh = ssh
      this.over.signal.throwIfAborted()
      const isThere = wanted !== null && (await isKept(ssh, wanted))
      const id = isThere ? wanted : newShellId(this.context.random)
      const terminal = { ...this.size!, kind: KIND }
      const environment = { [isThere ? RESUME_VARIABLE : KEEP_VARIABLE]: id }
      const shell = await ssh.start({ line: null, terminal, environment })
      this.end.say({ is: 'open', id, resumed: isThere })
      this.join(shell)
      const code = await shell.ended
      this.end.say({ is: 'ended', code })
    } catch (error) {
      if (this.over.signal.aborted) return
      if (!(error instanceof BoxError)) throw error
      const is = error.family === 'unreachable' ? 'lost' : 'failed'
      this.end.say({ is, code: error.code, message: error.message })
    } finally {
      this.ssh?.destroy()
      if (!this.over.signal.aborted) this.end.close()
    }
  }

  private join(shell: RemoteProcess): void {
    this.shell = shell
    shell.resize(this.size!)
    for (const bytes of this.early) void shell.input.write(bytes)
    this.early = []
    shell.output.on('data', (bytes: Uint8Array) => {
      if (this.over.signal.aborted) return
      this.end.output(bytes)
      this.ahead += bytes.length
      if (this.ahead > AHEAD_MAX) shell.output.pause()
    })
  }

  private taken(bytes: number): void {
    this.ahead = Math.max(0, this.ahead - Math.max(0, bytes))
    if (this.ahead <= AHEAD_MAX / 2) this.shell?.output.resume()
  }

  /** The device hears that nobody comes back. */
  private async leave(): Promise<void> {
    await this.ssh?.leave(this.context.clock)
    this.end.close()
  }
}

/** Nobody becomes another user than the one that was meant. Throws INPUT_INVALID. */
function userIn(user: unknown): string | null {
  if (user === undefined) return null
  if (typeof user === 'string' && isUserName(user)) return user
  throw new BoxError('INPUT_INVALID', 'That is no name of a user.')
}

const isKept = async (ssh: SshSession, id: string): Promise<boolean> =>
  parseShells(await ssh.subsystem(SHELLS_SUBSYSTEM)).shells.some(shell => shell.id === id)

function asTold(text: string): Told | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : null
  } catch {
    return null
  }
}

function sizeIn({ rows, columns }: Told): Size | null {
  const isEdge = (edge: unknown): edge is number =>
    Number.isInteger(edge) && (edge as number) > 0 && (edge as number) <= EDGE_MAX
  return isEdge(rows) && isEdge(columns) ? { rows, columns } : null
}
