/** What CORE gives to DHT and CADET: neighbours with whom one speaks in private. Any wire class provides this. */

import type { PeerId } from '../../base/ids.ts'

export interface Neighbour {
  readonly peer: PeerId
  /** keyOf(peer): for Maps. */
  readonly key: string
  readonly address: string
  /**
   * Whether the neighbour understands this message type (class A: its type map). True as long as it
   * has not said: real daemons take a second to do so, and their paths shall be usable before.
   */
  understands(type: number): boolean
  /** Takes one whole message, at most 63 KiB, whose bytes must not change afterwards. False: the backlog is high, wait for `drained`. */
  send(message: Uint8Array): boolean
  /** Calls `run` at the end of this turn, before what was sent in it is sealed. */
  atTurnsEnd(run: () => void): void
}

export interface NeighbourEvents {
  /** The session stands, in both directions. */
  up(neighbour: Neighbour): void
  /** One of the handler's types. The bytes may be a view: copy what you keep. */
  received(neighbour: Neighbour, message: Uint8Array): void
  drained(neighbour: Neighbour): void
  /** Gone, or restarted (then `up` follows with a new Neighbour). */
  down(neighbour: Neighbour): void
}

export interface Core {
  readonly neighbours: ReadonlyMap<string, Neighbour>
  /** Registers who handles these types; before start. A type has one handler; `up` and `down` go to all. */
  handle(types: readonly number[], events: NeighbourEvents): void
}
