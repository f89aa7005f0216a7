/**
 * HELLO, wire class A: where a peer can be dialled (src/hello/hello.c, address.c, v0.20.0). It is
 * not signed: an address proves itself by a signed PONG, a peer by CORE's key exchange.
 */

import type { PeerId } from '../../../base/ids.ts'
import { peerId } from '../../../base/ids.ts'
import { type Address, formatAddress } from '../../../base/stream.ts'
import { items, struct, textNul } from '../../../wire/fields.ts'
import { bytes, counted, lengthOf, message, rest, u16, u32, u64 } from '../../../wire/layout.ts'
import { toMicros, toMs } from '../../../wire/time.ts'
import { formatIp, IPV4_SIZE, IPV6_SIZE, parseIp } from './ip.ts'
import { PEER_SIZE } from './messages.ts'

/** The only transport we speak; addresses of others are skipped. */
const TCP = 'tcp'
/** Options (4) before the IP address, port (2) after it. */
const AROUND_IP = 6
const TCP_OPTIONS_NONE = 0

/** One address of a HELLO. `expiresAt` is in milliseconds since 1970, Infinity for never. */
export interface HelloAddress {
  readonly address: Address
  readonly expiresAt: number
}

export interface Hello {
  readonly peer: PeerId
  /** The peer asks that only its friends learn of it. */
  readonly friendsOnly: boolean
  readonly addresses: readonly HelloAddress[]
}

const Entry = struct('HELLO_ADDRESS', {
  transport: textNul,
  addressSize: lengthOf('address', u16),
  expiresAt: u64,
  address: counted('addressSize'),
})

export const HelloMessage = message('HELLO', 17, {
  friendsOnly: u32,
  peer: bytes(PEER_SIZE),
  entries: items(Entry),
})

/** The HELLO message of a peer. */
export const encodeHello = ({ peer, friendsOnly, addresses }: Hello): Uint8Array =>
  HelloMessage.encode({
    friendsOnly: friendsOnly ? 1 : 0,
    peer,
    entries: addresses.map(({ address, expiresAt }) => ({
      transport: TCP,
      address: encodeTcpAddress(address),
      expiresAt: toMicros(expiresAt),
    })),
  })

/** What a HELLO message says; addresses of transports other than TCP are left out. Throws WireError. */
export function decodeHello(raw: Uint8Array): Hello {
  const { friendsOnly, peer, entries } = HelloMessage.decode(raw)
  const addresses: HelloAddress[] = []
  for (const { transport, address: where, expiresAt } of entries) {
    const address = transport === TCP ? decodeTcpAddress(where) : null
    if (address) addresses.push({ address, expiresAt: toMs(expiresAt) })
  }
  return { peer: peerId(peer.slice()), friendsOnly: friendsOnly !== 0, addresses }
}

/** All addresses of both that have not expired, each once and with its later expiry. */
export function mergeAddresses(
  older: readonly HelloAddress[],
  newer: readonly HelloAddress[],
  now: number,
): readonly HelloAddress[] {
  const merged = new Map<string, HelloAddress>()
  for (const entry of [...older, ...newer]) {
    const name = formatAddress(entry.address)
    const known = merged.get(name)
    if (entry.expiresAt > now && !(known && known.expiresAt >= entry.expiresAt))
      merged.set(name, entry)
  }
  return [...merged.values()]
}

const TransportAddress = struct('TRANSPORT_ADDRESS', { transport: textNul, address: rest })

/** The bytes that PING and PONG have for an address: `tcp`, NUL, options, IP address, port. */
export const encodeTransportAddress = (address: Address): Uint8Array =>
  TransportAddress.encode({ transport: TCP, address: encodeTcpAddress(address) })

/** The address, or null where it is of another transport or kind. Throws WireError. */
export function decodeTransportAddress(raw: Uint8Array): Address | null {
  const { transport, address } = TransportAddress.decode(raw)
  return transport === TCP ? decodeTcpAddress(address) : null
}

function encodeTcpAddress({ host, port }: Address): Uint8Array {
  const ip = parseIp(host)
  if (!ip) throw new RangeError(`${host} is no IP address`)
  const where = new Uint8Array(AROUND_IP + ip.length)
  where.set(ip, 4)
  new DataView(where.buffer).setUint16(where.length - 2, port)
  return where
}

function decodeTcpAddress(where: Uint8Array): Address | null {
  const ipSize = where.length - AROUND_IP
  if (ipSize !== IPV4_SIZE && ipSize !== IPV6_SIZE) return null
  const view = new DataView(where.buffer, where.byteOffset, where.length)
  if (view.getUint32(0) !== TCP_OPTIONS_NONE) return null
  return { host: formatIp(where.subarray(4, 4 + ipSize)), port: view.getUint16(4 + ipSize) }
}
