/** The ports on which a borrower listens: said to each lender that comes, one after the other. */

import { BoxError } from '../../base/errors.ts'
import type { PeerId, PortId } from '../../base/ids.ts'
import { encodeBase32 } from '../../wire/base32.ts'
import type { Channel, Listening } from '../mesh.ts'
import type { BorrowedChannel } from './borrowed-channel.ts'

export interface BorrowedPortsOptions {
  readonly say: (value: object) => void
  readonly refused: (code: string) => void
  /** A channel that is asked for by this request; `unfetched` is called where it has ended before that was heard. */
  readonly channel: (peer: PeerId, request: object, unfetched: () => void) => BorrowedChannel
}

/** A channel that came, and waits at the lender. */
export interface Offer {
  readonly offer: number
  readonly port: string
  readonly peer: PeerId
  readonly way: readonly PeerId[] | null
}

export class BorrowedPorts {
  private readonly options: BorrowedPortsOptions
  private readonly ports = new Map<string, (channel: Channel) => void>()
  /** Said, and not answered yet. */
  private readonly unanswered = new Map<string, number>()
  private wakes: (() => void)[] = []
  private isUp = false

  constructor(options: BorrowedPortsOptions) {
    this.options = options
  }

  /** Throws ADDRESS_IN_USE. */
  listen(port: PortId, accept: (channel: Channel) => void): Listening {
    const name = encodeBase32(port)
    if (this.ports.has(name)) throw new BoxError('ADDRESS_IN_USE')
    this.ports.set(name, accept)
    if (this.isUp) this.ask(name)
    const close = () => {
      if (this.ports.get(name) !== accept) return
      this.ports.delete(name)
      this.options.say({ unlisten: name })
    }
    return { close }
  }

  /** Resolves when all that was said has been answered. */
  async standing(): Promise<void> {
    while (this.unanswered.size > 0) await new Promise<void>(resolve => this.wakes.push(resolve))
  }

  /** There is a lender, who knows of none. */
  up(): void {
    this.isUp = true
    this.unanswered.clear()
    for (const name of this.ports.keys()) this.ask(name)
  }

  /** There is no lender who could answer. */
  down(): void {
    this.isUp = false
    this.unanswered.clear()
    this.wake()
  }

  stands(name: string): void {
    const left = (this.unanswered.get(name) ?? 0) - 1
    if (left > 0) this.unanswered.set(name, left)
    else this.unanswered.delete(name)
    this.wake()
  }

  refused(name: string, code: string): void {
    this.options.refused(code)
    this.stands(name)
  }

  offered({ offer, port, peer, way }: Offer): void {
    const accept = this.ports.get(port)
    if (!accept) {
      this.options.say({ dismiss: offer })
      return
    }
    const dismiss = () => this.options.say({ dismiss: offer })
    const channel = this.options.channel(peer, { do: 'accept', offer }, dismiss)
    channel.fetch(way)
    accept(channel)
  }

  private ask(name: string): void {
    this.unanswered.set(name, (this.unanswered.get(name) ?? 0) + 1)
    this.options.say({ listen: name })
  }

  private wake(): void {
    if (this.unanswered.size > 0) return
    const { wakes } = this
    this.wakes = []
    for (const wake of wakes) wake()
  }
}
