/**
 * Many devices of which only the status is made up: they are in the list of devices, and say about themselves
 * what real ones say, in the same form, through the door by which `box up` hears of devices (controller/up/fleet-watch.ts).
 */

import { variablesOf } from '../../dist/agent/probes.js'
import { NO_SERVICES } from '../../dist/agent/watched-services.js'
import { NO_ALERTS } from '../../dist/src/box/alert/report.js'
import { ZoneSecret } from '../../dist/src/crypto/zone-key.js'

const GIB = 2 ** 30
const TAGS = ['routers', 'cellar', 'attic', 'lab']
const MEMORY = 4 * GIB
/** Of so many changes one is that a device is away, or is back. */
const AWAY_EVERY = 50
const TICK_MS = 10

/** Devices for the list of a controller, none of which is anywhere. */
export const listed = (count, random, now) =>
  Array.from({ length: count }, (_, i) => ({
    name: `d${String(i).padStart(3, '0')}`,
    zone: ZoneSecret.generate('EDKEY', random).zone,
    tags: [TAGS[i % TAGS.length]],
    pairedAt: now - i * 60_000,
    last: null,
  }))

export class Crowd {
  devices = []
  changes = 0

  /** In place of followStatus. */
  follow = (context, device, _options, events) =>
    new Promise(resolve => {
      const at = this.devices.length
      const one = { name: device.name, events, isAway: false, load: at % 200, received: 0 }
      this.devices.push(one)
      tell(one)
      context.signal.addEventListener('abort', () => resolve(), { once: true })
    })

  /** From now on so many changes a second, one device after the other. */
  begin(perSecond) {
    const begun = performance.now()
    const before = this.changes
    return setInterval(() => {
      const due = before + Math.floor(((performance.now() - begun) / 1_000) * perSecond)
      while (this.changes < due) this.change()
    }, TICK_MS)
  }

  change() {
    const one = this.devices[(this.changes * 7) % this.devices.length]
    this.changes += 1
    if (!one) return
    one.isAway = this.changes % AWAY_EVERY === 0 && !one.isAway
    one.load = (one.load + 13) % 400
    one.received += 10_000
    if (one.isAway) one.events.stale(null)
    else tell(one)
  }
}

function tell({ name, events, load, received }) {
  const figures = {
    ...{ load, processors: 4, bootedAt: Date.UTC(2026, 9, 1), system: 'Debian GNU/Linux 13 (trixie)' },
    memory: { total: MEMORY, available: MEMORY - load * 9_000_000 },
    disks: new Map([
      ['/', { total: 32 * GIB, used: 11 * GIB + received }],
      ['/srv', { total: 200 * GIB, used: 20 * GIB }],
    ]),
    temperatures: new Map([['cpu', 41_000 + load * 30]]),
    addresses: ['192.168.1.10', '2001:db8::10'],
    interfaces: new Map([['eth0', { received, sent: received / 2 }]]),
    configuration: null,
    alerts: NO_ALERTS,
    probes: [],
    services: NO_SERVICES,
    clock: null,
  }
  events.fresh(variablesOf(figures, name))
}

