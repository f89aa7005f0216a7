/** What is to happen, soonest first; of two events at the same instant, the one scheduled first. */

import type { Timer } from '../../src/base/clock.ts'

interface Event {
  readonly at: number
  readonly order: number
  /** Null once cancelled or called. */
  run: (() => void) | null
}

/** Below this many events, sweeping out the cancelled ones is not worth the walk. */
const SWEEP_SIZE_MIN = 1_024

export class EventQueue {
  /** A binary heap: no event comes before its parent, the one at (index - 1) / 2. */
  private heap: Event[] = []
  private order = 0
  private cancelled = 0

  /** How many events wait, without those that were cancelled. */
  get size(): number {
    return this.heap.length - this.cancelled
  }

  add(at: number, run: () => void): Timer {
    const event: Event = { at, order: this.order++, run }
    this.heap.push(event)
    this.rise(this.heap.length - 1)
    return { cancel: () => this.cancel(event) }
  }

  /** When the next event is due; Infinity where there is none. */
  dueAt(): number {
    this.dropCancelled()
    return this.heap[0]?.at ?? Infinity
  }

  /** Takes the next event out; null where there is none. */
  take(): (() => void) | null {
    this.dropCancelled()
    const first = this.heap[0]
    if (!first) return null
    const { run } = first
    first.run = null
    this.removeFirst()
    return run
  }

  private cancel(event: Event): void {
    if (!event.run) return
    event.run = null
    this.cancelled++
    if (this.heap.length > SWEEP_SIZE_MIN && this.cancelled * 2 > this.heap.length) this.sweep()
  }

  /** Long timers that are set and cancelled all the time would otherwise fill the heap. */
  private sweep(): void {
    this.heap = this.heap.filter(event => event.run).sort((a, b) => (before(a, b) ? -1 : 1))
    this.cancelled = 0
  }

  private dropCancelled(): void {
    while (this.heap.length > 0 && !this.heap[0]!.run) {
      this.removeFirst()
      this.cancelled--
    }
  }

  private removeFirst(): void {
    const last = this.heap.pop()!
    if (this.heap.length === 0) return
    this.heap[0] = last
    this.sink(0)
  }

  private rise(from: number): void {
    const { heap } = this
    const event = heap[from]!
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(event, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  private sink(from: number): void {
    const { heap } = this
    const event = heap[from]!
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++
      if (!before(heap[child]!, event)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = event
  }
}

const before = (a: Event, b: Event): boolean => a.at < b.at || (a.at === b.at && a.order < b.order)
