/** Which message some bytes are. */

import { type Message, WireError } from './layout.ts'

const HEADER = 4

/** The size that the header of a message claims. Throws WireError where there is no whole header. */
export const messageSize = (bytes: Uint8Array, at = 0): number => header(bytes, at, 'size', 0)

/** The type that the header of a message claims. Throws WireError where there is no whole header. */
export const messageType = (bytes: Uint8Array, at = 0): number => header(bytes, at, 'type', 2)

function header(bytes: Uint8Array, at: number, field: string, offset: number): number {
  if (bytes.length - at < HEADER)
    throw new WireError('MESSAGE', field, at, 'there is no whole header')
  return (bytes[at + offset]! << 8) | bytes[at + offset + 1]!
}

// biome-ignore lint/suspicious/noExplicitAny: messages of any value; the conditional type finds which
type AnyMessage = Message<any, string>

/** A decoded message: `is` names it and so tells the type of `value`. */
export type Dispatched<M extends AnyMessage> =
  M extends Message<infer T, infer N> ? { readonly is: N; readonly value: T } : never

/**
 * A decoder for several messages. It gives null for a type that is none of theirs, which a newer peer
 * may well send; and throws WireError where the type is known and the bytes do not fit.
 */
export function dispatch<const M extends AnyMessage>(
  messages: readonly M[],
): (raw: Uint8Array) => Dispatched<M> | null {
  const byType = new Map(messages.map(each => [each.type, each]))
  if (byType.size < messages.length) throw new Error('internal error: two messages of one type')
  return raw => {
    const found = byType.get(messageType(raw))
    return found ? ({ is: found.name, value: found.decode(raw) } as Dispatched<M>) : null
  }
}
