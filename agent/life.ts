/** The life of the agent as a process: with the real clock, disk and network, until it is told to end. */

import type { Log } from '../src/base/log.ts'
import type { Address } from '../src/base/stream.ts'
import { createEmbedded } from '../src/mesh/embedded.ts'
import { systemClock } from '../src/sys/clock.ts'
import { fileStore } from '../src/sys/file-store.ts'
import { controlSocket } from '../src/sys/paths.ts'
import { systemRandom } from '../src/sys/random.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import { Agent, type StartMesh } from './agent.ts'
import type { Surroundings } from './command.ts'
import type { AgentConfig } from './config.ts'
import { collectAfterStart } from './lean-heap.ts'
import { listenForOrders } from './local-control.ts'
import { answerOrders } from './orders.ts'
import { isPublic, ownAddresses } from './own-addresses.ts'
import { wipe } from './wipe.ts'

const startMesh: StartMesh = ({ config, ...parts }) =>
  createEmbedded({
    ...parts,
    network: tcpNetwork,
    listen: config.listen,
    advertise: diallableAt(config, parts.log),
    hubs: config.hubs,
  })

/** What a person said, or what can be seen from here. */
function diallableAt({ listen, advertise }: AgentConfig, log: Log): readonly Address[] {
  if (advertise.length > 0) return advertise
  // A port that the system chooses is told when it has been chosen.
  const addresses = ownAddresses(listen).filter(({ port }) => port > 0)
  if (listen.some(({ port }) => port > 0) && !addresses.some(({ host }) => isPublic(host)))
    log.note('warn', 'agent', 'no public address: see --advertise')
  return addresses
}

/** Runs until the end (false), or until it is to begin anew with nothing (true). */
export async function live(
  { directory, signal, terminal }: Surroundings,
  config: AgentConfig,
  log: Log,
): Promise<boolean> {
  const store = fileStore(directory)
  const parts = { config, store, clock: systemClock, random: systemRandom, log }
  const agent = await Agent.start(parts, startMesh)
  let isReset = false
  try {
    const over = new AbortController()
    const reset = () => {
      isReset = true
      over.abort()
    }
    const control = await listenForOrders(controlSocket(directory), answerOrders(agent, reset), log)
    const { pid, hello, device_zone } = agent.status()
    terminal.say(config.listen.length > 0 ? `running as hub: ${hello}` : `running as peer ${pid}`, {
      ...{ pid, device_zone, hello },
      state: directory,
    })
    const tidying = collectAfterStart(systemClock)
    await aborted(AbortSignal.any([signal, over.signal]))
    tidying.cancel()
    control.close()
  } finally {
    await agent.close()
  }
  if (isReset) wipe(store)
  return isReset
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
