/**
 * The shells of a device that can outlive their connection: how many, how long, and for whom. Only the zone key
 * that opened one gets it back, and only while it may open shells; after the time kept, or without the right, a
 * shell that nobody looks at is hung up.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { KeptShells } from '../src/box/kept-shells.ts'
import { LastingShell, type TerminalProgram } from './lasting-shell.ts'
import { resultOf } from './program.ts'
import type { Caller } from './ssh-server.ts'
import type { WatchedScreen } from './watched-screen.ts'

/** Of one person: more windows on one device are opened on purpose, and then by tmux. */
const SHELLS_PER_ZONE_MAX = 8
/** Each may hold the 64 KB of its screen, and a shell. */
const SHELLS_MAX = 32

export class LastingShells {
  private readonly clock: Clock
  private readonly keepMs: number
  /** Oldest first. */
  private readonly shells = new Map<LastingShell, Timer | null>()

  constructor(clock: Clock, keepMs: number) {
    this.clock = clock
    this.keepMs = keepMs
  }

  /** How many nobody looks at. */
  get keptCount(): number {
    return [...this.shells.keys()].filter(({ isKept }) => isKept).length
  }

  /**
   * Makes room for one more of this zone, by letting its oldest kept one go. False where there is none: then a
   * shell ends with its connection, as it also does where the id is taken or nothing is kept.
   */
  hasRoom({ zone }: Caller, id: string): boolean {
    if (this.keepMs === 0 || this.find(zone, id)) return false
    const own = this.of(zone)
    if (own.length < SHELLS_PER_ZONE_MAX && this.shells.size < SHELLS_MAX) return true
    const oldest = own.find(({ isKept }) => isKept)
    if (oldest) this.letGo(oldest)
    return oldest !== undefined
  }

  add(id: string, caller: Caller, program: TerminalProgram, screen: WatchedScreen): LastingShell {
    const shell = new LastingShell({ id, caller, program, screen, clock: this.clock })
    this.shells.set(shell, null)
    return shell
  }

  /** The shell of this name that this zone has opened; null where there is none. */
  find(zone: ZoneKey, id: string): LastingShell | null {
    return this.of(zone).find(shell => shell.id === id) ?? null
  }

  list(zone: ZoneKey): KeptShells {
    return { keepMs: this.keepMs, shells: this.of(zone).map(shell => shell.describe()) }
  }

  /** Its connection is lost: it waits for somebody to come back. */
  keep(shell: LastingShell): void {
    this.shells.get(shell)?.cancel()
    this.shells.set(
      shell,
      this.clock.after(this.keepMs, () => this.letGo(shell)),
    )
    shell.lose()
  }

  /** Somebody is back. */
  wake(shell: LastingShell): void {
    this.shells.get(shell)?.cancel()
    this.shells.set(shell, null)
  }

  /** It has ended, and somebody knows. */
  remove(shell: LastingShell): void {
    this.shells.get(shell)?.cancel()
    this.shells.delete(shell)
  }

  /** Ends what is kept of one zone: it was granted something, and is no longer. */
  expel(zone: ZoneKey): void {
    for (const shell of this.of(zone)) if (shell.isKept) this.letGo(shell)
  }

  /** Ends what is kept of those who may open no shell any more. */
  review(): void {
    for (const shell of this.shells.keys())
      if (shell.isKept && !shell.caller.allows('shell')) this.letGo(shell)
  }

  /** Ends all that is kept. */
  close(): void {
    for (const shell of this.shells.keys()) if (shell.isKept) this.letGo(shell)
  }

  private of(zone: ZoneKey): LastingShell[] {
    return [...this.shells.keys()].filter(({ caller }) => equalBytes(caller.zone, zone))
  }

  private letGo(shell: LastingShell): void {
    const { caller, id, end } = shell
    this.remove(shell)
    shell.hangUp()
    caller.note('shell', id, end ? resultOf(end) : 'let go')
  }
}
