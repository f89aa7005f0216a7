/** A packet that was read, as places in the bytes it came in: what nobody looks at costs nothing. */

import type { Modifier, Operator, Packet } from './packet.ts'

/** A packet as it lies in the bytes that came: names are known, values are places. */
export class PacketView {
  /** Of each modifier, the routing ones first: where its value begins and ends. */
  readonly places: readonly number[]
  readonly operators: readonly Operator[]
  readonly names: readonly string[]
  /** Whether the value has a length. */
  readonly counted: readonly boolean[]
  readonly routingCount: number
  readonly sync: Packet['sync']
  readonly method: string | null
  readonly content: NonNullable<Packet['content']>
  private readonly dataFrom: number
  private readonly dataTo: number
  private readonly bytes: Uint8Array
  /** Where in the bytes the packet begins; all places count from there. */
  private readonly begin: number

  constructor(draft: Draft, bytes: Uint8Array, begin: number) {
    this.bytes = bytes
    this.begin = begin
    this.places = draft.places
    this.operators = draft.operators
    this.names = draft.names
    this.counted = draft.counted
    this.routingCount = draft.routingCount
    this.sync = draft.sync
    this.method = draft.method
    this.content = draft.content
    this.dataFrom = draft.dataFrom
    this.dataTo = draft.dataTo
  }

  /** The value of a modifier, as a view. */
  value(index: number): Uint8Array {
    return this.view(this.places[2 * index]!, this.places[2 * index + 1]!)
  }

  /** The last value of the name, or null. */
  find(name: string): Uint8Array | null {
    const at = this.names.lastIndexOf(name)
    return at < 0 ? null : this.value(at)
  }

  data(): Uint8Array | null {
    return this.dataFrom < 0 ? null : this.view(this.dataFrom, this.dataTo)
  }

  /** The packet as a value; its bytes are still views. */
  packet(): Packet {
    const all = this.names.map((_, index) => this.modifier(index))
    return {
      routing: all.slice(0, this.routingCount),
      sync: this.sync,
      entity: all.slice(this.routingCount),
      method: this.method,
      data: this.data(),
      content: this.content,
    }
  }

  private view(from: number, to: number): Uint8Array {
    return this.bytes.subarray(this.begin + from, this.begin + to)
  }

  private modifier(index: number): Modifier {
    return {
      operator: this.operators[index]!,
      name: this.names[index]!,
      value: this.value(index),
      counted: this.counted[index]!,
    }
  }
}

/** What is known of the packet that is being read; places count from the first byte of the packet. */
export class Draft {
  phase: 'routing' | 'content' | 'data' | 'end' = 'routing'
  readonly places: number[] = []
  readonly operators: Operator[] = []
  readonly names: string[] = []
  readonly counted: boolean[] = []
  routingCount = 0
  sync: Packet['sync'] = null
  method: string | null = null
  content: NonNullable<Packet['content']> = 'none'
  /** Where the content begins, and where it must end if it has a length. */
  contentFrom = 0
  contentTo = -1
  dataFrom = -1
  dataTo = -1
  /** Where in the packet reading goes on, and how many bytes must be there for that to be of use. */
  at = 0
  need = 1
}
