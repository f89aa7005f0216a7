/** The identifier of a packet: context, source, target, counter and fragment, as a list of five. */

import { parseList, renderList } from './list.ts'

export interface PacketId {
  readonly context: string
  readonly source: string
  readonly target: string
  readonly counter: string
  readonly fragment: string
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const PARTS = 5

/** What is missing is empty. */
export function renderPacketId(id: Partial<PacketId>): Uint8Array {
  const parts = [id.context, id.source, id.target, id.counter, id.fragment]
  return renderList({
    type: null,
    elements: parts.map(part => ({
      type: null,
      value: part ? encoder.encode(part) : null,
      counted: false,
    })),
  })
}

/** Throws WireError; null where it is a list of another length. */
export function parsePacketId(bytes: Uint8Array): PacketId | null {
  const { elements } = parseList(bytes)
  if (elements.length !== PARTS) return null
  const [context, source, target, counter, fragment] = elements.map(({ value }) =>
    value ? decoder.decode(value) : '',
  ) as [string, string, string, string, string]
  return { context, source, target, counter, fragment }
}
