/** Identifiers that must not be mistaken for one another, though all are bytes. */

declare const kind: unique symbol
type Id<K extends string> = Uint8Array & { readonly [kind]: K }

/** The Ed25519 public key that is a peer; 32 bytes. */
export type PeerId = Id<'peer'>
/** A SHA-512 hash: a DHT key, the name of a file; 64 bytes. */
export type HashCode = Id<'hash'>
/** A CADET port: a shared secret of 64 bytes. */
export type PortId = Id<'port'>
/** A GNS zone: u32 type (65536 PKEY, 65556 EDKEY), then the public key; 36 bytes (RFC 9498 section 4). */
export type ZoneKey = Id<'zone'>

export const peerId = (bytes: Uint8Array): PeerId => sized(bytes, 32) as PeerId
export const hashCode = (bytes: Uint8Array): HashCode => sized(bytes, 64) as HashCode
export const portId = (bytes: Uint8Array): PortId => sized(bytes, 64) as PortId
export const zoneKey = (bytes: Uint8Array): ZoneKey => sized(bytes, 36) as ZoneKey

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length !== length) throw new RangeError(`${length} bytes wanted, ${bytes.length} given`)
  return bytes
}
