/** The second engine on a daemon of a lab, inside this process. */

import { silentLog } from '../../src/base/log.ts'
import { createGnunet, type GnunetMesh } from '../../src/mesh/gnunet.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { gnunetInstallation } from '../../src/sys/gnunet-installation.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { dialUnix } from '../../src/sys/unix-socket.ts'
import type { Lab } from './lab.ts'

export const attach = (lab: Lab, daemon: number): Promise<GnunetMesh> =>
  createGnunet({
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    dial: dialUnix,
    installation: gnunetInstallation,
    file: lab.conf(daemon),
  })

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Looks again and again, until something is there. */
export async function eventually<T>(
  look: () => T | Promise<T>,
  ms = 15_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + ms
  for (;;) {
    const found = await look()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms`)
    await pause(50)
  }
}
