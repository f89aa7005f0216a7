/**
 * The records of the user's zones in GNUnet's NAMESTORE (namestore.h). The zonemaster, another service, keeps
 * in the DHT whatever is stored here, for as long as the daemon runs. Records are passed on as they are on
 * the wire: what they mean is a matter of src/gns.
 */

import { BoxError } from '../../../base/errors.ts'
import { decodeTextNul, encodeTextNul } from '../../../wire/text.ts'
import type { Dialect } from '../dialect.ts'
import { Exchange } from '../exchange.ts'
import { Service, type ServicePorts } from '../service.ts'
import type { EgoKey } from './identity.ts'
import {
  NamestoreEnd,
  NamestoreIterate,
  NamestoreLookup,
  NamestoreLookupResult,
  NamestoreMonitor,
  NamestoreMonitorNext,
  NamestoreMonitorSync,
  NamestoreNext,
  NamestoreRecords,
  NamestoreStore,
  NamestoreStored,
  NamestoreStoreSingle,
} from './messages.ts'

/** Labels that are asked for at a time. */
const BATCH = 64n
const LABELS_MAX = 65_536
const FOUND = 1

/** The records of a label; `bytes` may be followed by padding. */
export interface LabelRecords {
  readonly label: string
  readonly count: number
  readonly bytes: Uint8Array
}

export interface RecordWatch {
  /** What a label has now; without records: nothing any more. */
  changed(zone: EgoKey, records: LabelRecords): void
  complete(): void
}

export type Done<T> = (result: T | BoxError) => void

export class DaemonNamestore {
  private readonly path: string
  private readonly ports: ServicePorts
  private readonly dialect: () => Dialect
  private readonly exchange: Exchange
  private readonly monitors = new Set<Service>()
  private requests = 0

  constructor(path: string, ports: ServicePorts, dialect: () => Dialect) {
    this.path = path
    this.ports = ports
    this.dialect = dialect
    this.exchange = new Exchange('namestore', path, ports)
  }

  get trouble(): BoxError | null {
    return this.exchange.trouble
  }

  /** Replaces the records of a label. `done` gets null, or why not. */
  store(zone: EgoKey, { label, count, bytes }: LabelRecords, done: Done<null>): void {
    const request = ++this.requests
    const sets = [{ label: encodeTextNul(label), recordCount: count, records: bytes }]
    const ask =
      this.dialect().namestoreStore === 'plain'
        ? NamestoreStore.encode({ request, key: zone, sets })
        : NamestoreStoreSingle.encode({ request, isSingle: 1, key: zone, sets })
    this.exchange.ask({
      ask,
      heard: (type, raw) => {
        if (type !== NamestoreStored.type) return false
        const { code } = NamestoreStored.decode(raw)
        done(code === 0 ? null : new BoxError('STATE_UNWRITABLE', `NAMESTORE refuses (${code}).`))
        return true
      },
      failed: done,
    })
  }

  /** What a label has; `count` 0 where that is nothing. */
  lookup(zone: EgoKey, label: string, done: Done<LabelRecords>): void {
    const request = ++this.requests
    const fields = { request, filter: 0, key: zone, label: encodeTextNul(label) }
    this.exchange.ask({
      ask: NamestoreLookup.encode(fields),
      heard: (type, raw) => {
        if (type !== NamestoreLookupResult.type) return false
        const { found, recordCount, records } = NamestoreLookupResult.decode(raw)
        const count = found === FOUND ? recordCount : 0
        done({ label, count, bytes: records.slice() })
        return true
      },
      failed: done,
    })
  }

  /** All labels of a zone. */
  iterate(zone: EgoKey, done: Done<readonly LabelRecords[]>): void {
    const request = ++this.requests
    const labels: LabelRecords[] = []
    let allowed = 1n
    this.exchange.ask({
      ask: NamestoreIterate.encode({ request, filter: 0, key: zone }),
      heard: (type, raw, say) => {
        if (type === NamestoreEnd.type) {
          done(labels)
          return true
        }
        if (type !== NamestoreRecords.type) return false
        if (labels.length < LABELS_MAX) labels.push(readRecords(raw).records)
        allowed--
        if (allowed === 0n) {
          allowed = BATCH
          say(NamestoreNext.encode({ request, limit: BATCH }))
        }
        return false
      },
      failed: done,
    })
  }

  /** Tells what a zone has, and each change; again from the beginning where the service was lost. */
  monitor(zone: EgoKey, events: RecordWatch): { close(): void } {
    const more = NamestoreMonitorNext.encode({ limit: 1n })
    const service = new Service('namestore', this.path, this.ports, {
      up: () =>
        void service.send(NamestoreMonitor.encode({ iterateFirst: 1, filter: 0, key: zone })),
      received: (type, raw) => {
        if (type === NamestoreMonitorSync.type) events.complete()
        else if (type === NamestoreRecords.type) {
          const { key, records } = readRecords(raw)
          events.changed(key, records)
          service.send(more)
        }
      },
      down: () => {},
    })
    this.monitors.add(service)
    service.open()
    return {
      close: () => {
        this.monitors.delete(service)
        service.close()
      },
    }
  }

  close(): void {
    this.exchange.close()
    for (const service of this.monitors) service.close()
  }
}

function readRecords(raw: Uint8Array): { key: EgoKey; records: LabelRecords } {
  const { key, label, recordCount, records } = NamestoreRecords.decode(raw)
  return {
    key: key.slice(),
    records: { label: decodeTextNul(label), count: recordCount, bytes: records.slice() },
  }
}
