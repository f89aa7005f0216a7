/**
 * What changes in the fleet, for one listener, gathered: the first change is told at once, what follows within a
 * moment is told together, of each device only how it is by then. A listener that does not keep up is told
 * less often, not cut off; what waits for it is never more than the fleet.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { FleetEvents, ShownDevice } from './fleet-watch.ts'

/** Ten times a second is live for people, and leaves a page time for everything else. */
const GATHER_MS = 100

export class FleetNews implements FleetEvents {
  private readonly clock: Clock
  private readonly write: (text: string) => boolean
  /** By name; null: there is none any more. */
  private readonly waiting = new Map<string, ShownDevice | null>()
  private timer: Timer | null = null
  private isTaken = true

  /** `write` says whether the listener takes more; otherwise `drained` is to be called when it does. */
  constructor(clock: Clock, write: (text: string) => boolean) {
    this.clock = clock
    this.write = write
  }

  /** All there is, in one piece. */
  begin(devices: readonly ShownDevice[]): void {
    const text = devices.map(device => eventText('device', device)).join('')
    this.send(`${text}${eventText('complete', {})}`)
  }

  changed(device: ShownDevice): void {
    this.note(device.name, device)
  }

  removed(name: string): void {
    this.note(name, null)
  }

  drained(): void {
    this.isTaken = true
    this.flush()
  }

  close(): void {
    this.timer?.cancel()
    this.waiting.clear()
  }

  private note(name: string, device: ShownDevice | null): void {
    // Told in the order of the latest changes.
    this.waiting.delete(name)
    this.waiting.set(name, device)
    this.flush()
  }

  private flush(): void {
    if (this.timer || !this.isTaken || this.waiting.size === 0) return
    const all = [...this.waiting]
    this.waiting.clear()
    const told = all.map(([name, device]) =>
      device ? eventText('device', device) : eventText('removed', { name }),
    )
    this.send(told.join(''))
  }

  private send(text: string): void {
    this.timer = this.clock.after(GATHER_MS, () => {
      this.timer = null
      this.flush()
    })
    this.isTaken = this.write(text)
  }
}

/** One server-sent event. */
export const eventText = (event: string, data: object): string =>
  `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
