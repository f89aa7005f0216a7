/**
 * The shells of a device that can outlive their connection, and with a keeper this process: how many, how long, and
 * for whom. Only the zone key that opened one gets it back, and only while it may open shells; after the time kept,
 * or without the right, a shell that nobody looks at is hung up.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { KeptShells } from '../src/box/kept-shells.ts'
import { sshKeyMark } from '../src/box/ssh-key.ts'
import type { EndedShell } from './keeper/ended-shells.ts'
import type { LeftShell, ShellKeeper } from './keeper/shell-keeper.ts'
import {
  formatShellLabel,
  parseShellLabel,
  type RecordedShell,
  type ShellLabel,
} from './keeper/shell-label.ts'
import {
  LastingShell,
  type ShellOwner,
  type TerminalProgram,
  UNKNOWN_SIZE,
} from './lasting-shell.ts'
import type { OpenScreens } from './open-screens.ts'
import { resultOf } from './program.ts'
import type { TerminalRequest } from './pty.ts'
import { recordedTerminal } from './recorded-program.ts'
import type { Recording } from './recording.ts'
import type { Caller } from './ssh-server.ts'

/** Of one person: more windows on one device are opened on purpose, and then by tmux. */
const SHELLS_PER_ZONE_MAX = 8
/** Each may hold the 64 KB of its screen, and a shell. The keeper holds as many. */
const SHELLS_MAX = 32

/** Where shells go that outlive this process, and whose those are that it finds there. */
export interface Custody {
  readonly keeper: ShellKeeper
  readonly ownerOf: (label: ShellLabel) => ShellOwner
  /** Goes on recording one in a recording of its own. Throws BoxError where it cannot: then the shell must not go on. */
  readonly record: (label: ShellLabel & { recorded: RecordedShell }) => Recording
}

export interface LastingShellsOptions {
  readonly clock: Clock
  readonly log: Log
  /** 0: none is kept. */
  readonly keepMs: number
  /** Null: they end with this process. */
  readonly custody: Custody | null
  /** Where they are watched. */
  readonly screens: OpenScreens
}

/** Of a caller, as whom it comes. */
type Seated = Pick<Caller, 'zone' | 'user'>

const userOf = ({ user }: Seated): string | null => (user?.identity ? user.name : null)

interface OpenOptions {
  readonly here: (request: TerminalRequest) => TerminalProgram
  /** Null where it is not recorded. */
  readonly recording: Recording | null
}

export class LastingShells {
  private readonly options: LastingShellsOptions
  /** Oldest first. */
  private readonly shells = new Map<LastingShell, Timer | null>()
  /** Those that are about to be. */
  private readonly opening = new Set<{ readonly id: string; readonly zone: ZoneKey }>()

  constructor(options: LastingShellsOptions) {
    this.options = options
    if (options.custody) this.takeOver(options.custody)
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
    if (this.options.keepMs === 0 || this.of(zone).some(shell => shell.id === id)) return false
    const opening = [...this.opening].filter(one => equalBytes(one.zone, zone))
    if (opening.some(one => one.id === id)) return false
    const own = this.of(zone)
    const isLess = own.length + opening.length < SHELLS_PER_ZONE_MAX
    if (isLess && this.shells.size + this.opening.size < SHELLS_MAX) return true
    const oldest = own.find(({ isKept }) => isKept)
    if (oldest) this.letGo(oldest)
    return oldest !== undefined
  }

  /** Somebody who is known is about to open one: what holds it takes a moment to start. */
  prepare(caller: Caller): void {
    if (this.options.keepMs === 0 || !caller.allows('shell')) return
    this.options.custody?.keeper.prepare()
  }

  /** Opens one: with the keeper, or `here` where that is not to be had. Fails as `here`. */
  async open(
    id: string,
    owner: Caller,
    request: TerminalRequest,
    { here, recording }: OpenOptions,
  ): Promise<LastingShell> {
    const place = { id, zone: owner.zone }
    this.opening.add(place)
    try {
      const { clock, screens } = this.options
      const held = await this.elsewhere(id, owner, request, recording)
      const bare = held ?? here(request)
      const program = recording ? recordedTerminal(bare, recording, clock) : bare
      const screen = screens.openFor(program, owner.name, request)
      const shell = new LastingShell({ id, owner, user: userOf(owner), program, screen, clock })
      this.shells.set(shell, null)
      return shell
    } finally {
      this.opening.delete(place)
    }
  }

  /** The shell of this name that this person has opened, as this user; null where there is none. */
  find(caller: Seated, id: string): LastingShell | null {
    return this.ofUser(caller).find(shell => shell.id === id) ?? null
  }

  list(caller: Seated): KeptShells {
    const { zone } = caller
    const { clock, keepMs } = this.options
    const shells = this.ofUser(caller).map(shell => shell.describe())
    const opening = [...this.opening].filter(one => equalBytes(one.zone, zone))
    const state = { state: 'open', program: '', startedAt: clock.now(), silentMs: 0 } as const
    return { keepMs, shells: [...shells, ...opening.map(({ id }) => ({ id, ...state }))] }
  }

  /** Its connection is lost: it waits for somebody to come back. */
  keep(shell: LastingShell): void {
    this.endAfter(shell, this.options.keepMs)
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
      if (shell.isKept && !shell.owner.allows('shell')) this.letGo(shell)
  }

  /** Ends all that is kept. */
  close(): void {
    for (const shell of this.shells.keys()) if (shell.isKept) this.letGo(shell)
  }

  /** This process ends: what the keeper holds goes on for the next one, all else that is kept ends. */
  leave(): void {
    for (const shell of this.shells.keys()) {
      if (!shell.isKept) continue
      if (shell.leave()) this.remove(shell)
      else this.letGo(shell)
    }
  }

  private async elsewhere(
    id: string,
    caller: Caller,
    request: TerminalRequest,
    recording: Recording | null,
  ): Promise<TerminalProgram | null> {
    const { custody, log } = this.options
    if (!custody) return null
    try {
      const { zone, publicKey } = caller
      const key = sshKeyMark(publicKey)
      const { file: shell, env } = request
      const recorded = recording && { recording: recording.id, shell, term: env.TERM ?? '' }
      const label = formatShellLabel({ id, zone, key, user: userOf(caller), recorded })
      return await custody.keeper.open(request, label)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'keeper', 'a shell will end with this process', { why: error.message })
      return null
    }
  }

  private of(zone: ZoneKey): LastingShell[] {
    return [...this.shells.keys()].filter(({ owner }) => equalBytes(owner.zone, zone))
  }

  private ofUser(caller: Seated): LastingShell[] {
    return this.of(caller.zone).filter(({ user }) => user === userOf(caller))
  }

  private endAfter(shell: LastingShell, ms: number): void {
    this.shells.get(shell)?.cancel()
    const timer = this.options.clock.after(ms, () => this.letGo(shell))
    this.shells.set(shell, timer)
  }

  private letGo(shell: LastingShell): void {
    const { owner, id, end, program } = shell
    this.remove(shell)
    shell.hangUp()
    const at = end ? (program.keeping?.endedAt ?? undefined) : undefined
    owner.note('shell', id, end ? resultOf(end) : 'let go', at)
  }

  /** The shells of an agent before, and what became of others meanwhile. */
  private takeOver(custody: Custody): void {
    const { keeper, ownerOf } = custody
    for (const ended of keeper.endedShells()) this.noteEnded(ended, ownerOf)
    keeper.forgetEndedShells()
    for (const left of keeper.left) this.adopt(left, custody)
    this.review()
  }

  private noteEnded({ label, at, exit }: EndedShell, ownerOf: Custody['ownerOf']): void {
    const known = this.labelOf(label)
    if (known) ownerOf(known).note('shell', known.id, exit ? resultOf(exit) : 'let go', at)
  }

  private adopt({ held, program: left }: LeftShell, { keeper, ownerOf, record }: Custody): void {
    const label = this.labelOf(held.label)
    if (!label) {
      keeper.giveUp(held.shell)
      return
    }
    const { id, user } = label
    const owner = ownerOf(label)
    const program = this.recorded(label, left, record)
    if (program instanceof BoxError) {
      owner.note('shell', id, `let go: not recorded, ${program.code}`)
      keeper.giveUp(held.shell)
      return
    }
    const { clock, screens } = this.options
    const screen = screens.openFor(program, owner.name, UNKNOWN_SIZE)
    const shell = new LastingShell({ id, owner, user, program, screen, clock, before: held })
    if (held.cutOffAt !== null) owner.note('shell', id, 'kept', held.cutOffAt)
    left.see(false)
    this.endAfter(shell, Math.max(0, this.options.keepMs - held.silentMs))
  }

  /** What an agent before has recorded is recorded on. */
  private recorded(
    label: ShellLabel,
    left: TerminalProgram,
    record: Custody['record'],
  ): TerminalProgram | BoxError {
    const { recorded } = label
    if (!recorded) return left
    try {
      return recordedTerminal(left, record({ ...label, recorded }), this.options.clock)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      return error
    }
  }

  private labelOf(text: string): ShellLabel | null {
    try {
      return parseShellLabel(text)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.options.log.note('error', 'keeper', 'a shell of nobody', { why: error.message })
      return null
    }
  }
}
