/** The life of the agent as a process: with the real clock, disk and network, until it is told to end. */

import { join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import { type Address, formatAddress, type Listener } from '../src/base/stream.ts'
import { VERSION } from '../src/base/version.ts'
import { revocationBits } from '../src/box/revocation-bits.ts'
import { systemClock } from '../src/sys/clock.ts'
import { realDisk } from '../src/sys/disk.ts'
import { fileStore } from '../src/sys/file-store.ts'
import { growingFiles } from '../src/sys/growing-files.ts'
import { Journal } from '../src/sys/journal.ts'
import { versionsDirectory } from '../src/sys/own-programs.ts'
import { controlSocket } from '../src/sys/paths.ts'
import { systemRandom } from '../src/sys/random.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import { Agent } from './agent.ts'
import { statusLine } from './agent-status.ts'
import type { Surroundings } from './command.ts'
import type { AgentConfig } from './config.ts'
import { startEngine } from './engine.ts'
import { startGuard } from './guard.ts'
import { ShellKeeper } from './keeper/shell-keeper.ts'
import { collectAfterStart } from './lean-heap.ts'
import { listenForOrders } from './local-control.ts'
import { answerOrders } from './orders.ts'
import { openServiceManager } from './service-manager.ts'
import { type Supervision, supervise } from './supervise.ts'
import { watchTrial } from './trial.ts'
import { awaitsHere, giveWayHere, machineUpgrader } from './upgrader.ts'
import { endTrial, maySettle, trialOf } from './versions.ts'
import { wipe } from './wipe.ts'

const MINUTE_MS = 60_000
const AUDIT_FILE = 'audit'
/** Some ten thousand entries; the older half goes when it is full. */
const AUDIT_SIZE = 4 * 1024 * 1024

/** Runs until the end (false), or until it is to begin anew with nothing (true). */
export async function live(
  { directory, signal, terminal }: Surroundings,
  config: AgentConfig,
  log: Log,
): Promise<boolean> {
  const store = fileStore(directory)
  const audit = new Journal(join(directory, AUDIT_FILE), { sizeMax: AUDIT_SIZE, durable: false })
  const machine = {
    disk: realDisk,
    directory,
    network: tcpNetwork,
    guard: () => startGuard(directory),
  }
  const recordings = growingFiles(join(directory, 'recordings'))
  const relayed = growingFiles(join(directory, 'relayed'))
  const openLedger = (name: string, sizeMax: number) =>
    new Journal(join(directory, name), { sizeMax, durable: true })
  const kept = { store, clock: systemClock, random: systemRandom, log, audit }
  const over = new AbortController()
  const upgrader = machineUpgrader(directory, systemClock.now(), () => over.abort())
  const ofNetwork = { revocationBits: revocationBits(process.env) }
  const keepMs = config.keepShellsMinutes * MINUTE_MS
  const keeper = await ShellKeeper.find({ directory, keepMs, clock: systemClock, log })
  const parts = {
    ...{ config, machine, upgrader, keeper, recordings, relayed, openLedger },
    ...ofNetwork,
    ...kept,
  }
  const agent = await Agent.start(parts, startEngine).catch((error: unknown) => {
    keeper.close()
    throw error
  })
  let isReset = false
  let hasFailed = false
  let metrics: Listener | null = null
  try {
    metrics = config.metrics && (await tellMetrics(agent, config.metrics, log))
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
    const supervision = superviseBySystemd(agent, log)
    const trial = proveOnTrial(agent, log, () => {
      hasFailed = true
      over.abort()
    })
    await aborted(AbortSignal.any([signal, over.signal]))
    tidying.cancel()
    trial?.close()
    // A reset goes on in this process: only the end is told.
    await supervision?.close({ ending: signal.aborted })
    control.close()
  } finally {
    metrics?.close()
    await agent.close({ endShells: isReset })
    keeper.close()
    audit.close()
  }
  if (hasFailed) throw new BoxError('PEER_TIMEOUT', 'This version has not proven itself in time.')
  if (isReset) wipe(store, name => realDisk.removeTree(join(directory, name)))
  return isReset
}

/** A version on trial proves itself, or ends the agent, to be counted by what starts it again. */
function proveOnTrial(agent: Agent, log: Log, failed: () => void): { close(): void } | null {
  const directory = versionsDirectory()
  if (!directory || !maySettle(directory)) return null
  if (trialOf(directory)?.version !== VERSION) return null
  return watchTrial({
    ...{ log, clock: systemClock },
    failed: () => {
      giveWayHere(directory)
      failed()
    },
    isOver: () => trialOf(directory)?.version !== VERSION,
    check: () => agent.check(),
    isReachable: () => {
      // An owner's word is more than a hub, and ends the trial by itself.
      if (awaitsHere(directory)) return false
      const { hubs, hubs_configured } = agent.status()
      return hubs_configured === 0 || hubs > 0
    },
    passed: () => endTrial(directory, VERSION),
  })
}

/** Loaded here: few want it, and it would take memory of all. */
async function tellMetrics(agent: Agent, at: Address, log: Log): Promise<Listener> {
  const { servePage } = await import('../src/sys/http-server.ts')
  const { formatMetrics, METRICS_TYPE } = await import('../src/wire/prometheus.ts')
  const page = { path: '/metrics', type: METRICS_TYPE, text: () => formatMetrics(agent.metrics()) }
  const serving = await servePage(at, page)
  log.note('info', 'metrics', 'listening', { address: formatAddress(serving.local) })
  return serving
}

/** systemd learns how we are, where it started us. */
function superviseBySystemd(agent: Agent, log: Log): Supervision | null {
  const manager = openServiceManager(process.env, log)
  if (!manager) return null
  return supervise({
    ...{ manager, log, clock: systemClock },
    check: () => agent.alive(),
    status: () => statusLine(agent.status()),
  })
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
