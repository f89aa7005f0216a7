/**
 * SSH connections to devices that commands have just been run over, kept for the next ones: the handshakes of a new one
 * are some fifty milliseconds of arithmetic on either side. The device asks its grants at each command, as ever, and
 * closes the connection of whoever has none any more.
 *
 * Over what has once failed, or was cut off, nothing more is begun; what has been silent for a while is asked first
 * whether it is there still. Nothing is said twice: where a command may have begun, its failure is told.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import type { Device } from '../fleet.ts'
import type { LentShell } from '../remote-command.ts'
import type { SshSession } from '../ssh-client.ts'
import { Turns } from './turns.ts'

/**
 * Commands come in bursts; each connection costs a device 200 KB. One that was lost unseen is noticed after 40 seconds at
 * most, and until then fails whatever is begun over it.
 */
const KEPT_MS = 60_000
/** Within a burst nobody asks: a device that goes just then is one that goes while a command runs. */
const FRESH_MS = 2_000
/** A few round trips through hubs on a slow line. A new connection takes longer. */
const ANSWER_MS = 3_000
/** A device lets ten sessions be open over one connection. */
const USES_MAX = 4
/**
 * Logins begun at once: more would not be through sooner, and where the arithmetic takes longer than either side waits,
 * all of it is said again. Each lets the next begin once there is time.
 */
const LOGINS_MAX = 8
const LOGIN_WAIT_MS = 200
const LOGIN_MS = 3_000
/** What a device says at a login is one thing. */
const GREETINGS_MAX = 4

interface Kept {
  readonly ssh: SshSession
  readonly greetings: readonly string[]
  uses: number
  /** Over it nothing more is begun. */
  isSpent: boolean
  timer: Timer | null
  /** By clock.elapsed, when it last was as it should be. */
  wholeAt: number
}

export class WarmShells {
  private readonly clock: Clock
  private readonly turns: Turns
  /** By the user, the name and the zone of the device: who has logged in as one user is no other. */
  private readonly kept = new Map<string, Kept>()

  constructor({ clock }: { readonly clock: Clock }) {
    this.clock = clock
    const times = { idleMs: LOGIN_WAIT_MS, longestMs: LOGIN_MS }
    this.turns = new Turns({ clock, limit: LOGINS_MAX, ...times })
  }

  /** One that is there, or a new one. Fails as `openShell`. */
  readonly take = async (
    context: Context,
    device: Device,
    options: { readonly timeoutMs: number; readonly user: string | null },
  ): Promise<LentShell> => {
    const name = `${options.user ?? ''}@${device.name}@${zoneToText(device.zone)}`
    const known = this.kept.get(name)
    if (known && known.uses < USES_MAX) {
      const lent = this.lend(name, known)
      if (this.isFresh(known)) return lent
      if (await known.ssh.answers(this.clock, Math.min(ANSWER_MS, options.timeoutMs))) return lent
      lent.giveBack(false)
    }
    const greetings: string[] = []
    const greeted = (text: string) => {
      if (greetings.length < GREETINGS_MAX) greetings.push(text)
    }
    const ssh = await this.login(context, device, { ...options, greeted })
    const wholeAt = this.clock.elapsed()
    const isSpent = this.kept.has(name)
    const made: Kept = { ssh, greetings, uses: 0, isSpent, timer: null, wholeAt }
    if (!made.isSpent) this.kept.set(name, made)
    void ssh.closed.then(() => this.spend(name, made))
    return this.lend(name, made)
  }

  /** Fails as `openShell`. */
  private async login(...asked: Parameters<typeof openShell>): Promise<SshSession> {
    const turn = await this.turns.take(asked[0].signal)
    try {
      return (await openShell(...asked)).ssh
    } finally {
      turn.end()
    }
  }

  /** Ends all that nobody uses; what is used ends with its use. */
  close(): void {
    for (const [name, one] of this.kept) this.spend(name, one)
  }

  private isFresh({ wholeAt }: Kept): boolean {
    return this.clock.elapsed() - wholeAt < FRESH_MS
  }

  private lend(name: string, one: Kept): LentShell {
    one.uses += 1
    one.timer?.cancel()
    one.timer = null
    return {
      ssh: one.ssh,
      greetings: one.greetings,
      giveBack: isWhole => {
        one.uses -= 1
        if (isWhole) one.wholeAt = this.clock.elapsed()
        if (!isWhole) this.spend(name, one)
        else if (one.isSpent) this.end(one)
        else if (one.uses === 0) one.timer = this.clock.after(KEPT_MS, () => this.spend(name, one))
      },
    }
  }

  private spend(name: string, one: Kept): void {
    one.isSpent = true
    if (this.kept.get(name) === one) this.kept.delete(name)
    this.end(one)
  }

  private end(one: Kept): void {
    if (one.uses > 0) return
    one.timer?.cancel()
    one.ssh.destroy()
  }
}
