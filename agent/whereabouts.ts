/**
 * Keeps published, in the device's own zone, where it is now: its peer, the hubs it keeps links to, its
 * host key. What changes rarely only (design decision 10): whether it is there, a connection tells.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { PeerId, ZoneKey } from '../src/base/ids.ts'
import {
  type DeviceRecord,
  deviceRecords,
  formatDeviceRecord,
  HUBS_MAX,
  type HubRecord,
  helloPeer,
} from '../src/box/device-record.ts'
import { noticeRecords } from '../src/box/owner-notices.ts'
import type { NameKeeper } from '../src/gns/keeper.ts'
import { APEX, zoneToText } from '../src/gns/name.ts'
import type { ZoneDatabase } from '../src/gns/zone.ts'
import type { Listening, Mesh } from '../src/mesh/mesh.ts'
import type { DeviceKeys } from './device-keys.ts'

/** Version of what runs on the ports: handshake.ts, control.ts, SSH. */
const SERVICES = 1
/** Resolvers keep a record until it expires; shorter ones are frowned upon (under 15 minutes). */
const EXPIRY = { afterMs: 60 * 60_000 }
/** Neighbours come and go several at a time. */
const SETTLE_MS = 1_000
/** Our own HELLO changes with time alone, and has addresses that expire: it is taken anew so often. */
const RENEW_MS = 30 * 60_000

export interface WhereaboutsOptions {
  readonly mesh: Mesh
  readonly device: Pick<DeviceKeys, 'served' | 'zones'>
  /** SHA-256 of the SSH host key. */
  readonly hostKey: Uint8Array
  /** HELLO URLs of the hubs of the configuration. */
  readonly hubs: readonly string[]
  readonly database: ZoneDatabase
  readonly publisher: NameKeeper
  readonly clock: Clock
}

export class Whereabouts {
  private readonly options: WhereaboutsOptions
  private readonly hubs: readonly HubRecord[]
  private readonly up = new Set<HubRecord>()
  private readonly watching: Listening
  /** Zones that the publisher looks after. */
  private readonly published = new Set<string>()
  private hostKey: Uint8Array
  private current: DeviceRecord
  /** What is published is not what is to be. */
  private isStale = false
  private settling: Timer | null = null
  private renewing: Timer

  constructor(options: WhereaboutsOptions) {
    this.options = options
    this.hostKey = options.hostKey
    this.hubs = options.hubs.map(hello => ({ pid: helloPeer(hello), hello }))
    this.watching = options.mesh.watch({
      up: peer => this.changed(peer, true),
      down: peer => this.changed(peer, false),
    })
    this.current = this.look()
    this.publish()
    this.renewing = this.renewLater()
  }

  /** What is published now. */
  record(): DeviceRecord {
    return this.current
  }

  /** Says another host key from now on; SHA-256 of it. */
  changeHostKey(hostKey: Uint8Array): void {
    this.hostKey = hostKey
    this.refresh()
  }

  /** There is another key, or one less: each says where we are, and those before which one came after them. */
  keysChanged(): void {
    this.isStale = true
    this.refresh()
  }

  /** How many of the configured hubs have a link to us now. */
  get hubsUp(): number {
    return this.up.size
  }

  /** HELLO URLs by which a controller that knows nothing finds us: what is up first. */
  hellos(): readonly string[] {
    return this.look().hubs.map(({ hello }) => hello)
  }

  close(): void {
    this.watching.close()
    this.settling?.cancel()
    this.renewing.cancel()
  }

  private changed(peer: PeerId, isUp: boolean): void {
    const hub = this.hubs.find(({ pid }) => equalBytes(pid, peer))
    if (!hub) return
    if (isUp) this.up.add(hub)
    else this.up.delete(hub)
    this.settling ??= this.options.clock.after(SETTLE_MS, () => {
      this.settling = null
      this.refresh()
    })
  }

  /** Publishes again where something is different. */
  private refresh(): void {
    const now = this.look()
    if (!this.isStale && formatDeviceRecord(now) === formatDeviceRecord(this.current)) return
    const before = this.current
    this.current = now
    try {
      this.publish()
    } catch (error) {
      // The disk is full, perhaps: what is published stays, and the next look finds the difference again.
      if (!(error instanceof BoxError)) throw error
      this.current = before
    }
  }

  private look(): DeviceRecord {
    const { mesh } = this.options
    const { hostKey } = this
    const own = mesh.hello()
    // Without addresses it is only the name of the peer.
    const self = own.includes('+tcp') ? [{ pid: mesh.self, hello: own }] : []
    const up = this.hubs.filter(hub => this.up.has(hub))
    const down = this.hubs.filter(hub => !this.up.has(hub))
    const hubs = [...self, ...up, ...down].slice(0, HUBS_MAX)
    return { pid: mesh.self, services: SERVICES, hostKey, hubs }
  }

  private publish(): void {
    const { device, database, publisher } = this.options
    const served = device.served()
    for (const { secret, chain } of served) {
      const notices = chain.length === 0 ? [] : [{ is: 'succession', signed: chain } as const]
      const records = [...deviceRecords(this.current, EXPIRY), ...noticeRecords(notices, EXPIRY)]
      database.replace(secret.zone, APEX, records)
      const name = zoneToText(secret.zone)
      if (this.published.has(name)) publisher.changed(secret.zone, APEX)
      else publisher.publish(secret)
      this.published.add(name)
    }
    const isServed = (zone: ZoneKey) => served.some(({ secret }) => equalBytes(secret.zone, zone))
    for (const zone of device.zones().filter(zone => !isServed(zone))) {
      database.replace(zone, APEX, [])
      publisher.changed(zone, APEX)
    }
    this.isStale = false
  }

  private renewLater(): Timer {
    return this.options.clock.after(RENEW_MS, () => {
      this.refresh()
      this.renewing = this.renewLater()
    })
  }
}
