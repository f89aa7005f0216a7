/**
 * Services whose state is part of the status: those that the owner has named in agent.json, or in a file that a bundle
 * may push. They are asked for now and then; where the machine does not say since when one is as it is, it is what
 * was seen.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import { PushedFile } from './pushed-file.ts'
import type { AskServices } from './service-asking.ts'
import { isServiceName, type ServiceSaid } from './service-states.ts'

/** A call of systemctl takes some ten milliseconds. */
const LOOK_MS = 10_000
/** Each is some bytes of every status, and a series or two. */
const SERVICES_MAX = 32

/** How one is; `since` null where that is not known. */
export interface ServiceReading extends ServiceSaid {
  readonly name: string
}

export interface ServiceReport {
  readonly readings: readonly ServiceReading[]
  /** What is wrong with the file of names; null: nothing. */
  readonly fault: string | null
}

export const NO_SERVICES: ServiceReport = { readings: [], fault: null }

export interface WatchedServicesOptions {
  readonly own: readonly string[]
  readonly path: string
  readonly ask: AskServices
  readonly clock: Clock
  readonly log: Log
}

/** The names in a file. Throws CONFIG_INVALID. */
export function readServiceNames(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new BoxError('CONFIG_INVALID', 'It is no list of services.')
  if (value.length > SERVICES_MAX)
    throw new BoxError('CONFIG_INVALID', `It has more than ${SERVICES_MAX} services.`)
  return value.map((name: unknown, at) => {
    if (typeof name === 'string' && isServiceName(name)) return name
    throw new BoxError('CONFIG_INVALID', `Entry ${at} is no name of a service.`)
  })
}

export class WatchedServices {
  private readonly options: WatchedServicesOptions
  private readonly file: PushedFile<readonly string[]>
  private readonly end = new AbortController()
  private readings: readonly ServiceReading[] = []
  private timer: Timer | null = null

  /** Looks from now on. */
  constructor(options: WatchedServicesOptions) {
    this.options = options
    const { path } = options
    this.file = new PushedFile({ path, none: [], read: readServiceNames, code: 'CONFIG_INVALID' })
    // Unexpected failures end the process, as everywhere.
    void this.look()
  }

  /** By name; those of the last look. */
  report(): ServiceReport {
    return { readings: this.readings, fault: this.file.fault }
  }

  close(): void {
    this.end.abort()
    this.timer?.cancel()
  }

  private async look(): Promise<void> {
    const { own, ask, clock } = this.options
    const names = [...new Set([...own, ...this.file.value()])].sort().slice(0, SERVICES_MAX)
    const said = names.length > 0 ? await ask(names, this.end.signal) : []
    if (this.end.signal.aborted) return
    const before = new Map(this.readings.map(one => [one.name, one]))
    this.readings = names.map((name, i) => this.reading(name, said[i]!, before.get(name)))
    this.timer = clock.after(LOOK_MS, () => void this.look())
  }

  private reading(
    name: string,
    { state, since }: ServiceSaid,
    before: ServiceReading | undefined,
  ): ServiceReading {
    if (before?.state === state) return { name, state, since: since ?? before.since }
    if (before)
      this.options.log.note('info', 'services', 'changed', { name, from: before.state, to: state })
    // Of one that was so before we first looked, nobody knows since when.
    return { name, state, since: since ?? (before ? this.options.clock.now() : null) }
  }
}
