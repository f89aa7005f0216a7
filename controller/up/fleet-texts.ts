/**
 * Each device as JSON, by the schema, made once for each change: with many devices they are asked for far more often
 * than they change. Of a device that is away only its age is written anew.
 */

import type { FastifyReply } from 'fastify'
import type { FleetWatch, ShownDevice } from './fleet-watch.ts'
import { WHOLE_DEVICE } from './schemas.ts'

/** As it is written; names and values have no such quotes in them, but escaped ones. */
const AGE = /"age_ms":(?:null|\d+(?:\.\d+)?)/

type Write = (device: ShownDevice) => string

interface Written {
  readonly device: ShownDevice
  /** What stands before its age, and behind it. */
  readonly parts: readonly [string, string]
}

export class FleetTexts {
  private readonly watch: Pick<FleetWatch, 'devices'>
  private write: Write | null = null
  private written = new Map<string, Written>()

  constructor(watch: Pick<FleetWatch, 'devices'>) {
    this.watch = watch
  }

  /** What is not in the schema does not leave the process; only an answer knows what its schemas compile to. */
  by(reply: FastifyReply): this {
    if (this.write) return this
    const write = reply.compileSerializationSchema(WHOLE_DEVICE)
    this.write = device => write({ ...device })
    return this
  }

  /** All devices, by name. */
  all(): readonly string[] {
    const devices = this.watch.devices()
    const texts = devices.map(device => this.of(device))
    if (this.written.size > devices.length)
      this.written = new Map(devices.map(({ zone }) => [zone, this.written.get(zone)!]))
    return texts
  }

  of(device: ShownDevice): string {
    const before = this.written.get(device.zone)
    const written = before && isSame(before.device, device) ? before : this.writeNew(device)
    const [head, tail] = written.parts
    return `${head}${device.age_ms}${tail}`
  }

  private writeNew(device: ShownDevice): Written {
    const text = this.write!(device)
    const { index, 0: age } = AGE.exec(text)!
    const parts = [
      text.slice(0, index + '"age_ms":'.length),
      text.slice(index + age.length),
    ] as const
    const written = { device, parts }
    this.written.set(device.zone, written)
    return written
  }
}

/** But for its age. Readings and failures are other objects as soon as they are others. */
const isSame = (a: ShownDevice, b: ShownDevice): boolean =>
  a.status === b.status &&
  a.error === b.error &&
  a.stale === b.stale &&
  a.name === b.name &&
  `${a.tags}` === `${b.tags}` &&
  a.paired_at === b.paired_at &&
  ((a.alerts.length === 0 && b.alerts.length === 0) ||
    JSON.stringify(a.alerts) === JSON.stringify(b.alerts))
