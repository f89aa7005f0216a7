/**
 * The engine of a `box` process: an embedded peer that only dials, with a key that nobody will see again; or
 * the GNUnet daemon of this machine.
 */

import { BoxError } from '../src/base/errors.ts'
import { memoryStore } from '../src/base/store.ts'
import { createEmbedded } from '../src/mesh/embedded.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import type { ControllerMesh, EngineChoice, MeshParts } from './context.ts'

export async function startEngine(choice: EngineChoice, parts: MeshParts): Promise<ControllerMesh> {
  if (choice.mesh === 'embedded') return startEmbedded(parts)
  try {
    return await attachDaemon(choice.gnunetConf, parts)
  } catch (error) {
    const isAbsent = error instanceof BoxError && error.family === 'setup'
    if (choice.mesh === 'gnunet' || !isAbsent) throw error
    parts.log.note('info', 'controller', 'no daemon answers: embedded peer', { code: error.code })
    return startEmbedded(parts)
  }
}

/**
 * The GNUnet daemon of a configuration file; null: whichever is found. Fails as createGnunet. Loaded here: who has
 * a peer of its own needs nothing of it.
 */
export async function attachDaemon(file: string | null, parts: MeshParts) {
  const [{ createGnunet }, { gnunetInstallation }, { dialUnix }] = await Promise.all([
    import('../src/mesh/gnunet.ts'),
    import('../src/sys/gnunet-installation.ts'),
    import('../src/sys/unix-socket.ts'),
  ])
  return await createGnunet({ ...parts, dial: dialUnix, installation: gnunetInstallation, file })
}

const startEmbedded = (parts: MeshParts) =>
  createEmbedded({ ...parts, network: tcpNetwork, store: memoryStore() })
