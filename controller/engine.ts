/** The engine of a `box` process: an embedded peer that only dials, with a key that nobody will see again. */

import { memoryStore } from '../src/base/store.ts'
import { createEmbedded } from '../src/mesh/embedded.ts'
import { tcpNetwork } from '../src/sys/tcp.ts'
import type { StartMesh } from './context.ts'

export const startEngine: StartMesh = parts =>
  createEmbedded({ ...parts, network: tcpNetwork, store: memoryStore() })
