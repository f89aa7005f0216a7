/**
 * The DHT's own HELLO block (hello-uri.c as of 0.19 and 0.20): a peer's addresses, signed by it. The
 * addresses of these releases are URLs of the older kind, `gnunet://hello/…+tcp+…`.
 */

import { concat } from '../../base/bytes.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import { sha512 } from '../../crypto/hash.ts'
import { PURPOSE, signPurpose, verifyPurpose } from '../../crypto/purposes.ts'
import type { SigningKey } from '../../crypto/signing.ts'
import { struct } from '../../wire/fields.ts'
import { bytes, rest, u64, WireError } from '../../wire/layout.ts'
import { encodeTextNul } from '../../wire/text.ts'
import { toMicros, toMs } from '../../wire/time.ts'
import { DhtHello, type HelloValue } from './messages.ts'

/** The block: addresses are texts, each ended by a NUL. */
export const HelloBlock = struct('DHT_HELLO', {
  pid: bytes(32),
  signature: bytes(64),
  expiry: u64,
  uris: rest,
})

/** What is signed (releases from 0.25 on sign the hash of nothing instead). */
const HelloSigned = struct('HELLO_SIGNED', { expiry: u64, urisHash: bytes(64) })

/** Ours: a peer with more addresses than this is not helped by the rest. */
const URIS_MAX = 64

export interface PeerHello {
  readonly pid: PeerId
  readonly uris: readonly string[]
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  /** Whether the peer itself says so. */
  isSigned(): boolean
}

/** Our own block. */
export function signHello(key: SigningKey, uris: readonly string[], expiresAt: number): Uint8Array {
  const text = encodeUris(uris)
  const expiry = toMicros(expiresAt)
  const signed = HelloSigned.encode({ expiry, urisHash: sha512(text) })
  const signature = signPurpose(key, PURPOSE.HELLO, signed)
  return HelloBlock.encode({ pid: key.publicKey, signature, expiry, uris: text })
}

/** Reads a block. Throws WireError where it is none; the signature is looked at by `isSigned`. */
export function readHello(block: Uint8Array): PeerHello {
  const { pid, signature, expiry, uris } = HelloBlock.decode(block)
  return {
    pid: peerId(pid.slice()),
    uris: decodeUris(uris),
    expiresAt: toMs(expiry),
    isSigned: () => {
      const signed = HelloSigned.encode({ expiry, urisHash: sha512(uris) })
      return verifyPurpose(pid, PURPOSE.HELLO, signed, signature)
    },
  }
}

/** The message by which a neighbour tells its block: the same without the pid. */
export function helloMessage(block: Uint8Array): Uint8Array {
  const fields = HelloBlock.decode(block)
  return DhtHello.encode({ ...fields, uriCount: decodeUris(fields.uris).length })
}

/** The block of the message a neighbour sent. */
export const blockOfMessage = (hello: HelloValue, neighbour: PeerId): Uint8Array =>
  HelloBlock.encode({ ...hello, pid: neighbour })

function encodeUris(uris: readonly string[]): Uint8Array {
  return concat(...uris.map(encodeTextNul))
}

/** `scheme://…` each, ended by a NUL. */
function decodeUris(text: Uint8Array): string[] {
  if (text.length === 0) return []
  const fault = (detail: string) => new WireError(HelloBlock.name, 'uris', 104, detail)
  if (text.at(-1) !== 0) throw fault('the last has no end')
  const uris = new TextDecoder('latin1').decode(text.subarray(0, -1)).split('\0')
  if (uris.length > URIS_MAX) throw fault('these are too many')
  if (!uris.every(uri => /^[A-Za-z+]+:\/\//.test(uri))) throw fault('these are no addresses')
  return uris
}
