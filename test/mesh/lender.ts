/** A process that lends its peer at a Unix socket, for tests of those that borrow. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Log, silentLog } from '../../src/base/log.ts'
import type { Stream } from '../../src/base/stream.ts'
import { LOANS_MAX, lender } from '../../src/mesh/loan/lender.ts'
import type { Mesh } from '../../src/mesh/mesh.ts'
import { systemClock as clock } from '../../src/sys/clock.ts'
import { dialUnix, listenUnix } from '../../src/sys/unix-socket.ts'

const directory = mkdtempSync(join(tmpdir(), 'box-loan-'))
process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
let sockets = 0

/** A path for a socket that is gone with the process; a test may want it outside of hooks. */
export const socketPath = (): string => join(directory, `${++sockets}.sock`)

/** A lender that can be ended as a process is: with its connections. */
export async function lend(at: string, peer: Mesh) {
  const streams = new Set<Stream>()
  const accept = lender(peer)
  const listener = await listenUnix(
    at,
    stream => {
      streams.add(stream)
      return accept(stream)
    },
    { connectionsMax: LOANS_MAX },
  )
  const close = () => {
    listener.close()
    for (const stream of streams) stream.close()
  }
  return { path: at, close }
}
export const at = (socket: string, log: Log = silentLog) => ({
  path: socket,
  dial: dialUnix,
  clock,
  log,
})

export type Lending = Awaited<ReturnType<typeof lend>>
