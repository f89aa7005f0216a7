/**
 * A whole internet in one thread: virtual time, seeded chance, machines, NATs, partitions.
 *
 * Nothing happens between events, so a virtual day costs seconds, and a seed replays a run exactly.
 * Two events at the same instant happen in the order they were scheduled.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { GOOD_LINE, type Line } from './line.ts'
import { Machine } from './machine.ts'
import { Nat, type NatRules, PATIENT } from './nat.ts'
import { EventQueue } from './queue.ts'
import { type SeededRandom, seededRandom } from './random.ts'

export interface Partition {
  heal(): void
}

export interface WorldOptions {
  /** Keeps a line for each thing that happens in the network, the newest 20,000 of them. */
  readonly trace?: boolean
}

const EPOCH_MS = Date.UTC(2030, 0, 1)
/** Enough to see what went wrong, and no burden on a world that runs for a day. */
const TRACE_LINES_MAX = 20_000

export class World implements Clock {
  readonly random: SeededRandom
  /** What happened in the network, oldest first; empty unless the world was made with `trace`. */
  readonly log: string[] = []
  /** How many events have happened, for judging what a run costs. */
  steps = 0
  private readonly tracing: boolean
  private readonly queue = new EventQueue()
  private readonly open = new Map<string, Machine>()
  private readonly partitions = new Set<readonly [ReadonlySet<Machine>, ReadonlySet<Machine>]>()
  private machines = 0
  private time = EPOCH_MS

  constructor(seed: number, { trace = false }: WorldOptions = {}) {
    this.random = seededRandom(seed)
    this.tracing = trace
  }

  /** The true time, which no machine knows. */
  now(): number {
    return this.time
  }

  elapsed(): number {
    return this.time - EPOCH_MS
  }

  after(ms: number, run: () => void): Timer {
    return this.queue.add(this.time + Math.max(0, ms), run)
  }

  /** How many events wait: none once everything has been closed. */
  get pending(): number {
    return this.queue.size
  }

  /** Lets `ms` of virtual time pass, for code that never awaits. */
  run(ms: number): void {
    const until = this.time + ms
    while (this.step(until));
    this.time = until
  }

  /** Lets `ms` of virtual time pass, for code that awaits. */
  async pass(ms: number): Promise<void> {
    const until = this.time + ms
    do await promisesSettled()
    while (this.step(until))
    this.time = until
  }

  /** Lets time pass until `promise` settles, for code whose callers await; `ms` at most. */
  async until<T>(promise: Promise<T>, ms: number): Promise<T> {
    const deadline = this.time + ms
    let settled = false
    const note = () => {
      settled = true
    }
    promise.then(note, note)
    do await promisesSettled()
    while (!settled && this.step(deadline))
    if (!settled) throw new Error(`still waiting after ${ms} virtual milliseconds`)
    return promise
  }

  /** Runs the next event that is due by `deadline`; false where there is none. */
  private step(deadline: number): boolean {
    const at = this.queue.dueAt()
    if (at > deadline || at === Infinity) return false
    this.time = at
    this.steps++
    this.queue.take()!()
    return true
  }

  /** Adds a machine in the open, at an address of its own. */
  host(address: string, line: Partial<Line> = {}): Machine {
    return this.machine(address, line)
  }

  /** Adds a machine alone behind a NAT with the given public address. */
  natted(address: string, rules: NatRules = PATIENT, line: Partial<Line> = {}): Machine {
    return this.machine(new Nat(address, rules), line)
  }

  /** Adds a machine at an address of its own, or inside a NAT together with others. */
  machine(place: string | Nat, line: Partial<Line> = {}): Machine {
    return new Machine(this, `m${++this.machines}`, place, { ...GOOD_LINE, ...line })
  }

  /** Cuts every way between the machines of one side and those of the other until healed. */
  partition(left: Iterable<Machine>, right: Iterable<Machine>): Partition {
    const cut = [new Set(left), new Set(right)] as const
    this.partitions.add(cut)
    return { heal: () => void this.partitions.delete(cut) }
  }

  /** Whether a partition stands between the two. */
  isCut(a: Machine, b: Machine): boolean {
    for (const [left, right] of this.partitions)
      if ((left.has(a) && right.has(b)) || (left.has(b) && right.has(a))) return true
    return false
  }

  /** The machine that `from` reaches when it dials `host`, or null where nobody answers. */
  resolve(from: Machine, host: string): Machine | null {
    return from.nat?.machineAt(host) ?? this.open.get(host) ?? null
  }

  /** Puts a machine at a public address; null takes it away. */
  place(address: string, machine: Machine | null): void {
    if (!machine) this.open.delete(address)
    else if (this.open.has(address)) throw new Error(`${address} is taken`)
    else this.open.set(address, machine)
  }

  /** Writes down what happened in the network, where somebody wants to know. */
  note(what: () => string): void {
    if (!this.tracing) return
    if (this.log.length >= TRACE_LINES_MAX) this.log.splice(0, TRACE_LINES_MAX / 2)
    this.log.push(`${this.elapsed().toFixed(3)} ${what()}`)
  }
}

/** Promise callbacks all run before the next immediate, so the order stays that of the events. */
const promisesSettled = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
