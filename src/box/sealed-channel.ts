/**
 * A channel whose messages only the two who have authenticated each other can read or make, whoever carries them
 * and wherever the tunnel below ends: a device's mesh side may be in other hands (docs/threats.md).
 *
 * Each message is sealed under a key of its direction and its number in that direction, so that one that was
 * changed, repeated, left out or moved ends the channel. One that has no room for the seal goes in two parts.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { AEAD_TAG_SIZE, openAead, sealAead } from '../crypto/aead.ts'
import {
  type Channel,
  type ChannelEvents,
  checkMessage,
  isMessage,
  MESSAGE_SIZE_MAX,
} from '../mesh/mesh.ts'
import { WireError } from '../wire/layout.ts'
import { SealedMessage } from './messages.ts'

export interface SealingKeys {
  readonly sending: Uint8Array
  readonly receiving: Uint8Array
}

const NONCE_SIZE = 12
const NOTHING = new Uint8Array(0)
/** Before what is sealed: whether the message ends here. */
const LAST = 1
const MORE = 0
const FLAG_SIZE = 1
const HEADER_SIZE = 4
const PART_MAX = MESSAGE_SIZE_MAX - HEADER_SIZE - FLAG_SIZE - AEAD_TAG_SIZE

/** The channel, sealed: nobody else may send on it or attach to it any more. */
export const sealChannel = (channel: Channel, keys: SealingKeys): Channel =>
  new SealedChannel(channel, keys)

class SealedChannel implements Channel {
  readonly peer: Channel['peer']
  private readonly channel: Channel
  private readonly keys: SealingKeys
  private sent = 0n
  private received = 0n
  private begun: Uint8Array | null = null
  private isBroken = false

  constructor(channel: Channel, keys: SealingKeys) {
    this.channel = channel
    this.keys = keys
    this.peer = channel.peer
  }

  path(): ReturnType<Channel['path']> {
    return this.channel.path()
  }

  attach(events: ChannelEvents): void {
    this.channel.attach({
      message: raw => this.take(raw, events),
      drained: () => events.drained(),
      closed: reason => {
        if (!this.isBroken) events.closed(reason)
      },
    })
  }

  send(message: Uint8Array): boolean {
    checkMessage(message)
    let at = 0
    for (; message.length - at > PART_MAX; at += PART_MAX)
      this.channel.send(this.sealed(MORE, message.subarray(at, at + PART_MAX)))
    return this.channel.send(this.sealed(LAST, message.subarray(at)))
  }

  pause(): void {
    this.channel.pause()
  }

  resume(): void {
    this.channel.resume()
  }

  close(): void {
    this.channel.close()
  }

  private sealed(flag: number, part: Uint8Array): Uint8Array {
    const plain = new Uint8Array(FLAG_SIZE + part.length)
    plain[0] = flag
    plain.set(part, FLAG_SIZE)
    const sealed = sealAead(this.keys.sending, nonceOf(this.sent++), plain, NOTHING)
    return SealedMessage.encode({ sealed })
  }

  private take(raw: Uint8Array, events: ChannelEvents): void {
    if (this.isBroken) return
    const plain = this.opened(raw)
    const part = plain?.subarray(FLAG_SIZE) ?? NOTHING
    const message = this.begun ? concat(this.begun, part) : part
    const isWhole = plain?.[0] === LAST
    if (!plain || message.length > MESSAGE_SIZE_MAX || (isWhole && !isMessage(message))) {
      this.fail(events)
      return
    }
    this.begun = isWhole ? null : message
    if (isWhole) events.message(message)
  }

  private opened(raw: Uint8Array): Uint8Array | null {
    try {
      const { sealed } = SealedMessage.decode(raw)
      const plain = openAead(this.keys.receiving, nonceOf(this.received++), sealed, NOTHING)
      return plain && plain.length > FLAG_SIZE ? plain : null
    } catch (error) {
      if (!(error instanceof WireError)) throw error
      return null
    }
  }

  /** Somebody on the way has changed something: nothing that comes can be believed. */
  private fail(events: ChannelEvents): void {
    this.isBroken = true
    this.channel.close()
    events.closed(new BoxError('CHANNEL_LOST', 'What came was not what the other side had said.'))
  }
}

function nonceOf(number: bigint): Uint8Array {
  const nonce = new Uint8Array(NONCE_SIZE)
  new DataView(nonce.buffer).setBigUint64(NONCE_SIZE - 8, number)
  return nonce
}
