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
  private readonly textOf: (device: ShownDevice) => string
  /** Events as they are written when they are told, by what they are about. */
  private readonly waiting = new Map<string, () => string>()
  private timer: Timer | null = null
  private isTaken = true

  /** `write` says whether the listener takes more; otherwise `drained` is to be called when it does. */
  constructor(
    clock: Clock,
    write: (text: string) => boolean,
    textOf: (device: ShownDevice) => string = JSON.stringify,
  ) {
    this.clock = clock
    this.write = write
    this.textOf = textOf
  }

  /** All there is, in one piece. */
  begin(devices: readonly ShownDevice[], contacts: readonly ShownContact[]): void {
    const texts = [
      ...devices.map(device => framed('device', this.textOf(device))),
      ...contacts.map(contact => eventText('contact', contact)),
    ]
    this.send(`${texts.join('')}${eventText('complete', {})}`)
  }

  changed(device: ShownDevice): void {
    this.note(`device ${device.name}`, () => framed('device', this.textOf(device)))
  }

  removed(name: string): void {
    this.note(`device ${name}`, () => eventText('removed', { name }))
  }

  alerted(alert: ShownAlert): void {
    const { device, origin, rule } = alert
    this.note(`alert ${device} ${origin} ${rule}`, () => eventText('alert', alert))
  }

  contact(contact: ShownContact): void {
    this.note(`contact ${contact.zone}`, () => eventText('contact', contact))
  }

  gone({ name, zone }: Pick<ShownContact, 'name' | 'zone'>): void {
    this.note(`contact ${zone}`, () => eventText('forgotten', { name, zone }))
  }

  drained(): void {
    this.isTaken = true
    this.flush()
  }

  close(): void {
    this.timer?.cancel()
    this.waiting.clear()
  }

  private note(about: string, text: () => string): void {
    // Told in the order of the latest changes.
    this.waiting.delete(about)
    this.waiting.set(about, text)
    this.flush()
  }

  private flush(): void {
    if (this.timer || !this.isTaken || this.waiting.size === 0) return
    const told = [...this.waiting.values()].map(text => text())
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
  framed(event, JSON.stringify(data))

const framed = (event: string, text: string): string => `event: ${event}\ndata: ${text}\n\n`
