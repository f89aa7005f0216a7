/** The engine of the agent: a peer of its own, or that of the GNUnet daemon on this machine. */

import { BoxError } from '../src/base/errors.ts'
import { createEmbedded } from '../src/mesh/embedded.ts'
import { createGnunet } from '../src/mesh/gnunet.ts'
import { gnunetInstallation } from '../src/sys/gnunet-installation.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import { dialUnix } from '../src/sys/unix-socket.ts'
import type { AgentParts, StartMesh } from './agent.ts'

export const startEngine: StartMesh = async parts => {
  const { config, log } = parts
  if (config.mesh === 'embedded') return startEmbedded(parts)
  try {
    return await createGnunet({
      ...parts,
      dial: dialUnix,
      installation: gnunetInstallation,
      file: config.gnunetConf,
      hubs: config.hubs,
    })
  } catch (error) {
    const isAbsent = error instanceof BoxError && error.family === 'setup'
    if (config.mesh === 'gnunet' || !isAbsent) throw error
    log.note('info', 'agent', 'no daemon answers: embedded peer', { code: error.code })
    return startEmbedded(parts)
  }
}

const startEmbedded = ({ config, ...parts }: AgentParts) =>
  createEmbedded({
    ...parts,
    network: tcpNetwork,
    listen: config.listen,
    advertise: config.advertise,
    hubs: config.hubs,
  })
