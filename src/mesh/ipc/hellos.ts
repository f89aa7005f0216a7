/**
 * HELLOs by way of the daemon: its own, for others to dial, and those of others, for it to dial. Up to 0.20
 * PEERINFO keeps them (peerinfo.h), since then PEERSTORE does, and the DHT tells the own one (hello-uri.c).
 */

import { equalBytes, keyOf } from '../../base/bytes.ts'
import { BoxError } from '../../base/errors.ts'
import { type PeerId, peerId } from '../../base/ids.ts'
import { formatAddress } from '../../base/stream.ts'
import { decodeBase32, encodeBase32 } from '../../wire/base32.ts'
import { WireError } from '../../wire/layout.ts'
import { encodeText, encodeTextNul } from '../../wire/text.ts'
import { decodeHello, encodeHello, type Hello } from '../transport/legacy/hello.ts'
import { formatHelloUrl, parseHelloUrl } from '../transport/legacy/hello-url.ts'
import {
  DhtHelloGet,
  DhtHelloUrl,
  HelloUri,
  PeerinfoInfo,
  PeerinfoNotify,
  PeerstoreStore,
} from './messages.ts'
import { Service, type ServicePorts } from './service.ts'

/** Peers of which addresses are remembered. */
const KNOWN_MAX = 1_024
/** HELLOs that were handed over, and are again where the daemon was started anew. */
const INTRODUCED_MAX = 64
/** GNUnet's own HELLOs last two days (GNUNET_HELLO_ADDRESS_EXPIRATION), in microseconds. */
const SUBSYSTEM = 'peerstore'
const HELLO_KEY = 'peerstore-peer-hello-uri'
const REPLACE = 1
/** The own HELLO is asked for so often; it changes with the addresses. */
const ASK_AGAIN_MS = 60_000
const PREFIX = 'gnunet://hello/'
/** Dozens of addresses, and yet what becomes of it fits into a message. */
const URL_MAX = 16_384

export interface Hellos {
  start(): void
  /** The peer's own HELLO URL; without addresses where none is known. */
  own(self: PeerId): string
  /** Hands a HELLO URL to the daemon. Throws INPUT_INVALID. */
  introduce(url: string): PeerId
  /** Where a peer can be dialled, as people write it; empty where unknown. */
  addressOf(peer: PeerId): string
  close(): void
}

export class PeerinfoHellos implements Hellos {
  private readonly ports: ServicePorts
  private readonly service: Service
  private readonly known = new Map<string, Hello>()
  private readonly introduced = new Map<string, Uint8Array>()

  constructor(path: string, ports: ServicePorts) {
    this.ports = ports
    this.service = new Service('peerinfo', path, ports, {
      up: () => {
        this.service.send(PeerinfoNotify.encode({ includeFriendOnly: 0 }))
        for (const hello of this.introduced.values()) this.service.send(hello)
      },
      received: (type, raw) => this.received(type, raw),
      down: () => {},
    })
  }

  start(): void {
    this.service.open()
  }

  own(self: PeerId): string {
    const hello = this.known.get(keyOf(self))
    const now = this.ports.clock.now()
    const addresses = hello?.addresses.filter(({ expiresAt }) => expiresAt > now) ?? []
    return formatHelloUrl({ peer: self, friendsOnly: false, addresses })
  }

  introduce(url: string): PeerId {
    const hello = parseHelloUrl(url)
    const raw = encodeHello(hello)
    remember(this.introduced, keyOf(hello.peer), raw, INTRODUCED_MAX)
    this.service.send(raw)
    return hello.peer
  }

  addressOf(peer: PeerId): string {
    const [first] = this.known.get(keyOf(peer))?.addresses ?? []
    return first ? formatAddress(first.address) : ''
  }

  close(): void {
    this.service.close()
  }

  private received(type: number, raw: Uint8Array): void {
    if (type !== PeerinfoInfo.type) return
    const { peer, hello } = PeerinfoInfo.decode(raw)
    if (hello.length === 0) return
    const read = decodeHello(hello)
    if (!equalBytes(read.peer, peer))
      throw new WireError(PeerinfoInfo.name, 'hello', 40, 'is of another peer')
    remember(this.known, keyOf(peer), read, KNOWN_MAX)
  }
}

/** Since GNUnet 0.21: the own HELLO from the DHT, those of others into PEERSTORE. */
export class PeerstoreHellos implements Hellos {
  private readonly ports: ServicePorts
  private readonly dht: Service
  private readonly peerstore: Service
  private readonly introduced = new Map<string, Uint8Array>()
  private requests = 0
  private url: string | null = null
  private timer: { cancel(): void } | null = null

  constructor(paths: { readonly dht: string; readonly peerstore: string }, ports: ServicePorts) {
    this.ports = ports
    this.dht = new Service('dht', paths.dht, ports, {
      up: () => this.ask(),
      received: (type, raw) => {
        if (type === DhtHelloUrl.type) this.url = DhtHelloUrl.decode(raw).url
      },
      down: () => this.timer?.cancel(),
    })
    this.peerstore = new Service('peerstore', paths.peerstore, ports, {
      up: () => {
        for (const store of this.introduced.values()) this.peerstore.send(store)
      },
      received: () => {},
      down: () => {},
    })
  }

  start(): void {
    this.dht.open()
    this.peerstore.open()
  }

  own(self: PeerId): string {
    return this.url ?? PREFIX + encodeBase32(self)
  }

  introduce(url: string): PeerId {
    const { peer, expiry, message } = readHelloUri(url)
    const store = PeerstoreStore.encode({
      peer,
      expiry,
      request: ++this.requests,
      options: REPLACE,
      subsystem: encodeTextNul(SUBSYSTEM),
      key: encodeTextNul(HELLO_KEY),
      value: message,
    })
    remember(this.introduced, keyOf(peer), store, INTRODUCED_MAX)
    this.peerstore.send(store)
    return peer
  }

  addressOf(): string {
    return ''
  }

  close(): void {
    this.timer?.cancel()
    this.dht.close()
    this.peerstore.close()
  }

  private ask(): void {
    this.dht.send(DhtHelloGet.encode({}))
    this.timer = this.ports.clock.after(ASK_AGAIN_MS, () => this.ask())
  }
}

/** `gnunet://hello/PEER/SIGNATURE/EXPIRY?tcp=…&udp=…` as the message that PEERSTORE keeps. Throws INPUT_INVALID. */
export function readHelloUri(url: string): {
  readonly peer: PeerId
  readonly expiry: bigint
  readonly message: Uint8Array
} {
  const [, pid, signature, expiry, query = ''] =
    /^gnunet:\/\/hello\/([0-9A-Za-z]+)\/([0-9A-Za-z]+)\/(\d{1,19})(?:\?(.*))?$/.exec(url.trim()) ??
    []
  if (pid === undefined || url.length > URL_MAX || /\p{Surrogate}/u.test(url))
    throw new BoxError(
      'INPUT_INVALID',
      `A HELLO of this daemon is ${PREFIX}PEER/SIGNATURE/TIME?tcp=…`,
    )
  const uris = query
    .split('&')
    .filter(part => part.includes('='))
    .map(part => {
      const at = part.indexOf('=')
      return `${part.slice(0, at)}://${unescaped(part.slice(at + 1))}`
    })
  const peer = peerId(decodeBase32(pid, 32))
  const message = HelloUri.encode({
    uriCount: uris.length,
    peer,
    signature: decodeBase32(signature!, 64),
    expiry: BigInt(expiry!),
    uris: encodeText(uris.map(uri => `${uri}\0`).join('')),
  })
  return { peer, expiry: BigInt(expiry!), message }
}

/** Throws INPUT_INVALID; also on NUL, which ends an address in the message. */
function unescaped(text: string): string {
  try {
    const plain = decodeURIComponent(text)
    if (!plain.includes('\0')) return plain
  } catch {
    // A % without two digits, or what it stands for is no UTF-8.
  }
  throw new BoxError('INPUT_INVALID', 'An address of the HELLO has a wrong % in it.')
}

/** The newest entries of a map, `max` of them. */
function remember<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > max) map.delete(oldest!)
}
