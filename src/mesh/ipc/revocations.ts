/**
 * Revocations of zones by way of a daemon: its service takes them, passes them on to its neighbours, and answers
 * which are revoked. What it hears it does not tell by itself, so it is asked.
 */

import type { GossipEvents, Listening, RevocationGossip } from '../mesh.ts'
import { Exchange, type Question } from './exchange.ts'
import { RevocationAnswer, RevocationQuery, RevocationTaken } from './messages.ts'
import type { ServicePorts } from './service.ts'

/** Asked at once; more are not asked. */
const OPEN_MAX = 64

export class DaemonRevocations implements RevocationGossip {
  private readonly path: string
  private readonly ports: ServicePorts
  /** A connection for each question: many a daemon has no such service, and is not to be asked for ever. */
  private readonly open = new Set<Exchange>()

  constructor(path: string, ports: ServicePorts) {
    this.path = path
    this.ports = ports
  }

  spread(message: Uint8Array): void {
    this.ask(message, (type, raw) => {
      if (type !== RevocationTaken.type) return false
      const isTaken = RevocationTaken.decode(raw).isValid === 1
      this.ports.counters.add(isTaken ? 'revocation.sent' : 'revocation.refused_by_daemon')
      return true
    })
  }

  query(zone: Uint8Array, told: (isRevoked: boolean) => void): void {
    this.ask(RevocationQuery.encode({ zone }), (type, raw) => {
      if (type !== RevocationAnswer.type) return false
      told(RevocationAnswer.decode(raw).isValid === 0)
      return true
    })
  }

  listen(_events: GossipEvents): Listening {
    return { close: () => {} }
  }

  close(): void {
    for (const one of this.open) one.close()
    this.open.clear()
  }

  private ask(said: Uint8Array, heard: Question['heard']): void {
    if (this.open.size >= OPEN_MAX) return
    const exchange = new Exchange('revocation', this.path, this.ports)
    this.open.add(exchange)
    const end = () => {
      this.open.delete(exchange)
      exchange.close()
    }
    exchange.ask({
      ask: said,
      heard: (type, raw, say) => {
        const isOver = heard(type, raw, say)
        if (isOver) this.ports.clock.after(0, end)
        return isOver
      },
      failed: () => void this.ports.clock.after(0, end),
    })
  }
}
