/**
 * The naming services beside the GNUnet engine: egos, records, the daemon's own answers. Not part of a mesh,
 * and not always there: a machine's peer runs without them (START_USER_SERVICES = NO). Promises begin here.
 */

import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Daemon } from './ipc/configuration.ts'
import type { Dialect } from './ipc/dialect.ts'
import { askGns, type GnsAnswer, type GnsQuestion } from './ipc/naming/gns.ts'
import {
  type DaemonEgo,
  DaemonIdentity,
  type EgoKey,
  type EgoWatch,
} from './ipc/naming/identity.ts'
import { DaemonNamestore, type LabelRecords, type RecordWatch } from './ipc/naming/namestore.ts'
import type { ServicePorts } from './ipc/service.ts'

/** A key that has no records: whether the service answers is all that is asked. */
const PROBE_KEY_SIZE = 36
const TYPE_EDKEY = 65_556

export class GnunetNames {
  private readonly daemon: Daemon
  private readonly ports: ServicePorts
  private readonly identity: DaemonIdentity
  private readonly namestore: DaemonNamestore

  constructor(daemon: Daemon, ports: ServicePorts, dialect: () => Dialect) {
    this.daemon = daemon
    this.ports = ports
    this.identity = new DaemonIdentity(daemon.socket('identity'), ports)
    this.namestore = new DaemonNamestore(daemon.socket('namestore'), ports, dialect)
  }

  /** The suffixes for which the configuration has a zone, as text. */
  get tlds(): ReadonlyMap<string, string> {
    return this.daemon.tlds
  }

  /** All egos. Fails with GNUNET_ABSENT, GNUNET_FORBIDDEN, GNUNET_SILENT. */
  egos(): Promise<readonly DaemonEgo[]> {
    return promised(done => this.identity.list(done))
  }

  /** Makes an ego of a key. Fails as `egos`, and with NAME_TAKEN. */
  createEgo(ego: DaemonEgo): Promise<null> {
    return promised(done => this.identity.create(ego, failure => done(failure)))
  }

  watchEgos(events: EgoWatch): { close(): void } {
    return this.identity.watch(events)
  }

  /** Whether records can be stored here. */
  async canStore(): Promise<boolean> {
    const key = new Uint8Array(PROBE_KEY_SIZE).fill(1)
    new DataView(key.buffer).setUint32(0, TYPE_EDKEY)
    return await this.records(key, 'probe').then(
      () => true,
      () => false,
    )
  }

  /** Replaces the records of a label; the daemon publishes them. Fails as `egos`, and with STATE_UNWRITABLE. */
  store(zone: EgoKey, records: LabelRecords): Promise<null> {
    return promised(done => this.namestore.store(zone, records, done))
  }

  records(zone: EgoKey, label: string): Promise<LabelRecords> {
    return promised(done => this.namestore.lookup(zone, label, done))
  }

  allRecords(zone: EgoKey): Promise<readonly LabelRecords[]> {
    return promised(done => this.namestore.iterate(zone, done))
  }

  watchRecords(zone: EgoKey, events: RecordWatch): { close(): void } {
    return this.namestore.monitor(zone, events)
  }

  /** What the daemon's resolver says, unverified. Fails as `egos`, or with the reason of the signal. */
  ask(question: GnsQuestion & { readonly zone: ZoneKey }, signal: AbortSignal): Promise<GnsAnswer> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted()
      const asking = askGns(this.daemon.socket('gns'), this.ports, question, answer => {
        signal.removeEventListener('abort', aborted)
        if (answer instanceof BoxError) reject(answer)
        else resolve(answer)
      })
      const aborted = () => {
        asking.close()
        reject(signal.reason)
      }
      signal.addEventListener('abort', aborted, { once: true })
    })
  }

  close(): void {
    this.identity.close()
    this.namestore.close()
  }
}

const promised = <T>(begin: (done: (result: T | BoxError) => void) => void): Promise<T> =>
  new Promise((resolve, reject) =>
    begin(result => (result instanceof BoxError ? reject(result) : resolve(result))),
  )
