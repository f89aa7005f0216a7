/**
 * What makes a block of each type valid, and which key it belongs under (plugin_block_dht.c,
 * plugin_block_gns.c, plugin_block_revocation.c). Types not known here are carried as they are.
 */

import { concat } from '../../base/bytes.ts'
import { type HashCode, hashCode, zoneKey } from '../../base/ids.ts'
import { sha512 } from '../../crypto/hash.ts'
import { PURPOSE, purposeBytes } from '../../crypto/purposes.ts'
import { verifyBlock, verifyZoneSignature, zoneType } from '../../crypto/zone-key.ts'
import { struct } from '../../wire/fields.ts'
import { bytes, message, rest, u32, u64, WireError } from '../../wire/layout.ts'
import { toMs } from '../../wire/time.ts'
import { readHello } from './hello.ts'

/** gnunet_block_lib.h, as registered at GANA. */
export const BLOCK = {
  any: 0,
  legacyHello: 7,
  test: 8,
  gns: 11,
  revocation: 12,
  dhtHello: 13,
} as const

/** What a block says about itself. */
export interface BlockFacts {
  /** The key it must be stored under; null where any will do. */
  readonly key: HashCode | null
  /** By what result filters know it. */
  readonly identity: Uint8Array
  /** Its own end, milliseconds since 1970; Infinity where it names none. */
  readonly expiresAt: number
  /** Whether there can be no second one, so that whoever has it need not ask further. */
  readonly isFinal: boolean
  /** Work to check it, in signatures of Ed25519; 0 where nobody signed it. */
  readonly proofCost: number
  /** Checks the signature. */
  isProven(): boolean
}

/** Ours: ECDSA by zone keys is done in plain JavaScript, Ed25519 is not. */
const ECDSA_COST = 20

/** Throws WireError where the bytes are no block of this type. */
export function readBlock(type: number, data: Uint8Array, dataHash: Uint8Array): BlockFacts {
  switch (type) {
    case BLOCK.legacyHello:
      return readLegacyHello(data, dataHash)
    case BLOCK.gns:
      return readGnsBlock(data, dataHash)
    case BLOCK.revocation:
      return readRevocation(data, dataHash)
    case BLOCK.dhtHello:
      return readDhtHello(data)
    default:
      return unsigned(null, dataHash)
  }
}

/** Whether a request for this type may carry an extended query: no type that we know has one. */
export const takesExtendedQuery = (type: number): boolean =>
  type !== BLOCK.legacyHello &&
  type !== BLOCK.gns &&
  type !== BLOCK.revocation &&
  type !== BLOCK.dhtHello

const unsigned = (key: HashCode | null, identity: Uint8Array): BlockFacts => ({
  key,
  identity,
  expiresAt: Infinity,
  isFinal: false,
  proofCost: 0,
  isProven: () => true,
})

const HELLO_MESSAGE = 17

/** A HELLO message of the transport (hello.c), of which only the pid matters here. */
const LegacyHello = message('LEGACY_HELLO', HELLO_MESSAGE, {
  friendsOnly: u32,
  pid: bytes(32),
  addresses: rest,
})

/** Nobody signed it: it may lie about a peer's addresses. */
function readLegacyHello(data: Uint8Array, dataHash: Uint8Array): BlockFacts {
  return unsigned(legacyHelloKey(LegacyHello.decode(data).pid), dataHash)
}

/** Where the HELLO of a peer is stored: not under a hash, but under the padded pid. */
export const legacyHelloKey = (pid: Uint8Array): HashCode =>
  hashCode(concat(pid, new Uint8Array(32)))

/** RFC 9498 section 6.1; what is signed begins with the expiry. */
const GnsBlock = struct('GNS_BLOCK', {
  size: u32,
  zoneType: bytes(4),
  derivedKey: bytes(32),
  signature: bytes(64),
  signed: rest,
})

/** The key is the hash of the derived key that signed the block. */
function readGnsBlock(data: Uint8Array, dataHash: Uint8Array): BlockFacts {
  const { size, zoneType: zoneTypeBytes, derivedKey, signature, signed } = GnsBlock.decode(data)
  const fault = (field: string) => new WireError(GnsBlock.name, field, 0, 'the value is wrong')
  if (size !== data.length) throw fault('size')
  if (signed.length < EXPIRY_SIZE) throw fault('expiry')
  const type = zoneType(zoneTypeBytes)
  if (!type) throw fault('zoneType')
  return {
    key: hashCode(sha512(derivedKey)),
    identity: dataHash,
    expiresAt: toMs(new DataView(signed.buffer, signed.byteOffset).getBigUint64(0)),
    isFinal: false,
    proofCost: type === 'PKEY' ? ECDSA_COST : 1,
    isProven: () =>
      verifyBlock(type, derivedKey, purposeBytes(PURPOSE.GNS_RECORD_SIGN, signed), signature),
  }
}

const EXPIRY_SIZE = 8

/** RFC 9498 section 4.1, behind a header of GNUnet whose type does not matter. */
const RevocationBlock = struct('REVOCATION_BLOCK', {
  header: bytes(4),
  length: u32,
  time: u64,
  lifetime: u64,
  proofOfWork: bytes(256),
  zone: bytes(36),
  signature: bytes(64),
})
const RevocationSigned = struct('REVOCATION_SIGNED', { time: u64, zone: bytes(36) })
const REVOCATION_HEAD_SIZE = 8

/**
 * The proof of work (Argon2) is left to those who act upon a revocation: to carry one, it is enough
 * that the zone's owner signed it.
 */
function readRevocation(data: Uint8Array, dataHash: Uint8Array): BlockFacts {
  const { length, time, zone, signature } = RevocationBlock.decode(data)
  const fault = (field: string) => new WireError(RevocationBlock.name, field, 0, 'it is wrong')
  if (length !== data.length - REVOCATION_HEAD_SIZE) throw fault('length')
  const type = zoneType(zone)
  if (!type) throw fault('zone')
  const signed = RevocationSigned.encode({ time, zone })
  return {
    key: hashCode(sha512(zone)),
    identity: dataHash,
    expiresAt: Infinity,
    isFinal: true,
    proofCost: type === 'PKEY' ? ECDSA_COST : 1,
    isProven: () => verifyZoneSignature(zoneKey(zone), PURPOSE.GNS_REVOCATION, signed, signature),
  }
}

function readDhtHello(data: Uint8Array): BlockFacts {
  const hello = readHello(data)
  const hash = hashCode(sha512(hello.pid))
  return {
    key: hash,
    identity: hash,
    expiresAt: hello.expiresAt,
    isFinal: false,
    proofCost: 1,
    isProven: hello.isSigned,
  }
}
