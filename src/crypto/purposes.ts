/**
 * What a GNUnet signature is for: u32 size (of all that is signed), u32 purpose, then the fields
 * (gnunet_signatures.h, registry at GANA). A signature made for one purpose is none for another.
 */

import type { SigningKey } from './signing.ts'
import { verifySignature } from './signing.ts'

/** The registered purposes, in the words of the registry. */
export const PURPOSE = {
  TRANSPORT_PONG_OWN: 1,
  GNS_REVOCATION: 3,
  DHT_HOP: 6,
  HELLO: 7,
  NSE_SEND: 14,
  GNS_RECORD_SIGN: 15,
  SET_ECC_KEY: 16,
  TRANSPORT_ADDRESS: 29,
  TRANSPORT_EPHEMERAL: 30,
  CADET_CONNECTION_INITIATOR: 38,
  /** Legacy transport signs its DISCONNECT with the message type as the purpose. */
  TRANSPORT_DISCONNECT: 378,
} as const

const PREFIX = 8

/** The bytes that are signed: size and purpose before the body. */
export function purposeBytes(purpose: number, body: Uint8Array): Uint8Array {
  const signed = new Uint8Array(PREFIX + body.length)
  const view = new DataView(signed.buffer)
  view.setUint32(0, signed.length)
  view.setUint32(4, purpose)
  signed.set(body, PREFIX)
  return signed
}

/** Signs `body` for a purpose; 64 bytes. */
export const signPurpose = (key: SigningKey, purpose: number, body: Uint8Array): Uint8Array =>
  key.sign(purposeBytes(purpose, body))

/** Whether `signature` is one of `publicKey` over `body` for this purpose. Never throws. */
export const verifyPurpose = (
  publicKey: Uint8Array,
  purpose: number,
  body: Uint8Array,
  signature: Uint8Array,
): boolean => verifySignature(publicKey, purposeBytes(purpose, body), signature)
