/** Two peers with zone keys on a mesh without a network, in virtual time: what tests of src/box begin with. */

import type { PeerId } from '../../src/base/ids.ts'
import {
  type AcceptOptions,
  type AuthenticateOptions,
  acceptHandshake,
  authenticate,
  type Session,
} from '../../src/box/handshake.ts'
import { type Service, servicePort } from '../../src/box/ports.ts'
import { ZoneSecret, type ZoneType } from '../../src/crypto/zone-key.ts'
import type { Channel, Listening } from '../../src/mesh/mesh.ts'
import { type FakeMesh, FakeNet } from '../sim/fake-mesh.ts'
import { World } from '../sim/world.ts'

/** Longer than any time-out of the handshake. */
const PATIENCE_MS = 120_000

export class Pair {
  readonly world: World
  readonly net: FakeNet
  readonly opener: FakeMesh
  readonly listener: FakeMesh
  readonly owner: ZoneSecret
  readonly device: ZoneSecret

  constructor(seed = 1, owner: ZoneType = 'EDKEY', device: ZoneType = 'EDKEY') {
    this.world = new World(seed)
    this.net = new FakeNet({ clock: this.world, latencyMs: 10, random: this.world.random })
    this.opener = this.net.peer()
    this.listener = this.net.peer()
    this.owner = ZoneSecret.generate(owner, this.world.random)
    this.device = ZoneSecret.generate(device, this.world.random)
  }

  /** Has the device answer on its port for `purpose`; the session of each channel that comes, or its failure. */
  listen(
    purpose: Service,
    options: Partial<AcceptOptions> = {},
    mesh = this.listener,
  ): { sessions: Promise<Session>[]; listening: Listening } {
    const sessions: Promise<Session>[] = []
    const listening = mesh.listen(servicePort(purpose, this.device.zone), channel => {
      const session = this.accept(channel, mesh.self, purpose, options)
      session.catch(() => {})
      sessions.push(session)
    })
    return { sessions, listening }
  }

  accept(
    channel: Channel,
    self: PeerId,
    purpose: Service,
    options: Partial<AcceptOptions> = {},
  ): Promise<Session> {
    return acceptHandshake(channel, {
      self,
      purpose,
      own: this.device,
      clock: this.world,
      random: this.world.random,
      admit: () => ({ payload: new Uint8Array(0) }),
      ...options,
    })
  }

  connect(purpose: Service, to: PeerId = this.listener.self): Promise<Channel> {
    const port = servicePort(purpose, this.device.zone)
    return this.until(this.opener.connect(to, port))
  }

  /** A channel to somebody who never says a word. */
  connectSilent(): Promise<Channel> {
    this.listener.listen(servicePort('ssh', this.device.zone), () => {})
    return this.connect('ssh')
  }

  authenticate(
    channel: Channel,
    purpose: Service,
    options: Partial<AuthenticateOptions> = {},
  ): Promise<Session> {
    return authenticate(channel, {
      self: this.opener.self,
      purpose,
      own: this.owner,
      device: this.device.zone,
      clock: this.world,
      random: this.world.random,
      ...options,
    })
  }

  until<T>(promise: Promise<T>): Promise<T> {
    return this.world.until(promise, PATIENCE_MS)
  }
}

/** What became of a promise: `ok`, the code of a BoxError, or the error itself where it is none. */
export async function outcome(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'ok'
  } catch (error) {
    return (error as { code?: string }).code ?? String(error)
  }
}
