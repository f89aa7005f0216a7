/** The terminals that are open on a device, and who watches them. */

import type { Clock } from '../src/base/clock.ts'
import { WATCH_ONE_SUBSYSTEM, WATCH_SUBSYSTEM } from '../src/box/watching.ts'
import type { WindowSize } from './lasting-shell.ts'
import type { Program } from './program.ts'
import type { Caller } from './ssh-server.ts'
import { type WatchEnd, WatchedScreen } from './watched-screen.ts'

/** There is no such shell, or as many watch it as may. */
const EXIT_NOTHING = 1
const LAST_WORDS_MS = 300

export const isWatchName = (subsystem: string): boolean =>
  subsystem === WATCH_SUBSYSTEM || subsystem.startsWith(WATCH_ONE_SUBSYSTEM)

export class OpenScreens {
  private readonly clock: Clock
  private readonly screens = new Map<number, WatchedScreen>()
  private last = 0

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** The screen of a program that was started for this person. */
  openFor(
    { pid, exited }: Pick<Program, 'pid' | 'exited'>,
    who: string,
    { columns, rows }: WindowSize,
  ): WatchedScreen {
    const number = ++this.last
    const screen = new WatchedScreen({
      ...{ number, who, clock: this.clock, columns, rows },
      closed: () => void this.screens.delete(number),
    })
    screen.pid = pid
    this.screens.set(number, screen)
    // What was printed last is on its way still.
    void exited.then(() => this.clock.after(LAST_WORDS_MS, () => screen.end()))
    return screen
  }

  /** What is watched, for the audit journal. */
  about(subsystem: string): string {
    const screen = this.named(subsystem)
    return screen ? `${subsystem} of ${screen.who}` : subsystem
  }

  private named(subsystem: string): WatchedScreen | undefined {
    return this.screens.get(Number(subsystem.slice(WATCH_ONE_SUBSYSTEM.length)))
  }

  /** Says all that the subsystem of this name has to say; resolves to its exit code. */
  async serve(
    subsystem: string,
    caller: Caller,
    write: (piece: Uint8Array) => Promise<void>,
    left: AbortSignal,
  ): Promise<number> {
    if (subsystem === WATCH_SUBSYSTEM) {
      for (const screen of this.screens.values())
        await write(Buffer.from(`${JSON.stringify(screen.describe())}\n`))
      return 0
    }
    const screen = this.named(subsystem)
    if (!screen || screen.isFull) return EXIT_NOTHING
    const end: WatchEnd = await screen.watch(caller.name, line => write(Buffer.from(line)), left)
    return end === 'over' ? 0 : EXIT_NOTHING
  }
}
