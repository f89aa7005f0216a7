/**
 * A HELLO as people pass it on (src/hello/hello.c, GNUNET_HELLO_compose_uri, v0.20.0):
 *
 *     gnunet://hello/PEER[+YYYYMMDDhhmmss+tcp+tcp.0.ADDRESS:PORT]...
 *
 * The time says until when the address holds, `0` for ever. GNUnet prints it in UTC but reads it in
 * local time; we mean UTC both ways. Nothing is percent-encoded.
 */

import { BoxError } from '../../../base/errors.ts'
import { type PeerId, peerId } from '../../../base/ids.ts'
import { type Address, formatAddress } from '../../../base/stream.ts'
import { decodeBase32, encodeBase32 } from '../../../wire/base32.ts'
import type { Hello, HelloAddress } from './hello.ts'
import { formatIp, parseIp } from './ip.ts'
import { PEER_SIZE } from './messages.ts'

const PREFIX = 'gnunet://hello/'
const TCP = 'tcp'
const TCP_ADDRESS_PREFIX = 'tcp.0.'
/** Time, transport, address. */
const PARTS_PER_ADDRESS = 3
const PORT_MAX = 0xffff
/** The last year with four digits; GNUnet writes `0` for anything later. */
const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59)

/** The URL of a HELLO. Expiries lose what is finer than a second. */
export function formatHelloUrl({ peer, addresses }: Hello): string {
  const parts = addresses.flatMap(({ address, expiresAt }) => [
    formatExpiry(expiresAt),
    TCP,
    TCP_ADDRESS_PREFIX + formatAddress(address),
  ])
  return PREFIX + [encodeBase32(peer), ...parts].join('+')
}

/**
 * What a URL says; addresses of transports other than TCP are left out. Throws BoxError
 * INPUT_INVALID, with what is wrong, on any other text.
 */
export function parseHelloUrl(url: string): Hello {
  const text = url.trim()
  if (!text.startsWith(PREFIX)) throw invalid(`A HELLO begins with ${PREFIX}`)
  const [name, ...parts] = text.slice(PREFIX.length).split('+')
  const peer = parsePeer(name!)
  if (parts.length % PARTS_PER_ADDRESS !== 0) throw invalid('The HELLO ends in mid-address.')
  const addresses: HelloAddress[] = []
  for (let i = 0; i < parts.length; i += PARTS_PER_ADDRESS) {
    const expiresAt = parseExpiry(parts[i]!)
    if (parts[i + 1] === TCP) addresses.push({ address: parseTcpAddress(parts[i + 2]!), expiresAt })
  }
  return { peer, friendsOnly: false, addresses }
}

function parsePeer(name: string): PeerId {
  try {
    return peerId(decodeBase32(name, PEER_SIZE))
  } catch (cause) {
    throw new BoxError('INPUT_INVALID', 'The HELLO does not begin with a peer.', cause)
  }
}

function parseTcpAddress(text: string): Address {
  const match = /^tcp\.0\.(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text)
  const ip = match && parseIp(match[1] ?? match[2]!)
  const port = Number(match?.[3])
  if (!ip || port > PORT_MAX) throw invalid(`${text} is no address such as tcp.0.192.0.2.1:2086`)
  return { host: formatIp(ip), port }
}

function formatExpiry(ms: number): string {
  if (ms > LAST_MS) return '0'
  return new Date(ms).toISOString().slice(0, 19).replaceAll(/[-T:]/g, '')
}

function parseExpiry(text: string): number {
  if (text === '0') return Infinity
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text)
  const ms = match
    ? Date.parse(`${match[1]}-${match[2]}-${match[3]}T${match[4]}:${match[5]}:${match[6]}Z`)
    : Number.NaN
  if (Number.isNaN(ms)) throw invalid(`${text} is no time such as 20261231235959`)
  return ms
}

const invalid = (detail: string): BoxError => new BoxError('INPUT_INVALID', detail)
