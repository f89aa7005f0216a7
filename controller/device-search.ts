/**
 * The search for a device: finds out where it is, connects, and hands the channel to whoever wants to
 * meet it there.
 *
 * Where it was the last time is tried at once, while GNS is asked where it is now; whichever leads to
 * the device first, wins. Where it is not at home, both go on trying until the time is over.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { pause } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { PeerId, PortId, ZoneKey } from '../src/base/ids.ts'
import {
  type DeviceRecord,
  formatDeviceRecord,
  readDeviceRecords,
} from '../src/box/device-record.ts'
import type { Name } from '../src/gns/name.ts'
import type { RecordData } from '../src/gns/record.ts'
import type { Resolver } from '../src/gns/resolver.ts'
import type { Channel, Mesh } from '../src/mesh/mesh.ts'
import { type Context, introduce } from './context.ts'

/** Long enough for a device that is just moving to another network. */
export const REACH_TIMEOUT_MS = 30_000
/** One try at one address; the next one asks GNS again. */
const TRY_TIMEOUT_MS = 12_000
const RETRY_MIN_MS = 250
const RETRY_MAX_MS = 4_000

export interface Target<T> {
  /** What to call it when it is not found. */
  readonly called: string
  /** Where GNS has it. */
  readonly name: string | Name
  readonly zone: ZoneKey
  readonly port: PortId
  /** Where it was the last time. */
  readonly known: DeviceRecord | null
  readonly timeoutMs?: number | undefined
  /** Told what else stands at the name. */
  readonly heard?: (records: readonly RecordData[]) => void
  /** Makes sure who is at the other end of the channel; the channel is its own to close. */
  meet(channel: Channel, signal: AbortSignal): Promise<T>
}

export interface Found<T> {
  readonly met: T
  readonly record: DeviceRecord
  /** The way it takes, both ends included. */
  readonly path: readonly PeerId[]
  /** How long the name took to resolve; null where the device was met before the answer came. */
  readonly resolveMs: number | null
  /** How long the channel took from a known place on, meeting included. */
  readonly channelMs: number
  /** When that was, by clock.elapsed. */
  readonly foundAt: number
}

/**
 * Fails with what the device refused, IDENTITY_WRONG, NAME_UNKNOWN, NO_HUB, PEER_UNREACHABLE,
 * PEER_TIMEOUT, or the reason of the context's signal.
 */
export async function search<T>(
  context: Context,
  resolver: Resolver,
  target: Target<T>,
): Promise<Found<T>> {
  const { signal } = context
  const one = new Search(context, await context.mesh(), resolver, target)
  const end = () => one.stop(signal.reason)
  signal.addEventListener('abort', end, { once: true })
  if (signal.aborted) end()
  try {
    return await one.run()
  } finally {
    signal.removeEventListener('abort', end)
  }
}

/** One search for one device; ends with a session or a reason, and leaves nothing behind. */
class Search<T> {
  private readonly over = new AbortController()
  private readonly context: Context
  private readonly mesh: Mesh
  private readonly resolver: Resolver
  private readonly target: Target<T>
  private readonly result: Promise<Found<T>>
  private settle!: (found: Found<T>) => void
  private refuse!: (reason: unknown) => void
  private fresh: DeviceRecord | null = null
  private resolveMs: number | null = null
  private lastFailure: unknown = null

  constructor(context: Context, mesh: Mesh, resolver: Resolver, target: Target<T>) {
    this.context = context
    this.mesh = mesh
    this.resolver = resolver
    this.target = target
    this.result = new Promise((resolve, reject) => {
      this.settle = resolve
      this.refuse = reject
    })
  }

  async run(): Promise<Found<T>> {
    const { timeoutMs = REACH_TIMEOUT_MS } = this.target
    const timer = this.context.clock.after(timeoutMs, () => this.stop(this.verdict()))
    const tracks = [this.followKnown(), this.followName()]
    // Expected failures end up in `stop`; another one is a mistake of ours, and must be heard of.
    for (const track of tracks) track.catch(mistake => this.stop(mistake))
    try {
      return await this.result
    } finally {
      timer.cancel()
      this.over.abort()
    }
  }

  stop(reason: unknown): void {
    this.refuse(reason)
    this.over.abort()
  }

  /** Where it was the last time; as long as GNS says nothing else. */
  private async followKnown(): Promise<void> {
    const { known } = this.target
    if (!known) return
    for (const wait of waits()) {
      if (this.over.signal.aborted || (this.fresh && !sameRecord(this.fresh, known))) return
      await this.attempt(known)
      await pause(this.context.clock, wait, this.over.signal)
    }
  }

  /** Where it is now; asked again and again, since it may be moving at this moment. */
  private async followName(): Promise<void> {
    const begun = this.context.clock.elapsed()
    for (const wait of waits()) {
      const record = await this.resolve()
      if (this.over.signal.aborted) return
      if (record) {
        this.resolveMs ??= this.context.clock.elapsed() - begun
        this.fresh = record
        const { known } = this.target
        if (!known || !sameRecord(record, known)) await this.attempt(record)
      }
      if (this.over.signal.aborted) return
      await pause(this.context.clock, wait, this.over.signal)
    }
  }

  private async resolve(): Promise<DeviceRecord | null> {
    const fresh = this.fresh !== null
    const { signal } = this.over
    try {
      const { records, zone } = await this.resolver.resolve(this.target.name, 'any', {
        signal,
        fresh,
      })
      if (!equalBytes(zone, this.target.zone)) throw new BoxError('IDENTITY_WRONG')
      this.target.heard?.(records)
      return readDeviceRecords(records)
    } catch (error) {
      this.failed(error)
      return null
    }
  }

  /** One try; the first that succeeds ends the search. */
  private async attempt(record: DeviceRecord): Promise<void> {
    const { clock, log } = this.context
    const begun = clock.elapsed()
    const tooLate = new AbortController()
    const timer = clock.after(TRY_TIMEOUT_MS, () => tooLate.abort(new BoxError('PEER_TIMEOUT')))
    const signal = AbortSignal.any([this.over.signal, tooLate.signal])
    for (const { hello } of record.hubs) introduce(this.mesh, hello, log)
    try {
      const channel = await this.connect(record, signal)
      const path = channel.path() ?? [this.mesh.self, channel.peer]
      const met = await this.target.meet(channel, signal)
      if (this.over.signal.aborted) {
        channel.close()
        return
      }
      this.settle({
        met,
        record,
        path: channel.path() ?? path,
        resolveMs: this.resolveMs,
        channelMs: clock.elapsed() - begun,
        foundAt: clock.elapsed(),
      })
      this.over.abort()
    } catch (error) {
      this.failed(error, record)
    } finally {
      timer.cancel()
    }
  }

  private connect(record: DeviceRecord, signal: AbortSignal): Promise<Channel> {
    const via = record.hubs
      .filter(({ pid }) => !equalBytes(pid, this.mesh.self))
      .map(({ pid }) => [pid])
    return this.mesh.connect(record.pid, this.target.port, { via, signal })
  }

  /** Ends the search where trying again is of no use; keeps the reason otherwise. */
  private failed(error: unknown, record?: DeviceRecord): void {
    if (this.over.signal.aborted) return
    const isOld = record !== undefined && record === this.target.known
    if (!(error instanceof BoxError) || isFinal(error, isOld)) {
      this.stop(error)
      return
    }
    this.context.log.note('debug', 'controller', 'try failed', { code: error.code })
    // What an old address led to matters only while nothing newer is known.
    if (!isOld || this.lastFailure === null) this.lastFailure = error
  }

  /** Why it was not reached in time. */
  private verdict(): BoxError {
    const { called, known } = this.target
    if (!this.mesh.status().neighbours.some(({ state }) => state === 'up'))
      return new BoxError('NO_HUB', 'Without a hub nothing is found: see box doctor.')
    const failure = this.lastFailure instanceof BoxError ? this.lastFailure : null
    // What it publishes is none of the caller's mistakes.
    const code = failure?.family === 'usage' ? 'NAME_UNKNOWN' : (failure?.code ?? 'PEER_TIMEOUT')
    const where = this.fresh ?? known
    const detail = where
      ? `${called} is at none of the hubs it names (${where.hubs.length}).`
      : `${called} says nowhere where it is: has it been on in the last hours?`
    return new BoxError(code, detail, this.lastFailure)
  }
}

/** Whether the device itself said no. At an old address, somebody else may live now. */
const isFinal = ({ family, code }: BoxError, isOld: boolean): boolean =>
  code === 'USER_UNKNOWN' || (family === 'refused' && !(isOld && code === 'IDENTITY_WRONG'))

/** Ever longer waits, up to a limit. */
function* waits(): Generator<number> {
  for (let ms = RETRY_MIN_MS; ; ms = Math.min(2 * ms, RETRY_MAX_MS)) yield ms
}

export const sameRecord = (a: DeviceRecord, b: DeviceRecord): boolean =>
  formatDeviceRecord(a) === formatDeviceRecord(b)
