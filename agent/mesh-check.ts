/**
 * Whether the mesh does its work: a channel of the peer to itself opens, and brings a message back. It goes
 * through the engine's dispatch, timers and queues, and needs no network: a cut cable is no reason to be
 * started again.
 */

import { BoxError } from '../src/base/errors.ts'
import { portId } from '../src/base/ids.ts'
import type { Random } from '../src/base/random.ts'
import type { Channel, Mesh } from '../src/mesh/mesh.ts'

/** Of a GNUnet message: u16 size, u16 type. The type is of the range for private use. */
const PROBE = Uint8Array.of(0, 4, 0xff, 0xf0)
const PORT_SIZE = 64

/** Resolves when the message has come back. Fails with what the mesh says; may never come back. */
export async function checkMesh(mesh: Mesh, random: Random): Promise<void> {
  const port = portId(random.bytes(PORT_SIZE))
  const accepted: Channel[] = []
  const listening = mesh.listen(port, channel => {
    accepted.push(channel)
    channel.attach({
      message: message => void channel.send(message),
      drained: () => {},
      closed: () => {},
    })
  })
  try {
    const channel = await mesh.connect(mesh.self, port)
    try {
      await echo(channel)
    } finally {
      channel.close()
    }
  } finally {
    for (const channel of accepted) channel.close()
    listening.close()
  }
}

const echo = (channel: Channel): Promise<void> =>
  new Promise((resolve, reject) => {
    channel.attach({
      message: message => {
        if (message.length === PROBE.length) resolve()
        else reject(new BoxError('STATE_UNEXPECTED', 'The mesh brought back something else.'))
      },
      drained: () => {},
      closed: reject,
    })
    channel.send(PROBE)
  })
