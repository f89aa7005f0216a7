/**
 * What changes in the fleet and among the contacts, for one listener, gathered: the first change is told at once, what follows within a
 * moment is told together, of each device only how it is by then. A listener that does not keep up is told
 * less often, not cut off; what waits for it is never more than the fleet.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import type { ShownAlert } from '../alerts/shown-alert.ts'
import type { FleetEvents, ShownDevice } from './fleet-watch.ts'
import type { ContactEvents, ShownContact } from './talk-hall.ts'

/** Ten times a second is live for people, and leaves a page time for everything else. */
const GATHER_MS = 100

export class FleetNews implements FleetEvents, ContactEvents {
  private readonly clock: Clock
  private readonly write: (text: string) => boolean
  /** Events, by what they are about. */
  private readonly waiting = new Map<string, readonly [event: string, data: object]>()
  private timer: Timer | null = null
  private isTaken = true

  /** `write` says whether the listener takes more; otherwise `drained` is to be called when it does. */
  constructor(clock: Clock, write: (text: string) => boolean) {
    this.clock = clock
    this.write = write
  }

  /** All there is, in one piece. */
  begin(devices: readonly ShownDevice[], contacts: readonly ShownContact[]): void {
    const texts = [
      ...devices.map(device => eventText('device', device)),
      ...contacts.map(contact => eventText('contact', contact)),
    ]
    this.send(`${texts.join('')}${eventText('complete', {})}`)
  }

  changed(device: ShownDevice): void {
    this.note(`device ${device.name}`, 'device', device)
  }

  removed(name: string): void {
    this.note(`device ${name}`, 'removed', { name })
  }

  alerted(alert: ShownAlert): void {
    this.note(`alert ${alert.device} ${alert.origin} ${alert.rule}`, 'alert', alert)
  }

  contact(contact: ShownContact): void {
    this.note(`contact ${contact.zone}`, 'contact', contact)
  }

  gone({ name, zone }: Pick<ShownContact, 'name' | 'zone'>): void {
    this.note(`contact ${zone}`, 'forgotten', { name, zone })
  }

  drained(): void {
    this.isTaken = true
    this.flush()
  }

  close(): void {
    this.timer?.cancel()
    this.waiting.clear()
  }

  private note(about: string, event: string, data: object): void {
    // Told in the order of the latest changes.
    this.waiting.delete(about)
    this.waiting.set(about, [event, data])
    this.flush()
  }

  private flush(): void {
    if (this.timer || !this.isTaken || this.waiting.size === 0) return
    const told = [...this.waiting.values()].map(([event, data]) => eventText(event, data))
    this.waiting.clear()
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
