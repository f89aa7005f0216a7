/**
 * `box-keeper STATE`: the process that holds the shells of the device whose state directory that is. Started by the
 * agent for the first shell that may outlive it, and by nobody else. It loads what it needs at once: the files it
 * was started from may be gone after an upgrade.
 */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../src/sys/clock.ts'
import { keeperSocket } from '../../src/sys/paths.ts'
import { listenUnix } from '../../src/sys/unix-socket.ts'
import { collectAfterStart } from '../lean-heap.ts'
import { Pty } from '../pty.ts'
import { ENDED_FILE, noteEndedShell } from './ended-shells.ts'
import { Keeper } from './keeper.ts'

/** Two for each shell while one agent follows another, and their lines. */
const CONNECTIONS_MAX = 128
/** For the last words on the connections that are open. */
const GOODBYE_MS = 500
const EXIT_USAGE = 64

async function keep(directory: string): Promise<void> {
  const socket = keeperSocket(directory)
  const keeper = new Keeper({
    clock: systemClock,
    start: request => new Pty({ ...request, clock: systemClock }),
    ended: end => noteEndedShell(join(directory, ENDED_FILE), end),
    isReachable: () => existsSync(socket),
    over: () => {
      listener.close()
      systemClock.after(GOODBYE_MS, () => process.exit(0))
    },
  })
  const listener = await listenUnix(socket, stream => keeper.accept(stream), {
    connectionsMax: CONNECTIONS_MAX,
  })
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, () => keeper.close())
  process.on('SIGHUP', () => {})
  collectAfterStart(systemClock)
}

const [directory] = process.argv.slice(2)
if (directory) void keep(directory)
else process.exit(EXIT_USAGE)
