/** The two ends of a channel of a FakeNet, and what is under way between them. */

import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { PeerId } from '../../src/base/ids.ts'
import { type Channel, type ChannelEvents, MESSAGE_SIZE_MAX } from '../../src/mesh/mesh.ts'
import type { FakeMesh, FakeNet } from './fake-mesh.ts'

/** Messages that may be under way before `send` says wait; small, so that tests meet it. */
const WINDOW = 16

export function channelPair(
  net: FakeNet,
  near: FakeMesh,
  far: FakeMesh,
  path: readonly PeerId[],
): [FakeChannel, FakeChannel] {
  const mine = new FakeChannel(net, near, far.self, path)
  const theirs = new FakeChannel(net, far, near.self, [...path].reverse())
  mine.join(theirs)
  theirs.join(mine)
  return [mine, theirs]
}

export class FakeChannel implements Channel {
  readonly peer: PeerId
  /** What it was told of hurry. */
  readonly hurries: boolean[] = []
  private readonly net: FakeNet
  private readonly owner: FakeMesh
  private readonly way: readonly PeerId[]
  private far: FakeChannel | null = null
  private events: ChannelEvents | null = null
  /** What the other side sent, and when it is here. */
  private readonly arriving: { readonly at: number; readonly message: Uint8Array }[] = []
  private timer: Timer | null = null
  private paused = false
  private full = false
  private open = true
  private reason: BoxError | null = null

  constructor(net: FakeNet, owner: FakeMesh, peer: PeerId, way: readonly PeerId[]) {
    this.net = net
    this.owner = owner
    this.peer = peer
    this.way = way
    owner.channels.add(this)
  }

  join(far: FakeChannel): void {
    this.far = far
  }

  hurry(isOn: boolean): void {
    this.hurries.push(isOn)
  }

  path(): readonly PeerId[] | null {
    return this.open ? this.way : null
  }

  attach(events: ChannelEvents): void {
    if (this.events) throw new Error('a channel is attached once')
    this.events = events
    this.schedule()
  }

  send(message: Uint8Array): boolean {
    checkMessage(message)
    const { far } = this
    if (!this.open || !far) return true
    const carried = this.net.tamper(message.slice(), this.owner.self, this.peer)
    if (carried) far.arrive(carried)
    this.full = far.arriving.length >= WINDOW
    return !this.full
  }

  private arrive(message: Uint8Array): void {
    this.arriving.push({ at: this.net.clock.elapsed() + this.net.latencyMs, message })
    this.schedule()
  }

  private schedule(): void {
    if (this.timer || !this.events || this.paused) return
    const first = this.arriving[0]
    if (!first && !this.reason) return
    const ms = first ? Math.max(0, first.at - this.net.clock.elapsed()) : 0
    this.timer = this.net.clock.after(ms, () => {
      this.timer = null
      this.deliver()
    })
  }

  private deliver(): void {
    const now = this.net.clock.elapsed()
    while (this.open && !this.paused && (this.arriving[0]?.at ?? Infinity) <= now)
      this.events!.message(this.arriving.shift()!.message)
    if (this.open) this.far?.relieve(this.arriving.length)
    if (this.reason) this.end(this.reason)
    else if (this.open) this.schedule()
  }

  /** The other end took messages; `waiting` are left. */
  private relieve(waiting: number): void {
    if (!this.open || !this.full || waiting > WINDOW / 2) return
    this.full = false
    this.events?.drained()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    this.schedule()
  }

  close(): void {
    if (!this.open) return
    this.forget()
    const { far } = this
    if (far) far.arriving.length = 0
    this.net.clock.after(this.net.latencyMs, () => far?.end(new BoxError('CHANNEL_CLOSED')))
  }

  /** The peer at this end is gone. */
  lose(): void {
    if (!this.open) return
    const { far } = this
    this.end(new BoxError('ENGINE_CLOSED'))
    this.net.clock.after(this.net.latencyMs, () => far?.end(new BoxError('CHANNEL_LOST')))
  }

  private end(reason: BoxError): void {
    if (!this.open && !this.reason) return
    this.forget()
    this.reason = this.events ? null : reason
    this.events?.closed(reason)
  }

  private forget(): void {
    this.open = false
    this.timer?.cancel()
    this.timer = null
    this.arriving.length = 0
    this.owner.channels.delete(this)
  }
}

/** What a real engine refuses. */
function checkMessage(message: Uint8Array): void {
  if (message.length < 4 || message.length > MESSAGE_SIZE_MAX)
    throw new RangeError(`a message of ${message.length} bytes`)
  const view = new DataView(message.buffer, message.byteOffset)
  if (view.getUint16(0) !== message.length) throw new RangeError('the size field is wrong')
  if (view.getUint16(2) === 1) throw new RangeError('type 1 is never sent')
}
