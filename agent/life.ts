/** The life of the agent as a process: with the real clock, disk and network, until it is told to end. */

import type { Log } from '../src/base/log.ts'
import { createEmbedded } from '../src/mesh/embedded.ts'
import { systemClock } from '../src/sys/clock.ts'
import { realDisk } from '../src/sys/disk.ts'
import { fileStore } from '../src/sys/file-store.ts'
import { controlSocket } from '../src/sys/paths.ts'
import { systemRandom } from '../src/sys/random.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import { Agent, type StartMesh } from './agent.ts'
import type { Surroundings } from './command.ts'
import type { AgentConfig } from './config.ts'
import { startGuard } from './guard.ts'
import { listenForOrders } from './local-control.ts'
import { answerOrders } from './orders.ts'
import { wipe } from './wipe.ts'

const startMesh: StartMesh = ({ config, ...parts }) =>
  createEmbedded({
    ...parts,
    network: tcpNetwork,
    listen: config.listen,
    advertise: config.advertise,
    hubs: config.hubs,
  })

/** Runs until the end (false), or until it is to begin anew with nothing (true). */
export async function live(
  { directory, signal, terminal }: Surroundings,
  config: AgentConfig,
  log: Log,
): Promise<boolean> {
  const store = fileStore(directory)
  const machine = {
    disk: realDisk,
    directory,
    network: tcpNetwork,
    guard: () => startGuard(directory),
  }
  const parts = { config, store, clock: systemClock, random: systemRandom, log, machine }
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
    await aborted(AbortSignal.any([signal, over.signal]))
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
