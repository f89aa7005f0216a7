/**
 * Notices that the machine has moved: other addresses, or another way out. Links that died of it are then
 * looked at at once, not after their time-outs.
 */

import { readFileSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import type { Clock, Timer } from '../src/base/clock.ts'

/** A look takes some 100 us. */
const LOOK_MS = 2_000
/** Addresses come one after the other when a network comes up. */
const SETTLE_MS = 500

/** Calls `changed` whenever the network is another than before, until closed. */
export function watchNetwork(
  clock: Clock,
  changed: () => void,
  look: () => string = lookAround,
): { close(): void } {
  let seen = look()
  let timer: Timer
  const again = (ms: number, told: string) => {
    timer = clock.after(ms, () => {
      const now = look()
      if (now === seen) return again(LOOK_MS, '')
      // Twice the same: it has settled.
      if (now !== told) return again(SETTLE_MS, now)
      seen = now
      again(LOOK_MS, '')
      changed()
    })
  }
  again(LOOK_MS, '')
  return { close: () => timer.cancel() }
}

/** All addresses of the machine but its own to itself, and the routes out of it, as one text. */
function lookAround(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, list]) =>
    (list ?? []).filter(({ internal }) => !internal).map(({ cidr }) => `${name} ${cidr}`),
  )
  return [...addresses.sort(), ...defaultRoutes()].join('\n')
}

/** Lines of /proc/net/route whose destination is everywhere: interface, and gateway in hexadecimal. */
function defaultRoutes(): string[] {
  try {
    return readFileSync('/proc/net/route', 'utf8')
      .split('\n')
      .map(line => line.split('\t'))
      .filter(([, destination]) => destination === '00000000')
      .map(([name, , gateway]) => `route ${name} ${gateway}`)
  } catch {
    return [] // Not on Linux; or IPv6 alone, where an address changes with the network.
  }
}
