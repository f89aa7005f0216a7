/**
 * What a member or host of a place must not forget, as one value that is replaced as a whole: keys, ticket,
 * members, and the state at some point of the chain, from which reading on gives today's.
 */

import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import type { Store } from '../base/store.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import type { KeptEpochs } from './host-epochs.ts'
import { PACKET_SIZE_MAX, type Packet, renderPacket } from './packet.ts'
import { PacketReader } from './packet-reader.ts'

export interface Member {
  readonly zone: ZoneKey
  /** The X25519 key to which group keys are sealed. */
  readonly agreement: Uint8Array
  /** Of its ticket. */
  readonly serial: bigint
  /** The first fragment it may have. */
  readonly since: bigint
}

export interface Memory {
  readonly keys: readonly (readonly [number, Uint8Array])[]
  /** The state as it was after this fragment, as a packet. */
  readonly snapshot: { readonly id: bigint; readonly state: Uint8Array }
  /** Host: who is in, the next ticket, and the tickets that are void. */
  readonly members: readonly Member[]
  readonly nextSerial: bigint
  readonly revoked: readonly bigint[]
  /** Guest: the secret half of the agreement key, and the ticket. */
  readonly agreement: Uint8Array | null
  readonly ticket: Uint8Array | null
  /** Host of a deniable place; absent where it is none. */
  readonly epochs?: KeptEpochs | undefined
}

const VERSION = 1
const SEED_SIZE = 32
const encoder = new TextEncoder()

/** What is remembered under this name, or null. Throws STATE_UNREADABLE where it is damaged. */
export function readMemory(store: Store, name: string): Memory | null {
  const bytes = store.get(name)
  if (!bytes) return null
  try {
    const json = JSON.parse(new TextDecoder().decode(bytes))
    if (json.version !== VERSION) throw new TypeError('another version')
    return {
      keys: json.keys.map(([generation, key]: [number, string]) => [generation, fromText(key, 32)]),
      snapshot: { id: BigInt(json.snapshot.id), state: fromOpenText(json.snapshot.state) },
      members: json.members.map((one: Record<keyof Member, string>) => ({
        zone: zoneKey(fromText(one.zone, 36)),
        agreement: fromText(one.agreement, 32),
        serial: BigInt(one.serial),
        since: BigInt(one.since),
      })),
      nextSerial: BigInt(json.nextSerial),
      revoked: json.revoked.map(BigInt),
      agreement: json.agreement === null ? null : fromText(json.agreement, 32),
      ticket: json.ticket === null ? null : fromOpenText(json.ticket),
      ...(json.epochs !== undefined && { epochs: epochsFrom(json.epochs) }),
    }
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `What is kept of a place (${name}) is damaged.`, cause)
  }
}

/** Throws STATE_UNWRITABLE; then what was remembered before still is. */
export function writeMemory(store: Store, name: string, memory: Memory): void {
  const json = {
    version: VERSION,
    keys: memory.keys.map(([generation, key]) => [generation, encodeBase32(key)]),
    snapshot: { id: `${memory.snapshot.id}`, state: encodeBase32(memory.snapshot.state) },
    members: memory.members.map(({ zone, agreement, serial, since }) => ({
      ...{ zone: encodeBase32(zone), agreement: encodeBase32(agreement) },
      ...{ serial: `${serial}`, since: `${since}` },
    })),
    nextSerial: `${memory.nextSerial}`,
    revoked: memory.revoked.map(String),
    agreement: memory.agreement && encodeBase32(memory.agreement),
    ticket: memory.ticket && encodeBase32(memory.ticket),
    ...(memory.epochs && { epochs: epochsText(memory.epochs) }),
  }
  store.set(name, encoder.encode(JSON.stringify(json)))
}

const epochsText = ({ ticketSeed, current, coming, ended }: KeptEpochs): object => ({
  ticketSeed: encodeBase32(ticketSeed),
  current: { seed: encodeBase32(current.seed), from: `${current.from}` },
  coming: coming && encodeBase32(coming),
  ended: ended.map(({ seed, leftMs }) => ({ seed: encodeBase32(seed), leftMs })),
})

function epochsFrom(json: ReturnType<typeof JSON.parse>): KeptEpochs {
  const { ticketSeed, current, coming, ended } = json
  return {
    ticketSeed: fromText(ticketSeed, SEED_SIZE),
    current: { seed: fromText(current.seed, SEED_SIZE), from: BigInt(current.from) },
    coming: coming === null ? null : fromText(coming, SEED_SIZE),
    ended: ended.map(({ seed, leftMs }: { seed: string; leftMs: unknown }) => {
      if (typeof leftMs !== 'number') throw new TypeError('no time')
      return { seed: fromText(seed, SEED_SIZE), leftMs }
    }),
  }
}

export const packState = (snapshot: Packet): Uint8Array => renderPacket(snapshot)

/** The packet that makes the state. Throws WireError where it is none. */
export function unpackState(bytes: Uint8Array): Packet {
  const packets: Packet[] = []
  new PacketReader(view => packets.push(view.packet()), PACKET_SIZE_MAX).push(bytes)
  if (packets.length !== 1) throw new BoxError('WIRE_MALFORMED', 'The state is not one packet.')
  return packets[0]!
}

const fromText = (text: string, size: number): Uint8Array => decodeBase32(text, size)
const fromOpenText = (text: string): Uint8Array =>
  decodeBase32(text, Math.floor((text.length * 5) / 8))
