/**
 * A parcel: a release with all of its contents, sealed for the device that it is made out to. Whoever keeps it
 * or hands it over sees how large it is and for whom, and nothing else; what makes it worth anything is the
 * signature of the release inside.
 */

import { BoxError } from '../../base/errors.ts'
import type { ZoneKey } from '../../base/ids.ts'
import type { Random } from '../../base/random.ts'
import { openSealed, sealForZone } from '../../crypto/sealed.ts'
import type { ZoneSecret } from '../../crypto/zone-key.ts'
import { struct } from '../../wire/fields.ts'
import { counted, lengthOf, list, u16, u32, WireError } from '../../wire/layout.ts'
import { LIMITS } from './limits.ts'

/** It is in memory twice while it is opened, on a router with 64 MB. */
export const PARCEL_BYTES_MAX = 4 * 1_024 * 1_024
const VERSION = 1
/** Sizes tell what is inside: each parcel fills a bucket of this size. */
const BUCKET_BYTES = 4_096

export interface Parcel {
  readonly signed: Uint8Array
  readonly contents: readonly Uint8Array[]
}

const Content = struct('BOX_PARCEL_CONTENT', {
  size: lengthOf('content', u32),
  content: counted('size'),
})
const Body = struct('BOX_PARCEL', {
  version: u16,
  signedSize: lengthOf('signed', u32),
  signed: counted('signedSize'),
  contentCount: lengthOf('contents', u16),
  contents: list(Content, 'contentCount'),
  paddingSize: lengthOf('padding', u32),
  padding: counted('paddingSize'),
})

/** Null where it is too large for a parcel. Throws INPUT_INVALID where nothing can be sealed for the device. */
export function packParcel(
  { signed, contents }: Parcel,
  device: ZoneKey,
  random: Random,
): Uint8Array | null {
  const total = contents.reduce((sum, { length }) => sum + length, signed.length)
  if (total > PARCEL_BYTES_MAX - 2 * BUCKET_BYTES) return null
  const encode = (padding: number) =>
    Body.encode({
      version: VERSION,
      signed,
      contents: contents.map(content => ({ content })),
      padding: new Uint8Array(padding),
    })
  const bare = encode(0)
  const body =
    bare.length % BUCKET_BYTES === 0 ? bare : encode(BUCKET_BYTES - (bare.length % BUCKET_BYTES))
  const parcel = sealForZone(device, body, random)
  return parcel.length > PARCEL_BYTES_MAX ? null : parcel
}

/** What is in it: bytes that nobody has checked. Throws WIRE_MALFORMED, LIMIT_EXCEEDED. */
export function openParcel(secret: ZoneSecret, parcel: Uint8Array): Parcel {
  if (parcel.length > PARCEL_BYTES_MAX)
    throw new BoxError('LIMIT_EXCEEDED', `The parcel has ${parcel.length} bytes.`)
  const body = openSealed(secret, parcel)
  if (!body) throw malformed('it was not sealed for this device, or was changed')
  try {
    const { version, signed, contents } = Body.decode(body)
    if (version !== VERSION) throw malformed(`it is of version ${version}`)
    if (contents.length > LIMITS.files) throw malformed(`it has ${contents.length} contents`)
    return { signed, contents: contents.map(({ content }) => content) }
  } catch (cause) {
    if (cause instanceof WireError) throw malformed(cause.message, cause)
    throw cause
  }
}

const malformed = (detail: string, cause?: unknown) =>
  new BoxError('WIRE_MALFORMED', `This is no parcel: ${detail}.`, cause)
