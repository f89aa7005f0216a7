/** What lies in bytes of its own, without a message around it: one field alone, as struct() does for many. */

import { struct } from '../wire/fields.ts'
import type { Field, Value } from '../wire/layout.ts'

export interface Codec<T> {
  encode(value: T): Uint8Array
  /** All of the bytes, no more and no less. Throws WireError. */
  decode(raw: Uint8Array): T
}

/** A codec of one field. */
export function single<T>(name: string, field: Field<T>): Codec<T> {
  const { encode, decode } = struct(name, { value: field })
  return {
    encode: value => encode({ value } as Value<{ value: Field<T> }>),
    decode: raw => (decode(raw) as { value: T }).value,
  }
}
