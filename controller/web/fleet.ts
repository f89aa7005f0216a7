/** The fleet and who we talk to as they are now, kept up by the events of `box up`; where these break off, they are asked for again. */

import { listen, logIn, Refused } from './api.ts'
import { Contacts } from './contacts.ts'
import type { Device } from './device.ts'

/** `lost`: what is shown is how it was when the events broke off. */
export type Connection = 'loading' | 'live' | 'lost'

const AGAIN_MS = 1_000
const AGAIN_MAX_MS = 15_000

export class Fleet {
  readonly devices = new Map<string, Device>()
  readonly contacts = new Contacts()
  /** When what is known of a device came, by performance.now. */
  readonly heardAt = new Map<string, number>()
  connection: Connection = 'loading'
  private readonly listeners = new Set<(name: string | null) => void>()

  /** Called with the name of what changed; with null where it may be anything. */
  watch(changed: (name: string | null) => void, signal: AbortSignal): void {
    this.listeners.add(changed)
    signal.addEventListener('abort', () => this.listeners.delete(changed), { once: true })
  }

  /** Until the signal, or until we are logged out. With a code, it logs in first. */
  async follow(signal: AbortSignal, code: string | null): Promise<void> {
    let login = code
    let wait = AGAIN_MS
    while (!signal.aborted) {
      const seen = new Set<string>()
      this.contacts.begin()
      const take = (event: string, data: unknown) => {
        wait = AGAIN_MS
        this.take(event, data, seen)
      }
      const isLogin = login !== null
      try {
        const following =
          login === null ? listen('/v1/events', take, { signal }) : logIn(login, take, { signal })
        login = null
        await following
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof Refused && (isLogin || error.status === 401)) return
      }
      if (isLogin && this.connection === 'loading') continue
      this.become('lost')
      await new Promise(resolve => setTimeout(resolve, wait))
      wait = Math.min(2 * wait, AGAIN_MAX_MS)
    }
  }

  /** How old what is known of a device is; 0: it is so now. */
  ageOf({ name, stale, age_ms }: Device): number {
    if (!stale) return 0
    return (age_ms ?? 0) + performance.now() - (this.heardAt.get(name) ?? 0)
  }

  private take(event: string, data: unknown, seen: Set<string>): void {
    this.contacts.take(event, data)
    const now = performance.now()
    const { name } = data as Device
    if (event === 'device') {
      seen.add(name)
      this.devices.set(name, data as Device)
      this.heardAt.set(name, now)
      this.call(name)
    } else if (event === 'removed') {
      this.devices.delete(name)
      this.call(null)
    } else if (event === 'complete') {
      for (const known of this.devices.keys()) if (!seen.has(known)) this.devices.delete(known)
      this.become('live')
    }
  }

  private become(connection: Connection): void {
    this.connection = connection
    this.call(null)
  }

  private call(name: string | null): void {
    for (const listener of this.listeners) listener(name)
  }
}
