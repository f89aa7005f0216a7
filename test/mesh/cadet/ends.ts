/** Both ends of channels in a simulated world, with numbered messages to check order and completeness. */

import type { BoxError } from '../../../src/base/errors.ts'
import { type PortId, portId } from '../../../src/base/ids.ts'
import { sha512 } from '../../../src/crypto/hash.ts'
import type { Channel, ChannelEvents, Listening } from '../../../src/mesh/mesh.ts'
import type { Peer } from './peer.ts'

export const portOf = (name: string): PortId => portId(sha512(new TextEncoder().encode(name)))

const TYPE = 0xb0de

/** A message that carries its number, as long as wished. */
export function numbered(number: number, size = 8): Uint8Array {
  const raw = new Uint8Array(size).fill(number & 0xff)
  const view = new DataView(raw.buffer)
  view.setUint16(0, size)
  view.setUint16(2, TYPE)
  view.setUint32(4, number)
  return raw
}

export const numberOf = (message: Uint8Array): number =>
  new DataView(message.buffer, message.byteOffset).getUint32(4)

/** Notes what happens to one end of a channel. */
export class Inbox implements ChannelEvents {
  readonly numbers: number[] = []
  readonly messages: Uint8Array[] = []
  drains = 0
  reason: BoxError | null = null
  onMessage: (message: Uint8Array) => void = () => {}
  onDrained: () => void = () => {}

  message(message: Uint8Array): void {
    this.messages.push(message.slice())
    if (message.length >= 8) this.numbers.push(numberOf(message))
    this.onMessage(message)
  }
  drained(): void {
    this.drains++
    this.onDrained()
  }
  closed(reason: BoxError): void {
    this.reason = reason
  }
}

/** A channel that is being opened. */
export class Opening {
  channel: Channel | null = null
  reason: BoxError | null = null
  readonly inbox = new Inbox()
  readonly cancel: () => void

  constructor(from: Peer, to: Peer, port: string, via: readonly (readonly Peer[])[] = []) {
    const { cancel } = from.cadet.open(
      to.id,
      portOf(port),
      via.map(hops => hops.map(({ id }) => id)),
      {
        opened: channel => {
          this.channel = channel
          channel.attach(this.inbox)
        },
        failed: reason => {
          this.reason = reason
        },
      },
    )
    this.cancel = cancel
  }
}

/** A listener that keeps what it accepts. */
export class Listener {
  readonly accepted: { readonly channel: Channel; readonly inbox: Inbox }[] = []
  readonly listening: Listening

  constructor(peer: Peer, port: string, { echo = false } = {}) {
    this.listening = peer.cadet.listen(portOf(port), channel => {
      const inbox = new Inbox()
      this.accepted.push({ channel, inbox })
      if (echo) inbox.onMessage = message => void channel.send(message)
      channel.attach(inbox)
    })
  }

  get last() {
    return this.accepted.at(-1)!
  }
}
