/**
 * The whole fleet as it is now: follows every device, which keeps the way to it open, and tells what changes.
 * What other `box` commands do to the list of devices is noticed within a second.
 */

import { setMaxListeners } from 'node:events'
import { pause, type Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Listening } from '../../src/mesh/mesh.ts'
import type { AlertSight } from '../alerts/alert-sight.ts'
import type { ShownAlert } from '../alerts/shown-alert.ts'
import type { Context } from '../context.ts'
import { type Device, FLEET_FILE } from '../fleet.ts'
import { type ShownStatus, StatusView } from '../status-view.ts'
import { followStatus } from '../status-watch.ts'
import { FleetHistory, type HistoryPoints } from './fleet-history.ts'
import { Turns } from './turns.ts'

const LOOK_EVERY_MS = 1_000
/** So many devices are looked for at once: more at a time would not be met sooner, and time out for each other. */
const LOOKED_FOR_MAX = 16
/** Those that are off do not keep the others waiting: whoever is there answers within this, unless there is much else to do. */
const WAIT_MS = 1_000
const TURN_MS = 3_000
/** A device that refuses us may have been told otherwise by then. */
const REFUSED_AGAIN_MS = 60_000
const REACH_TIMEOUT_MS = 30_000

/** How the status of one device is heard of: over the mesh, unless whoever measures has it made up. */
export type FollowDevice = typeof followStatus

/** A device of the fleet, as programs read it. */
export interface ShownDevice extends ShownStatus {
  readonly zone: string
  readonly tags: readonly string[]
  /** ISO 8601. */
  readonly paired_at: string
}

export interface FleetEvents {
  /** A device is there, or is another than before. */
  changed(device: ShownDevice): void
  /** There is none of this name any more. */
  removed(name: string): void
  /** An alert fires, or is over. */
  alerted?(alert: ShownAlert): void
}

/** One device that is followed. */
interface Followed {
  readonly view: StatusView
  readonly end: AbortController
}

export class FleetWatch {
  private readonly context: Context
  private readonly followDevice: FollowDevice
  /** Knows the alerts of the devices. */
  private readonly sight: AlertSight | null
  private readonly followed = new Map<string, Followed>()
  private readonly listeners = new Set<FleetEvents>()
  private readonly past: FleetHistory
  private readonly turns: Turns
  private timer: Timer | null = null
  private text: string | null = null

  /** Begins to follow. Throws STATE_UNREADABLE. */
  constructor(
    context: Context,
    sight: AlertSight | null = null,
    followDevice: FollowDevice = followStatus,
  ) {
    this.context = context
    this.sight = sight
    this.followDevice = followDevice
    const { clock } = context
    this.turns = new Turns({ clock, limit: LOOKED_FOR_MAX, idleMs: WAIT_MS, longestMs: TURN_MS })
    this.past = new FleetHistory(context.clock, () => this.devices())
    this.look()
  }

  /** All devices, by name. */
  devices(): ShownDevice[] {
    return [...this.followed.values()]
      .map(({ view }) => shown(view))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** Throws DEVICE_UNKNOWN. */
  device(name: string): ShownDevice {
    for (const { view } of this.followed.values()) if (view.device.name === name) return shown(view)
    // Taken in within the last second, or called by its name in other letters.
    const device = this.context.fleet.device(name)
    const one = this.followed.get(zoneToText(device.zone))
    return shown(one?.view ?? new StatusView(this.context, device, this.sight))
  }

  /** Of the last hours. Throws DEVICE_UNKNOWN. */
  history(name: string): HistoryPoints {
    const { zone, stale, status } = this.device(name)
    return this.past.of(zone, stale ? null : status)
  }

  listen(events: FleetEvents): Listening {
    this.listeners.add(events)
    return { close: () => void this.listeners.delete(events) }
  }

  /** Keeps what is known for the next time. */
  async close(): Promise<void> {
    this.timer?.cancel()
    this.past.close()
    this.listeners.clear()
    for (const { view, end } of this.followed.values()) {
      end.abort(new BoxError('ENGINE_CLOSED'))
      await view.remember()
    }
  }

  /** Notices at once what became of the list of devices. Throws STATE_UNREADABLE. */
  look(): void {
    this.timer?.cancel()
    this.timer = this.context.clock.after(LOOK_EVERY_MS, () => this.look())
    const text = this.context.state.readText(FLEET_FILE)
    if (text === this.text) return
    this.text = text
    this.compare(this.context.fleet.devices())
  }

  private compare(devices: readonly Device[]): void {
    const kept = new Set(devices.map(({ zone }) => zoneToText(zone)))
    const named = new Set(devices.map(({ name }) => name))
    for (const [zone, { view, end }] of this.followed) {
      if (kept.has(zone)) continue
      this.followed.delete(zone)
      end.abort(new BoxError('DEVICE_UNKNOWN'))
      if (!named.has(view.device.name)) this.tell(listener => listener.removed(view.device.name))
    }
    const added: StatusView[] = []
    for (const device of devices) {
      const one = this.followed.get(zoneToText(device.zone))
      if (one) this.rename(one.view, device, named)
      else added.push(new StatusView(this.context, device, this.sight))
    }
    // Who was there a moment ago is likely to be there now, and need not wait for those who have been away for weeks.
    for (const view of added.sort((a, b) => b.seenAt - a.seenAt)) this.begin(view)
  }

  /** Also its tags. A name that another device has now is not taken away from it. */
  private rename(view: StatusView, device: Device, named: ReadonlySet<string>): void {
    const { name, tags } = view.device
    view.device = device
    const isRenamed = name !== device.name
    if (isRenamed && !named.has(name)) this.tell(listener => listener.removed(name))
    if (isRenamed || `${tags}` !== `${device.tags}`) this.changed(view)
  }

  private begin(view: StatusView): void {
    const end = new AbortController()
    this.followed.set(zoneToText(view.device.zone), { view, end })
    this.changed(view)
    // Unexpected failures end the process, as everywhere.
    void this.follow(view, end.signal)
  }

  private async follow(view: StatusView, ended: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([this.context.signal, ended])
    setMaxListeners(0, signal)
    const context = { ...this.context, signal }
    const options = { timeoutMs: REACH_TIMEOUT_MS, once: false }
    while (!signal.aborted) {
      const turn = await this.turns.take(signal)
      try {
        await this.followDevice(context, view.device, options, {
          fresh: values => {
            turn.end()
            if (view.fresh(values)) this.changed(view)
          },
          stale: why => {
            turn.end()
            if (view.stale(why)) this.changed(view)
          },
        })
      } catch (error) {
        if (signal.aborted) return
        if (!(error instanceof BoxError)) throw error
        if (view.stale(error)) this.changed(view)
        turn.end()
        await pause(context.clock, REFUSED_AGAIN_MS, signal)
      } finally {
        turn.end()
      }
    }
  }

  views(): readonly StatusView[] {
    return [...this.followed.values()].map(({ view }) => view)
  }

  changed(view: StatusView): void {
    this.tell(listener => listener.changed(shown(view)))
  }

  alerted(alert: ShownAlert): void {
    this.tell(listener => listener.alerted?.(alert))
  }

  private tell(call: (listener: FleetEvents) => void): void {
    for (const listener of this.listeners) call(listener)
  }
}

const shown = (view: StatusView): ShownDevice => ({ ...view.json(), ...asListed(view.device) })

type Listed = Pick<ShownDevice, 'zone' | 'tags' | 'paired_at'>
/** What the list of devices says, written once: all are shown far more often than it changes. */
const listed = new WeakMap<Device, Listed>()

function asListed(device: Device): Listed {
  const known = listed.get(device)
  if (known) return known
  const { zone, tags, pairedAt } = device
  const made = { zone: zoneToText(zone), tags, paired_at: new Date(pairedAt).toISOString() }
  listed.set(device, made)
  return made
}
