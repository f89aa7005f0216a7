/** The life of the mesh side as a process: a peer, and the socket at which it is lent, until told to end. */

import type { Log } from '../src/base/log.ts'
import { revocationBits } from '../src/box/revocation-bits.ts'
import type { Revocations } from '../src/gns/revocations.ts'
import { LOANS_MAX, lender } from '../src/mesh/loan/lender.ts'
import { systemClock } from '../src/sys/clock.ts'
import { fileStore } from '../src/sys/file-store.ts'
import { systemRandom } from '../src/sys/random.ts'
import { listenUnix } from '../src/sys/unix-socket.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { AgentMesh } from './agent.ts'
import type { Surroundings } from './command.ts'
import type { AgentConfig } from './config.ts'
import { startEngine } from './engine.ts'
import { collectAfterStart } from './lean-heap.ts'
import { checkMesh } from './mesh-check.ts'
import { watchNetwork } from './network-watch.ts'
import { revocationsOf } from './revoked-zones.ts'
import { openServiceManager } from './service-manager.ts'
import { type Supervision, supervise } from './supervise.ts'

export interface Lending {
  readonly config: AgentConfig
  readonly socket: string
  readonly log: Log
}

/** Fails with ADDRESS_IN_USE, KEY_UNREADABLE, STATE_UNREADABLE, STATE_UNWRITABLE, CONFIG_INVALID. */
export async function lendForLife(
  { directory, signal, terminal }: Surroundings,
  { config, socket, log }: Lending,
): Promise<void> {
  const parts = { clock: systemClock, random: systemRandom, log }
  const store = fileStore(directory)
  const mesh = await startEngine({ ...parts, config, store })
  let revocations: Revocations | null = null
  try {
    // Heard, checked and passed on here: whoever borrows the peer asks the DHT for what it needs.
    revocations = revocationsOf({ ...parts, mesh, store, bits: revocationBits(process.env) })
    const lending = await listenUnix(socket, lender(mesh), { connectionsMax: LOANS_MAX })
    const network = watchNetwork(systemClock, () => {
      log.note('info', 'mesh', 'network changed')
      mesh.networkChanged?.()
    })
    const pid = encodeBase32(mesh.self)
    log.note('info', 'mesh', 'lends its peer', { peer: pid.slice(0, 4), socket })
    terminal.say(`lends peer ${pid} at ${socket}`, { pid, hello: mesh.hello(), socket })
    const tidying = collectAfterStart(systemClock)
    const supervision = superviseBySystemd(mesh, log)
    await ended(signal)
    tidying.cancel()
    await supervision?.close({ ending: true })
    network.close()
    lending.close()
  } finally {
    revocations?.close()
    await mesh.close()
  }
  log.note('info', 'mesh', 'stopped')
}

function superviseBySystemd(mesh: AgentMesh, log: Log): Supervision | null {
  const manager = openServiceManager(process.env, log)
  if (!manager) return null
  const status = () => {
    const { neighbours, tunnels } = mesh.status()
    const up = neighbours.filter(({ state }) => state === 'up').length
    return `neighbours ${up}, tunnels ${tunnels.length}`
  }
  const check = () => checkMesh(mesh, systemRandom)
  return supervise({ manager, log, clock: systemClock, check, status })
}

const ended = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
