/**
 * What we know of where peers can be dialled: told by others, given by a person, or seen to be right.
 * Bounded; forgets what has expired; written to the store rarely, as it can all be learned again.
 */

import { concat, keyOf } from '../../../base/bytes.ts'
import type { Clock } from '../../../base/clock.ts'
import { BoxError } from '../../../base/errors.ts'
import type { PeerId } from '../../../base/ids.ts'
import type { Store } from '../../../base/store.ts'
import { type Address, formatAddress } from '../../../base/stream.ts'
import { MessageSplitter } from '../../../wire/framing.ts'
import { WireError } from '../../../wire/layout.ts'
import { decodeHello, encodeHello, type Hello, type HelloAddress } from './hello.ts'
import { isUnspecified } from './ip.ts'
import {
  ADDRESS_LIFETIME_MS,
  ADDRESSES_PER_PEER_MAX,
  PEERS_MAX,
  SAVE_PERIOD_MS,
  TOLD_LIFETIME_MAX_MS,
} from './limits.ts'

/** The value holds HELLO messages one after the other, as GNUnet's hostlists do. */
const STORE_NAME = 'peers'

interface KnownAddress {
  readonly address: Address
  expiresAt: number
  /** Until when it counts as checked; 0 where it never was. */
  validUntil: number
  /** When a link over it was last seen to work; 0 where none was. */
  workedAt: number
  /** A person gave it: kept as long as the program runs. */
  isPinned: boolean
}

interface KnownPeer {
  readonly peer: PeerId
  readonly addresses: Map<string, KnownAddress>
  usedAt: number
  /** The peer asked that we tell nobody of it. */
  friendsOnly: boolean
}

export class PeerStore {
  private readonly clock: Clock
  private readonly store: Store
  private readonly peers = new Map<string, KnownPeer>()
  private isDirty = false
  private savedAt: number

  constructor(clock: Clock, store: Store) {
    this.clock = clock
    this.store = store
    this.savedAt = clock.elapsed()
    this.load()
  }

  get size(): number {
    return this.peers.size
  }

  /** Takes what a HELLO says; returns the addresses that are new. Nothing of it has been checked. */
  learn({ peer, addresses, friendsOnly }: Hello): Address[] {
    const limit = this.clock.now() + TOLD_LIFETIME_MAX_MS
    const fresh: Address[] = []
    for (const { address, expiresAt } of addresses) {
      if (expiresAt <= this.clock.now() || !isDiallable(address)) continue
      const known = this.addressOf(peer, address)
      if (known.expiresAt === 0) fresh.push(address)
      this.peerOf(peer).friendsOnly = friendsOnly
      known.expiresAt = Math.max(known.expiresAt, Math.min(expiresAt, limit))
    }
    return fresh
  }

  /** Takes addresses from a person, who is trusted beyond the times written in the HELLO. */
  introduce({ peer, addresses }: Hello): void {
    for (const { address, expiresAt } of addresses) {
      if (!isDiallable(address)) continue
      const known = this.addressOf(peer, address)
      known.isPinned = true
      known.expiresAt = Math.max(known.expiresAt, expiresAt)
    }
  }

  /** The peer has signed that the address is its own. */
  validated(peer: PeerId, address: Address): void {
    const known = this.addressOf(peer, address)
    known.validUntil = this.clock.now() + ADDRESS_LIFETIME_MS
    known.expiresAt = Math.max(known.expiresAt, known.validUntil)
    this.isDirty = true
  }

  /** A link over the address has proved to be with the peer: better than any signature. */
  worked(peer: PeerId, address: Address): void {
    this.validated(peer, address)
    this.addressOf(peer, address).workedAt = this.clock.now()
  }

  isValidated(peer: PeerId, address: Address): boolean {
    const known = this.peers.get(keyOf(peer))?.addresses.get(formatAddress(address))
    return (known?.validUntil ?? 0) > this.clock.now()
  }

  /** Where to dial a peer, the best address first. */
  addressesOf(peer: PeerId): Address[] {
    const known = this.peers.get(keyOf(peer))
    if (!known) return []
    this.expire(known)
    return [...known.addresses.values()]
      .sort(
        (a, b) =>
          b.workedAt - a.workedAt ||
          Number(b.isPinned) - Number(a.isPinned) ||
          b.validUntil - a.validUntil,
      )
      .map(({ address }) => address)
  }

  /** A HELLO with what we would vouch for: addresses that were checked. Null where there is none. */
  helloOf(peer: PeerId): Uint8Array | null {
    const known = this.peers.get(keyOf(peer))
    if (!known || known.friendsOnly) return null
    const addresses: HelloAddress[] = []
    for (const { address, validUntil } of known.addresses.values())
      if (validUntil > this.clock.now()) addresses.push({ address, expiresAt: validUntil })
    return addresses.length === 0 ? null : encodeHello({ peer, friendsOnly: false, addresses })
  }

  /** Peers that could be dialled. */
  all(): PeerId[] {
    for (const [key, known] of this.peers) {
      this.expire(known)
      if (known.addresses.size === 0) this.peers.delete(key)
    }
    return [...this.peers.values()].map(({ peer }) => peer)
  }

  /** Writes what is worth it, if there is anything new and the last time is long enough ago. */
  saveSometimes(): void {
    if (this.clock.elapsed() - this.savedAt >= SAVE_PERIOD_MS) this.save()
  }

  save(): void {
    if (!this.isDirty) return
    this.savedAt = this.clock.elapsed()
    const hellos = [...this.peers.values()].map(known => helloToKeep(known)).filter(Boolean)
    try {
      this.store.set(STORE_NAME, concat(...(hellos as Uint8Array[])))
      this.isDirty = false
    } catch (error) {
      // A disk that is full is no reason to end: the next time may be better.
      if (!(error instanceof BoxError)) throw error
    }
  }

  private load(): void {
    const value = this.store.get(STORE_NAME)
    if (!value) return
    try {
      for (const message of new MessageSplitter().push(value)) this.learn(decodeHello(message))
    } catch (error) {
      // What cannot be read will be learned again.
      if (!(error instanceof WireError)) throw error
    }
  }

  private addressOf(peer: PeerId, address: Address): KnownAddress {
    const known = this.peerOf(peer)
    const name = formatAddress(address)
    const found = known.addresses.get(name)
    if (found) return found
    const made = { address, expiresAt: 0, validUntil: 0, workedAt: 0, isPinned: false }
    known.addresses.set(name, made)
    if (known.addresses.size > ADDRESSES_PER_PEER_MAX) evictAddress(known, name)
    return made
  }

  private peerOf(peer: PeerId): KnownPeer {
    const key = keyOf(peer)
    const known = this.peers.get(key)
    if (known) {
      known.usedAt = this.clock.elapsed()
      return known
    }
    if (this.peers.size >= PEERS_MAX) this.evictPeer()
    const made: KnownPeer = {
      peer,
      addresses: new Map(),
      usedAt: this.clock.elapsed(),
      friendsOnly: false,
    }
    this.peers.set(key, made)
    return made
  }

  private expire(known: KnownPeer): void {
    const now = this.clock.now()
    for (const [name, address] of known.addresses)
      if (!address.isPinned && address.expiresAt <= now) known.addresses.delete(name)
  }

  /** Makes room: of those that nothing speaks for, the one not heard of for longest. */
  private evictPeer(): void {
    let worst: string | null = null
    let worstWorth = Infinity
    for (const [key, known] of this.peers) {
      const worth = worthOf(known) * 1e15 + known.usedAt
      if (worth < worstWorth) [worst, worstWorth] = [key, worth]
    }
    if (worst !== null) this.peers.delete(worst)
  }
}

/** 0.0.0.0 is no address of a machine, and port 0 means that nobody listens. */
const isDiallable = ({ host, port }: Address): boolean => port > 0 && !isUnspecified(host)

/** 2 where a person gave an address, 1 where one was checked or worked, else 0. */
function worthOf({ addresses }: KnownPeer): number {
  let worth = 0
  for (const each of addresses.values())
    worth = Math.max(worth, each.isPinned ? 2 : isGood(each) ? 1 : 0)
  return worth
}

const isGood = ({ validUntil, workedAt }: KnownAddress): boolean => validUntil > 0 || workedAt > 0

/** Makes room among the addresses of a peer, for a new one that stays. */
function evictAddress({ addresses }: KnownPeer, newest: string): void {
  for (const [name, each] of addresses) {
    if (name === newest || each.isPinned || isGood(each)) continue
    addresses.delete(name)
    return
  }
  for (const name of addresses.keys()) {
    if (name === newest) continue
    addresses.delete(name)
    return
  }
}

/** The addresses worth writing down. */
function helloToKeep({ peer, addresses, friendsOnly }: KnownPeer): Uint8Array | null {
  const kept = [...addresses.values()].filter(each => isGood(each))
  return kept.length === 0 ? null : encodeHello({ peer, friendsOnly, addresses: kept })
}
