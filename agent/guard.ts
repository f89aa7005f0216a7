/**
 * A process beside the agent for as long as a change is open: where the agent ends and nobody starts it again
 * (the change may have stopped it, or replaced it by something that does not run), this puts everything back.
 *
 * It has loaded all it needs before the first file is exchanged, so that no change can take it away.
 */

import { spawn } from 'node:child_process'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { Disk } from '../src/sys/disk.ts'
import { fileStore } from '../src/sys/file-store.ts'
import { lockHolder, lockState } from '../src/sys/state-lock.ts'
import { Applier } from './apply/applier.ts'
import { DeviceKeys } from './device-keys.ts'

const LOOK_EVERY_MS = 1_000
/** A supervisor has started the agent again by then, or never will. */
const AWAY_MAX_MS = 20_000

/** Starts it; it ends by itself. */
export function startGuard(directory: string): void {
  const program = process.argv[1]
  if (!program) return
  const child = spawn(process.execPath, [program, 'put-back', '--wait', '--state', directory], {
    detached: true,
    stdio: 'ignore',
    cwd: '/',
  })
  // Without it, all but a change that ends the agent for good is still put back.
  child.on('error', () => {})
  child.unref()
}

export interface GuardOptions {
  readonly directory: string
  readonly disk: Disk
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly signal: AbortSignal
}

/** Until no change is open any more; true where it had to put one back. `wait`: while the agent may still come. */
export async function guard(
  options: GuardOptions,
  { wait }: { readonly wait: boolean },
): Promise<boolean> {
  const { directory, clock, signal } = options
  const device = new DeviceKeys({ ...options, store: fileStore(directory) })
  const applier = new Applier({ ...options, device, roots: [], allows: () => false })
  let away = 0
  while (wait && applier.open && !signal.aborted) {
    const { deadline, step } = applier.open
    const isDue = step !== 'awaiting' || clock.now() >= (deadline ?? 0)
    away = lockHolder(directory) === null && isDue ? away + LOOK_EVERY_MS : 0
    if (away >= AWAY_MAX_MS) break
    await new Promise<void>(resolve => void clock.after(LOOK_EVERY_MS, resolve))
  }
  if (!applier.open || signal.aborted) return false
  const lock = lockState(directory)
  try {
    await applier.recover({ goOnWaiting: false })
    if (applier.open) throw new BoxError('STATE_UNWRITABLE', 'The change could not be put back.')
    return true
  } finally {
    applier.close()
    lock.release()
  }
}
