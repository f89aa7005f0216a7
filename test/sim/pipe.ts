/**
 * One direction of a simulated TCP connection: bytes in order, at the speed of the lines, never more
 * under way than a window. Loss is delay, as TCP makes it; chunks are cut and joined at random.
 */

import type { Timer } from '../../src/base/clock.ts'
import { formatAddress } from '../../src/base/stream.ts'
import type { End } from './connection.ts'
import { isLost, type Line, oneWayMs, roundTripMs } from './line.ts'

/** Bytes sent and not yet taken by the receiver. */
const WINDOW_BYTES = 256 * 1_024
/** As src/sys does: with more than this not taken yet, `write` asks to wait. */
const HIGH_BYTES = 256 * 1_024
const LOW_BYTES = 64 * 1_024
/** What one read of a real socket gives at most. */
const CHUNK_BYTES_MAX = 64 * 1_024
const PACKET_BYTES = 1_460
/** What is written at one instant travels together, up to here: one event instead of many. */
const BURST_BYTES_MAX = 3 * PACKET_BYTES
/** With more than so many packets after it, the receiver reports a gap at once (RFC 5681 section 3.2). */
const DUPLICATE_ACKS = 3
/** How often a chunk is cut in two, and how far the rest may lag. */
const CUT_CHANCE = 0.2
const CUT_LAG_MS = 5
/** Linux: the first retransmission timeout, its largest, and when it gives up (tcp_retries2). */
const RTO_MIN_MS = 200
const RTO_MAX_MS = 120_000
const GIVE_UP_MS = 924_600

/** Bytes that arrive together; no bytes at all: the end of the stream. */
interface Segment {
  readonly parts: Uint8Array[]
  size: number
  at: number
  readonly sentAt: number
}

export class Pipe {
  private readonly from: End
  private to: End | null = null
  /** Under way, in order. */
  private readonly segments: Segment[] = []
  /** Written, but beyond the window. */
  private readonly backlog: Uint8Array[] = []
  private underWay = 0
  private waiting = 0
  private blocked = false
  private finishing = false
  private lastAt = 0
  private timer: Timer | null = null
  /** When the first packet was lost that has still not been answered, and the wait before the next try. */
  private stalledAt = 0
  private retryMs = 0

  constructor(from: End) {
    this.from = from
  }

  open(to: End): void {
    this.to = to
    this.refill()
  }

  /** Nothing may arrive earlier: the other side does not know of the connection yet. */
  notBefore(at: number): void {
    this.lastAt = at
  }

  /** Takes bytes; false where too many have not been taken by the other side yet. */
  write(bytes: Uint8Array): boolean {
    if (bytes.length === 0) return !this.blocked
    this.backlog.push(bytes)
    this.waiting += bytes.length
    this.refill()
    if (this.underWay + this.waiting > HIGH_BYTES) this.blocked = true
    return !this.blocked
  }

  /** After the bytes that were written comes the end. */
  finish(): void {
    this.finishing = true
    this.refill()
  }

  /** Nobody sends any more; what is under way is lost, as there is nobody to repeat it. */
  drop(): void {
    this.timer?.cancel()
    this.timer = null
    this.segments.length = 0
    this.backlog.length = 0
  }

  /** The receiver reads again. */
  proceed(): void {
    if (this.segments.length > 0 && !this.timer) this.arm(this.segments[0]!.at)
  }

  private refill(): void {
    if (!this.to) return
    while (this.backlog.length > 0 && this.underWay < WINDOW_BYTES) {
      const bytes = this.backlog.shift()!
      this.waiting -= bytes.length
      this.underWay += bytes.length
      this.send(bytes, this.to)
    }
    if (this.finishing && this.backlog.length === 0) {
      this.finishing = false
      this.enqueue({ parts: [], size: 0, at: this.lastAt, sentAt: this.now() })
    }
  }

  private send(bytes: Uint8Array, to: End): void {
    const now = this.now()
    const near = this.from.machine
    const far = to.machine
    near.busyUntil.up = occupy(near.busyUntil.up, now, bytes.length, near.line)
    far.busyUntil.down = occupy(far.busyUntil.down, now, bytes.length, far.line)
    const last = this.segments.at(-1)
    if (last?.sentAt === now && last.size > 0 && last.size + bytes.length <= BURST_BYTES_MAX) {
      last.parts.push(bytes)
      last.size += bytes.length
      return
    }
    const travelMs = oneWayMs(near.line, far.line, near.world.random)
    const travelled = near.busyUntil.up + travelMs + this.repetitionMs(bytes.length, to)
    const at = Math.max(travelled, far.busyUntil.down, this.lastAt)
    this.enqueue({ parts: [bytes], size: bytes.length, at, sentAt: now })
  }

  private enqueue(segment: Segment): void {
    segment.at = Math.max(segment.at, this.now())
    this.lastAt = segment.at
    this.segments.push(segment)
    if (this.segments.length === 1) this.arm(segment.at)
  }

  /** What lost packets cost: a timeout each time, or a round trip where later packets tell of the gap. */
  private repetitionMs(size: number, to: End): number {
    const { line, world } = this.from.machine
    const far = to.machine.line
    if (line.loss === 0 && far.loss === 0) return 0
    let lost = false
    for (let packets = Math.ceil(size / PACKET_BYTES); packets > 0 && !lost; packets--)
      lost = isLost(line, far, world.random)
    if (!lost) return 0
    const timeout = this.timeoutMs(to)
    let wait = this.segments.length > DUPLICATE_ACKS ? roundTripMs(line, far) : timeout
    for (let next = timeout * 2; isLost(line, far, world.random); next *= 2) wait += next
    return wait
  }

  private arm(at: number): void {
    this.timer?.cancel()
    this.timer = this.from.machine.world.after(at - this.now(), () => this.arrive())
  }

  private arrive(): void {
    this.timer = null
    const { from, to } = this
    if (!to || this.segments.length === 0) return
    const fate = from.fate()
    if (fate === 'arrives') {
      this.stalledAt = 0
      if (!to.paused) this.deliver(to)
      return
    }
    if (fate === 'reset') to.answer(from, () => from.lost('connection reset'))
    this.stall(to)
  }

  /** Nobody answers: tries again, later and later, and one day gives up. */
  private stall(to: End): void {
    const now = this.now()
    if (this.stalledAt === 0) {
      this.stalledAt = now
      this.retryMs = this.timeoutMs(to)
    }
    if (now - this.stalledAt >= GIVE_UP_MS) {
      this.from.lost('timed out')
      return
    }
    this.arm(now + this.retryMs)
    this.retryMs = Math.min(this.retryMs * 2, RTO_MAX_MS)
  }

  private deliver(to: End): void {
    const chunk = this.takeDue()
    this.refill()
    if (this.segments.length > 0) this.arm(Math.max(this.segments[0]!.at, this.now()))
    const { name, world } = to.machine
    world.note(() => `${name} < ${formatAddress(to.remote)} ${chunk?.length ?? 'end'}`)
    if (!chunk) {
      to.finished()
      return
    }
    if (this.blocked && this.underWay + this.waiting <= LOW_BYTES) {
      this.blocked = false
      world.after(oneWayMs(to.machine.line, this.from.machine.line, world.random), () =>
        this.from.drained(),
      )
    }
    to.received(chunk)
  }

  /** Takes out what has arrived by now, as one chunk, sometimes without its end; null is the end of the stream. */
  private takeDue(): Uint8Array | null {
    const { segments } = this
    const now = this.now()
    if (segments[0]!.size === 0) {
      segments.length = 0
      return null
    }
    const parts: Uint8Array[] = []
    let size = 0
    for (let head = segments[0]; head; head = segments[0]) {
      if (head.at > now || head.size === 0 || (size > 0 && size + head.size > CHUNK_BYTES_MAX))
        break
      parts.push(...head.parts)
      size += head.size
      segments.shift()
    }
    const chunk = join(parts, size)
    const { random } = this.from.machine.world
    const kept = size > 1 && random.chance(CUT_CHANCE) ? 1 + random.below(size - 1) : size
    if (kept < size) {
      const rest = chunk.slice(kept)
      const at = now + random.below(CUT_LAG_MS * 1_000) / 1_000
      segments.unshift({ parts: [rest], size: rest.length, at, sentAt: 0 })
      this.lastAt = Math.max(this.lastAt, at)
    }
    this.underWay -= kept
    return kept < size ? chunk.slice(0, kept) : chunk
  }

  private timeoutMs(to: End): number {
    return Math.max(RTO_MIN_MS, 2 * roundTripMs(this.from.machine.line, to.machine.line))
  }

  private now(): number {
    return this.from.machine.world.now()
  }
}

/** Until when a line is busy that has to carry so many bytes more. */
const occupy = (busyUntil: number, now: number, size: number, line: Line): number =>
  Math.max(busyUntil, now) + (size * 1_000) / line.bytesPerSecond

/** Always a copy: the network has its own memory, as a real one has. */
function join(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}
