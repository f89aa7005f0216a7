/**
 * Network address translation, as TCP sees it (RFC 5382): whoever is inside can dial out, nobody
 * outside can dial in, and a connection that was quiet for too long is forgotten without a word.
 */

import type { Machine } from './machine.ts'

export interface NatRules {
  /** A connection quiet for longer is forgotten. RFC 5382 wants 2 h 4 min; home routers do not care. */
  readonly idleMs: number
}

/** What RFC 5382 section 5 asks for. */
export const PATIENT: NatRules = { idleMs: 7_440_000 }
/** What cheap routers and mobile carriers do. */
export const FORGETFUL: NatRules = { idleMs: 300_000 }

const FIRST_PORT = 40_000
const LAST_PORT = 65_535

export class Nat {
  /** The address the world sees. */
  readonly public: string
  readonly rules: NatRules
  private readonly inside = new Map<string, Machine>()
  private nextHost = 2
  private nextPort = FIRST_PORT

  constructor(address: string, rules: NatRules) {
    this.public = address
    this.rules = rules
  }

  /** Gives a machine an address inside. */
  admit(machine: Machine): string {
    const address = `192.168.1.${this.nextHost++}`
    this.inside.set(address, machine)
    return address
  }

  dismiss(address: string): void {
    this.inside.delete(address)
  }

  machineAt(address: string): Machine | null {
    return this.inside.get(address) ?? null
  }

  /** The outer port of a new connection: never the inner one, and another one each time. */
  mapPort(): number {
    const port = this.nextPort++
    if (this.nextPort > LAST_PORT) this.nextPort = FIRST_PORT
    return port
  }
}
