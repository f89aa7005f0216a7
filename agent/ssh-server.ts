/**
 * The SSH server of a device (design decision 5): one connection over each channel whose opener has proven
 * its zone key. It lets in the one SSH key that was announced with that proof, and runs sessions for it.
 *
 * ssh2 and node-pty are loaded when somebody comes: an agent that waits needs neither, and they take 12 MB. They
 * are loaded while whoever comes proves who that is, a part in a turn, so that what is said meanwhile is answered.
 * They are known to ssh-connection.ts, ssh-session.ts, session-output.ts and pty.ts only.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Right } from '../src/box/grant.ts'
import type { Scope } from '../src/box/scope.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { CarryingStream } from './carrier.ts'
import type { Account } from './environment.ts'
import { type Custody, LastingShells } from './lasting-shells.ts'
import { OpenScreens } from './open-screens.ts'
import { PipeShelf } from './pipe-shelf.ts'
import type { Recorder } from './recorder.ts'
import type { SshConnection } from './ssh-connection.ts'

/** Each connection costs some 200 KB. */
const CONNECTIONS_MAX = 64
/** How long a connection may outlive a grant that has run out. */
const LOOK_EVERY_MS = 20_000

/** Who has opened a channel, and what it may do. */
export interface Caller {
  readonly zone: ZoneKey
  /** The SSH key it announced: the blob of RFC 4253 section 6.6. */
  readonly publicKey: Uint8Array
  readonly deviceName: string
  /** Which user of the machine it wants to be; null: whoever the agent runs as. */
  readonly user: Account | null
  /** Asked at each request, so that what is revoked ends at once. */
  readonly allows: (right: Right) => boolean
  /** How far its rights go; asked as often. */
  readonly scope: () => Scope
  /** For the log. */
  readonly name: string
  /** Whether it has any right left: its connections end when it has not. */
  readonly isKnown: () => boolean
  /** Whether what it does must be recorded; asked at each session. */
  readonly isRecorded: () => boolean
  /** For the audit journal; `at` in milliseconds since 1970, where that was not now. */
  readonly note: (what: string, detail: string, result: string, at?: number) => void
}

export interface SshServerOptions {
  /** In OpenSSH's format. A secret. */
  readonly hostKey: string
  readonly account: Account
  readonly clock: Clock
  readonly log: Log
  /** How long a shell is kept whose connection was lost; 0: not at all. */
  readonly keepShellsMs: number
  /** What holds those that outlive this process; null: none does. */
  readonly custody: Custody | null
  /** Null where this device can record nothing: whoever must be recorded is refused. */
  readonly recorder: Recorder | null
  /** What waits for another person. */
  readonly approvals: Pick<ApprovalDesk, 'ask'>
}

/** What was said in the turn before has left by then. */
const TURN_MS = 1

/** What is open, or about to be. */
interface Line {
  readonly caller: Caller
  readonly carrier: CarryingStream
  connection: SshConnection | null
}

export class SshServer {
  private options: SshServerOptions
  private readonly lines = new Set<Line>()
  private readonly shells: LastingShells
  private readonly screens: OpenScreens
  private readonly pipes = new PipeShelf()
  private timer: Timer | null = null
  private loading: Promise<void> | null = null

  constructor(options: SshServerOptions) {
    this.options = options
    const { clock, log, keepShellsMs: keepMs, custody } = options
    this.screens = new OpenScreens(clock)
    this.shells = new LastingShells({ clock, log, keepMs, custody, screens: this.screens })
    if (this.keptShells > 0) this.timer = clock.after(LOOK_EVERY_MS, () => this.look())
  }

  /** Somebody may be let in soon. */
  prepare(): void {
    this.loading ??= this.load().catch(() => {
      // Who is let in loads it again, and hears why that fails.
      this.loading = null
    })
  }

  /** Serves SSH to `caller` over a stream of its own, until either side ends it. */
  async serve(carrier: CarryingStream, caller: Caller): Promise<void> {
    // A failure of the carrier is followed by its `close`.
    carrier.on('error', () => {})
    if (this.lines.size >= CONNECTIONS_MAX) {
      this.options.log.note('warn', 'ssh', 'too many connections')
      carrier.destroy()
      return
    }
    const line: Line = { carrier, caller, connection: null }
    this.lines.add(line)
    this.timer ??= this.options.clock.after(LOOK_EVERY_MS, () => this.look())
    carrier.once('close', () => {
      this.lines.delete(line)
      // When the connection has seen it as well, and keeps what it keeps.
      queueMicrotask(() => this.rest())
    })
    await this.loading
    const { SshConnection } = await import('./ssh-connection.ts')
    const { options, shells, screens, pipes } = this
    if (!carrier.destroyed)
      line.connection = new SshConnection(carrier, { ...options, caller, shells, screens, pipes })
  }

  private async load(): Promise<void> {
    await this.turn()
    await import('ssh2')
    await this.turn()
    await import('./pty.ts')
    await this.turn()
    await import('./ssh-connection.ts')
  }

  private turn(): Promise<void> {
    return new Promise(resolve => void this.options.clock.after(TURN_MS, resolve))
  }

  /** Whoever comes from now on is shown this key; connections that are open go on. */
  changeHostKey(hostKey: string): void {
    this.options = { ...this.options, hostKey }
  }

  /** How many connections are open. */
  get size(): number {
    return this.lines.size
  }

  /** How many shells wait for somebody to come back. */
  get keptShells(): number {
    return this.shells.keptCount
  }

  /** Ends the connections of one caller, and what is kept of it: it was granted something, and is no longer. */
  expel(zone: ZoneKey): void {
    for (const line of this.lines) if (equalBytes(line.caller.zone, zone)) end(line)
    this.shells.expel(zone)
  }

  /** Ends what those have whose grant has run out, for as long as anybody has anything. */
  private look(): void {
    for (const line of this.lines) if (!line.caller.isKnown()) end(line)
    this.shells.review()
    this.timer = this.options.clock.after(LOOK_EVERY_MS, () => this.look())
    this.rest()
  }

  /** Nobody has anything: there is nothing to look after. */
  private rest(): void {
    if (this.lines.size === 0) this.pipes.clear()
    if (this.lines.size > 0 || this.keptShells > 0) return
    this.timer?.cancel()
    this.timer = null
  }

  /**
   * Ends all connections; what runs in their sessions is hung up, unless it may go on without this process. Resolves
   * when all have ended, a second later at most.
   */
  async close({ endShells = false } = {}): Promise<void> {
    const closed = [...this.lines].map(
      ({ carrier }) => new Promise<void>(resolve => void carrier.once('close', () => resolve())),
    )
    for (const line of this.lines) {
      if (endShells || !line.connection) end(line)
      else line.connection.leave()
    }
    if (endShells) this.shells.close()
    else this.shells.leave()
    await Promise.all(closed)
    this.rest()
  }
}

function end({ connection, carrier }: Line): void {
  if (connection) connection.end()
  else carrier.destroy()
}
