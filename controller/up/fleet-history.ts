/**
 * How devices were over the last hours, for plots: one point a minute of each device that is reachable. Bounded
 * whatever the fleet does: rings of single floats, for so many devices and no more.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { StatusReport } from '../status-report.ts'
import type { ShownDevice } from './fleet-watch.ts'

export const POINT_EVERY_MS = 60_000
/** Six hours. */
export const POINTS_MAX = 360
/** With 10 kB each: 20 MB. Of a larger fleet, those that come first have plots. */
const DEVICES_MAX = 2_000

/** What is plotted, and how it is had from a report. Shares are of 1; what is not known is null. */
const SERIES = {
  load: report => report.load,
  memory: ({ memory }) => memory && 1 - memory.available / memory.total,
  disk: ({ disks }) => highest(Object.values(disks).map(({ used, total }) => used / total)),
  heat: ({ temperatures }) => highest(Object.values(temperatures)),
  received: ({ interfaces }) => sum(Object.values(interfaces).map(({ received }) => received)),
  sent: ({ interfaces }) => sum(Object.values(interfaces).map(({ sent }) => sent)),
} as const satisfies Record<string, (report: StatusReport) => number | null>

type SeriesName = keyof typeof SERIES
const NAMES = Object.keys(SERIES) as SeriesName[]
/** They only grow, until the device starts anew: what is plotted is how fast. */
const COUNTERS: readonly SeriesName[] = ['received', 'sent']

const highest = (values: readonly number[]): number | null =>
  values.length === 0 ? null : Math.max(...values)
const sum = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((all, one) => all + one, 0)

export interface HistoryPoints {
  /** Milliseconds since 1970. */
  readonly at: readonly number[]
  /** As many values each; null where it was not known. */
  readonly series: Readonly<Record<SeriesName, readonly (number | null)[]>>
}

interface Ring {
  readonly at: Float64Array
  readonly values: Readonly<Record<SeriesName, Float32Array>>
  /** Counters as they were the last time, with when; a float of 32 bits would lose them. */
  before: { readonly at: number; readonly report: StatusReport } | null
  next: number
  size: number
}

export class FleetHistory {
  private readonly clock: Clock
  private readonly devices: () => readonly ShownDevice[]
  private readonly rings = new Map<string, Ring>()
  private timer: Timer

  constructor(clock: Clock, devices: () => readonly ShownDevice[]) {
    this.clock = clock
    this.devices = devices
    this.timer = clock.after(0, () => this.take())
  }

  /** From the oldest to the latest, which is now where `latest` tells how it is. */
  of(zone: string, latest: StatusReport | null): HistoryPoints {
    const ring = this.rings.get(zone) ?? emptyRing()
    const first = ring.next - ring.size + POINTS_MAX
    const places = Array.from({ length: ring.size }, (_, i) => (first + i) % POINTS_MAX)
    const now = this.clock.now()
    const known = (value: number) => (Number.isNaN(value) ? null : value)
    const series = NAMES.map(name => {
      const past = places.map(i => known(ring.values[name][i]!))
      return [name, latest ? [...past, pointOf(name, latest, ring.before, now)] : past] as const
    })
    return {
      at: [...places.map(i => ring.at[i]!), ...(latest ? [now] : [])],
      series: Object.fromEntries(series) as unknown as HistoryPoints['series'],
    }
  }

  close(): void {
    this.timer.cancel()
  }

  private take(): void {
    this.timer = this.clock.after(POINT_EVERY_MS, () => this.take())
    const devices = this.devices()
    const there = new Set(devices.map(({ zone }) => zone))
    for (const zone of this.rings.keys()) if (!there.has(zone)) this.rings.delete(zone)
    const now = this.clock.now()
    for (const { zone, stale, status } of devices) {
      if (!this.rings.has(zone) && this.rings.size >= DEVICES_MAX) continue
      const ring = this.rings.get(zone) ?? emptyRing()
      this.rings.set(zone, ring)
      // A gap is a point with nothing in it.
      put(ring, now, stale ? null : status)
    }
  }
}

const emptyRing = (): Ring => ({
  at: new Float64Array(POINTS_MAX),
  values: Object.fromEntries(
    NAMES.map(name => [name, new Float32Array(POINTS_MAX)]),
  ) as unknown as Ring['values'],
  before: null,
  next: 0,
  size: 0,
})

function put(ring: Ring, at: number, report: StatusReport | null): void {
  const { before, next } = ring
  ring.at[next] = at
  for (const name of NAMES)
    ring.values[name][next] = (report && pointOf(name, report, before, at)) ?? Number.NaN
  ring.before = report && { at, report }
  ring.next = (next + 1) % POINTS_MAX
  ring.size = Math.min(ring.size + 1, POINTS_MAX)
}

/** Of what only grows, how fast: by the second. */
function pointOf(
  name: SeriesName,
  report: StatusReport,
  before: Ring['before'],
  at: number,
): number | null {
  const value = SERIES[name](report)
  if (!COUNTERS.includes(name) || value === null) return value
  const then = before && SERIES[name](before.report)
  if (then === null || value < then || at <= before!.at) return null
  return (1_000 * (value - then)) / (at - before!.at)
}
