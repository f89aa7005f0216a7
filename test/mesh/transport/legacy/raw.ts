/** A peer that does what a test tells it, byte by byte: real daemons, attackers, broken programs. */

import { peerId } from '../../../../src/base/ids.ts'
import type { Address, Stream, StreamEvents } from '../../../../src/base/stream.ts'
import { PURPOSE, signPurpose } from '../../../../src/crypto/purposes.ts'
import { SigningKey } from '../../../../src/crypto/signing.ts'
import {
  Ack,
  Disconnect,
  DisconnectBody,
  Syn,
  SynAck,
  Welcome,
} from '../../../../src/mesh/transport/legacy/messages.ts'
import { messageType } from '../../../../src/wire/dispatch.ts'
import { MessageSplitter } from '../../../../src/wire/framing.ts'
import type { Machine } from '../../../sim/machine.ts'

/** One connection of such a peer. */
export class RawConnection {
  readonly got: Uint8Array[] = []
  isOpen = false
  isClosed = false
  stream: Stream | null = null
  onMessage: (type: number, message: Uint8Array) => void = () => {}
  private readonly splitter = new MessageSplitter()

  readonly events: StreamEvents = {
    opened: () => {
      this.isOpen = true
    },
    received: chunk => {
      for (const message of this.splitter.push(chunk)) {
        this.got.push(message.slice())
        this.onMessage(messageType(message), message)
      }
    },
    drained: () => {},
    closed: () => {
      this.isClosed = true
    },
  }

  send(message: Uint8Array): void {
    this.stream!.write(message)
  }

  /** Types of all messages that came, in order. */
  types(): number[] {
    return this.got.map(message => messageType(message))
  }

  last(type: number): Uint8Array | undefined {
    return this.got.findLast(message => messageType(message) === type)
  }
}

export class RawPeer {
  readonly machine: Machine
  readonly key: SigningKey
  readonly pid
  /** Connections that others made to it. */
  readonly accepted: RawConnection[] = []

  constructor(machine: Machine, seed: number) {
    this.machine = machine
    this.key = SigningKey.fromSeed(new Uint8Array(32).fill(seed))
    this.pid = peerId(this.key.publicKey)
  }

  dial(to: Address): RawConnection {
    const connection = new RawConnection()
    connection.stream = this.machine.network().dial(to, connection.events)
    return connection
  }

  /** Accepts connections; `greet` sees each before its first byte. */
  async listen(port: number, greet: (connection: RawConnection) => void): Promise<void> {
    await this.machine.network().listen({ host: this.machine.address, port }, stream => {
      const connection = new RawConnection()
      connection.stream = stream
      this.accepted.push(connection)
      greet(connection)
      return connection.events
    })
  }

  welcome(): Uint8Array {
    return Welcome.encode({ peer: this.pid })
  }

  syn(timestamp: bigint): Uint8Array {
    return Syn.encode({ timestamp })
  }

  ack(): Uint8Array {
    return Ack.encode({})
  }

  answerTo(syn: Uint8Array): Uint8Array {
    return SynAck.encode(Syn.decode(syn))
  }

  goodbye(timestamp: bigint, key = this.key): Uint8Array {
    const body = DisconnectBody.encode({ timestamp, peer: this.pid })
    const signature = signPurpose(key, PURPOSE.TRANSPORT_DISCONNECT, body)
    return Disconnect.encode({ timestamp, peer: this.pid, signature })
  }
}
