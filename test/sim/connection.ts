/**
 * A simulated TCP connection: how it comes about, and how it ends in all the ways it can.
 *
 * An end knows only what its machine could know. Whoever lost power, moved away, or was forgotten by
 * a NAT says nothing: the other end learns of it when it writes, from a reset or from silence.
 */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  type Address,
  formatAddress,
  type Stream,
  type StreamEvents,
} from '../../src/base/stream.ts'
import { isLost, oneWayMs } from './line.ts'
import type { Machine } from './machine.ts'
import type { Nat } from './nat.ts'
import { Pipe } from './pipe.ts'

/** As the real network does (src/sys): how long a connection may take to come about. */
const CONNECT_TIMEOUT_MS = 10_000
/** As the real network does: how long the other side may take to end its direction. */
const CLOSE_GRACE_MS = 5_000
/** After how long Linux repeats a SYN that nobody answered, as far as it matters here. */
const SYN_REPEAT_MS = [1_000, 2_000, 4_000]

/** What both ends share: the NAT between them, and when it last saw a packet. */
interface Way {
  readonly nat: Nat | null
  readonly inside: Machine | null
  usedAt: number
}

/** What becomes of a packet. */
type Fate = 'arrives' | 'lost' | 'reset'

export class End implements Stream {
  readonly machine: Machine
  readonly local: Address
  readonly remote: Address
  readonly out: Pipe
  paused = false
  private readonly events: () => StreamEvents
  private readonly life: number
  private readonly moves: number
  private far: End | null = null
  private way: Way = { nat: null, inside: null, usedAt: 0 }
  private state: 'connecting' | 'open' | 'closing' | 'over' = 'connecting'
  private timer: Timer | null = null

  constructor(machine: Machine, local: Address, remote: Address, events: () => StreamEvents) {
    this.machine = machine
    this.local = local
    this.remote = remote
    this.events = events
    this.life = machine.life
    this.moves = machine.moves
    this.out = new Pipe(this)
    machine.ends.add(this)
  }

  get isConnecting(): boolean {
    return this.state === 'connecting'
  }

  write(bytes: Uint8Array): boolean {
    return this.state === 'closing' || this.state === 'over' || this.out.write(bytes)
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.far?.out.proceed()
  }

  close(): void {
    const { world } = this.machine
    if (this.state === 'connecting') {
      this.vanish()
      world.after(0, () => this.tell(events => events.closed(null)))
    } else if (this.state === 'open') {
      this.state = 'closing'
      this.out.finish()
      this.resume()
      this.timer = world.after(CLOSE_GRACE_MS, () => this.end(null))
    }
  }

  /** Gives the dialled end so long to come about. */
  expectWithin(ms: number): void {
    this.timer = this.machine.world.after(ms, () =>
      this.end(new BoxError('PEER_TIMEOUT', formatAddress(this.remote))),
    )
  }

  open(far: End, way: Way): void {
    this.timer?.cancel()
    this.far = far
    this.way = way
    this.state = 'open'
    this.out.open(far)
  }

  opened(): void {
    this.tell(events => events.opened())
  }

  received(chunk: Uint8Array): void {
    if (this.state === 'open') this.tell(events => events.received(chunk))
  }

  drained(): void {
    if (this.state === 'open') this.tell(events => events.drained())
  }

  /** The other side has sent its last byte: this side ends as well, and says so. */
  finished(): void {
    const { far } = this
    this.end(null)
    if (far) this.answer(far, () => far.end(null))
  }

  refused(): void {
    this.end(new BoxError('PEER_UNREACHABLE', `${formatAddress(this.remote)}: connection refused.`))
  }

  /** The connection broke. */
  lost(detail: string): void {
    this.end(new BoxError('CHANNEL_LOST', `${formatAddress(this.remote)}: ${detail}.`))
  }

  /** The power is gone: not a word to anybody. */
  vanish(): void {
    this.state = 'over'
    this.timer?.cancel()
    this.out.drop()
    this.machine.ends.delete(this)
  }

  /** What becomes of a packet that this end sends now. */
  fate(): Fate {
    const { machine, far, way } = this
    if (!far || !this.reaches(far)) return 'lost'
    const now = machine.world.now()
    if (way.nat && now - way.usedAt > way.nat.rules.idleMs)
      return way.inside === machine ? 'reset' : 'lost'
    way.usedAt = now
    return far.state === 'over' ? 'reset' : 'arrives'
  }

  /** Lets `run` happen when a packet without payload has reached the other end; never, if it is lost. */
  answer(far: End, run: () => void): void {
    const { line, world } = this.machine
    world.after(oneWayMs(line, far.machine.line, world.random), () => {
      if (this.reaches(far)) run()
    })
  }

  private reaches(far: End): boolean {
    const { machine, moves } = this
    return (
      machine.moves === moves &&
      far.machine.moves === far.moves &&
      far.machine.up &&
      !machine.world.isCut(machine, far.machine)
    )
  }

  private end(error: Error | null): void {
    if (this.state === 'over') return
    const { world, name } = this.machine
    const wasAsked = this.state === 'closing'
    world.note(() => `${name} > ${formatAddress(this.remote)} ends ${error?.message ?? ''}`)
    this.vanish()
    this.tell(events => events.closed(wasAsked ? null : error))
  }

  private tell(say: (events: StreamEvents) => void): void {
    if (this.machine.up && this.machine.life === this.life) say(this.events())
  }
}

/** Dials from a machine; `life` is that of the program that does. */
export function dial(machine: Machine, life: number, to: Address, events: StreamEvents): Stream {
  const local = { host: machine.address, port: machine.ephemeralPort() }
  const end = new End(machine, local, to, () => events)
  if (life === machine.life && machine.up) {
    end.expectWithin(CONNECT_TIMEOUT_MS)
    knock(end, 0)
  } else end.vanish()
  return end
}

/** Sends a SYN, and another where nobody answers. */
function knock(end: End, attempt: number): void {
  const { machine, remote } = end
  const { world, line } = machine
  const target = world.resolve(machine, remote.host)
  if (target && canMeet(machine, target) && !isLost(line, target.line, world.random))
    world.after(oneWayMs(line, target.line, world.random), () => {
      if (!end.isConnecting) return
      if (canMeet(machine, target)) arrive(end, target)
      else knockAgain(end, attempt)
    })
  else knockAgain(end, attempt)
}

function knockAgain(end: End, attempt: number): void {
  const wait = SYN_REPEAT_MS[attempt]
  if (wait === undefined) return
  end.machine.world.after(wait, () => {
    if (end.isConnecting) knock(end, attempt + 1)
  })
}

const canMeet = (machine: Machine, target: Machine): boolean =>
  target.up && !machine.world.isCut(machine, target)

/** The SYN is there. */
function arrive(end: End, target: Machine): void {
  const { machine, remote } = end
  const { world } = machine
  const back = oneWayMs(target.line, machine.line, world.random)
  const accept = target.accepting(remote.port)
  const outcome = accept ? 'connects' : 'is refused'
  world.note(() => `${machine.name} > ${formatAddress(remote)} ${outcome}`)
  if (!accept) {
    world.after(back, () => end.isConnecting && end.refused())
    return
  }
  const nat = machine.nat === target.nat ? null : machine.nat
  const way: Way = { nat, inside: nat && machine, usedAt: world.now() }
  const seenAs = nat ? { host: nat.public, port: nat.mapPort() } : end.local
  let events: StreamEvents | null = null
  const accepted = new End(target, remote, seenAs, () => events!)
  accepted.open(end, way)
  accepted.out.notBefore(world.now() + back)
  world.after(back, () => {
    if (end.isConnecting) {
      end.open(accepted, way)
      end.opened()
    } else accepted.lost('connection reset')
  })
  events = accept(accepted)
}
