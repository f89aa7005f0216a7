/** The engine of the agent: a peer of its own, that of the GNUnet daemon on this machine, or that of `box-agent mesh`. */

import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import type { Address } from '../src/base/stream.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import type { AgentMesh, EngineParts, StartMesh } from './agent.ts'
import type { AgentConfig } from './config.ts'
import { isPublic, ownAddresses } from './own-addresses.ts'

export const startEngine: StartMesh = async parts => {
  const { config, log } = parts
  if (config.meshSocket !== null) return borrowEngine(config.meshSocket, parts)
  if (config.mesh === 'embedded') return startEmbedded(parts)
  try {
    return await startGnunet(parts)
  } catch (error) {
    const isAbsent = error instanceof BoxError && error.family === 'setup'
    if (config.mesh === 'gnunet' || !isAbsent) throw error
    log.note('info', 'agent', 'no daemon answers: embedded peer', { code: error.code })
    return startEmbedded(parts)
  }
}

/** The peer of another process, which may be less than we are; the hubs are told to it. */
async function borrowEngine(path: string, { config, clock, log }: EngineParts): Promise<AgentMesh> {
  const [{ keepBorrowing }, { dialUnix }] = await Promise.all([
    import('../src/mesh/borrowed.ts'),
    import('../src/sys/unix-socket.ts'),
  ])
  const mesh = await keepBorrowing({ path, dial: dialUnix, clock, log })
  for (const hub of config.hubs) mesh.introduce(hub)
  return Object.assign(mesh, { isLent: true as const })
}

/** Loaded where it is wanted: a device beside its mesh side has no use for it. */
async function startEmbedded({ config, ...parts }: EngineParts): Promise<AgentMesh> {
  const { createEmbedded } = await import('../src/mesh/embedded.ts')
  return createEmbedded({
    ...parts,
    network: tcpNetwork,
    listen: config.listen,
    advertise: diallableAt(config, parts.log),
    hubs: config.hubs,
  })
}

/** Loaded where it is wanted: most agents are peers of their own. */
async function startGnunet({ config, ...parts }: EngineParts) {
  const [{ createGnunet }, { gnunetInstallation }, { dialUnix }] = await Promise.all([
    import('../src/mesh/gnunet.ts'),
    import('../src/sys/gnunet-installation.ts'),
    import('../src/sys/unix-socket.ts'),
  ])
  return createGnunet({
    ...parts,
    dial: dialUnix,
    installation: gnunetInstallation,
    file: config.gnunetConf,
    hubs: config.hubs,
  })
}

/** What a person said, or what can be seen from here. */
function diallableAt({ listen, advertise }: AgentConfig, log: Log): readonly Address[] {
  if (advertise.length > 0) return advertise
  // A port that the system chooses is told when it has been chosen.
  const addresses = ownAddresses(listen).filter(({ port }) => port > 0)
  if (listen.some(({ port }) => port > 0) && !addresses.some(({ host }) => isPublic(host)))
    log.note('warn', 'agent', 'no public address: see --advertise')
  return addresses
}
