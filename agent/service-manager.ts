/**
 * systemd as far as a service tells it how it is: by the program systemd-notify, through the package of the
 * same name for what that knows (ready, status) and by ourselves for the rest. The only file that knows it.
 *
 * Where no service manager listens, there is none; where the program is missing, that is said once.
 */

import { spawn } from 'node:child_process'
import notify from 'systemd-notify'
import type { Log } from '../src/base/log.ts'

export interface ServiceManager {
  /** How often it wants to hear that we live, or it ends us; null where it does not ask. */
  readonly watchdogMs: number | null
  ready(status: string): Promise<void>
  status(text: string): Promise<void>
  alive(): Promise<void>
  stopping(): Promise<void>
}

/** The service manager of this process; null where there is none. */
export function openServiceManager(env: NodeJS.ProcessEnv, log: Log): ServiceManager | null {
  if (!env.NOTIFY_SOCKET) return null
  let works = true
  const told = async (telling: () => Promise<unknown>): Promise<void> => {
    if (!works) return
    try {
      await telling()
    } catch (error) {
      // Missing, or forbidden: it will not be otherwise the next time.
      works = false
      log.note('warn', 'service', 'systemd-notify does not work', { why: `${error}`.slice(0, 200) })
    }
  }
  return {
    watchdogMs: watchdogOf(env),
    ready: status => told(() => notify({ ready: true, status: oneLine(status) })),
    status: text => told(() => notify({ status: oneLine(text) })),
    alive: () => told(() => say('WATCHDOG=1')),
    stopping: () => told(() => say('STOPPING=1')),
  }
}

/** sd_watchdog_enabled(3): for us only where the process is not named, or is we. */
function watchdogOf({ WATCHDOG_USEC, WATCHDOG_PID }: NodeJS.ProcessEnv): number | null {
  const microseconds = Number(WATCHDOG_USEC)
  if (!(microseconds > 0)) return null
  return !WATCHDOG_PID || Number(WATCHDOG_PID) === process.pid ? microseconds / 1_000 : null
}

/** What the package has no word for. */
function say(assignment: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn('systemd-notify', [`--pid=${process.pid}`, assignment], { stdio: 'ignore' })
    child.once('error', reject)
    child.once('close', code => {
      if (code === 0) resolve()
      else reject(new Error(`exit code ${code}`))
    })
  })
}

const oneLine = (text: string): string => text.replaceAll(/\p{Cc}+/gu, ' ')
