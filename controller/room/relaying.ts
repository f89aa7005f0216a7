/**
 * Handing on what is said in rooms: a program that stays (`box up`) can be dialled by other members, who hang below it
 * in the tree of a room. Who may, is whom the room lists; whether its ticket is good, the tree looks at.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { PeerId, ZoneKey } from '../../src/base/ids.ts'
import { type Admission, acceptHandshake, authenticate } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Channel, Listening, Mesh } from '../../src/mesh/mesh.ts'
import type { Link, TreeNode } from '../../src/psyc/edge.ts'
import { membersIn } from '../../src/psyc/member-list.ts'
import type { PlaceGuest } from '../../src/psyc/place-guest.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'

/** Each costs two signatures; a tree has few children, and each comes once. */
const HANDSHAKES_MAX = 16
/** Hubs over which a member is dialled. */
const HUBS_MAX = 8
/** One try at one member; there are others. */
const DIAL_MS = 5_000
const NOTHING = new Uint8Array(0)

/** Where members of our rooms dial us. */
export class RelayPort {
  readonly self: PeerId
  private readonly context: Context
  private readonly rooms = new Map<string, PlaceGuest>()
  private readonly listening: Listening
  private handshakes = 0

  /** Null where another process with the same peer listens: then that one hands on. */
  static open(context: Context, mesh: Mesh): RelayPort | null {
    try {
      return new RelayPort(context, mesh)
    } catch (error) {
      if (error instanceof BoxError && error.code === 'ADDRESS_IN_USE') return null
      throw error
    }
  }

  private constructor(context: Context, mesh: Mesh) {
    this.context = context
    this.self = mesh.self
    const port = servicePort('room', context.ego().secret.zone)
    this.listening = mesh.listen(port, channel => void this.meet(channel))
  }

  add(place: Uint8Array, guest: PlaceGuest): void {
    this.rooms.set(`${place}`, guest)
  }

  remove(place: Uint8Array): void {
    this.rooms.delete(`${place}`)
  }

  close(): void {
    this.listening.close()
    this.rooms.clear()
  }

  private async meet(channel: Channel): Promise<void> {
    const { clock, random, log } = this.context
    if (this.handshakes >= HANDSHAKES_MAX) {
      channel.close()
      return
    }
    this.handshakes++
    try {
      const { secret: own } = this.context.ego()
      const session = await acceptHandshake(channel, {
        ...{ self: this.self, purpose: 'room', own, clock, random },
        admit: (zone, place) => this.admit(zone, place),
      })
      const link = { zone: session.peerZone, channel: session.channel }
      const guest = this.rooms.get(`${session.payload}`)
      if (guest) {
        log.note('info', 'rooms', 'handed on to', {
          peer: encodeBase32(link.channel.peer).slice(0, 4),
        })
        guest.accept(link)
      } else session.channel.close()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('info', 'rooms', 'not handed on to', { reason: error.code })
    } finally {
      this.handshakes--
    }
  }

  /** Who is not in the room does not learn that we are. */
  private admit(zone: ZoneKey, place: Uint8Array): Admission {
    const guest = this.rooms.get(`${place}`)
    const isMember = guest !== undefined && isListed(guest, zone)
    return isMember ? { payload: NOTHING } : { refused: 'NOT_PERMITTED' }
  }
}

/**
 * A channel to a member that hands on. Fails as `authenticate`, and with PEER_UNREACHABLE where the room does not list
 * it: whoever names it to us must not be able to have us prove ourselves to anybody.
 */
export async function dialMember(
  context: Context,
  { peer, zone }: TreeNode,
  guest: PlaceGuest,
  { place, hubs, signal: given }: DialOptions,
): Promise<Link> {
  const { clock, random } = context
  const mesh = await context.mesh()
  if (equalBytes(peer, mesh.self) || !isListed(guest, zone)) throw new BoxError('PEER_UNREACHABLE')
  const tooLate = new AbortController()
  const timer = clock.after(DIAL_MS, () => tooLate.abort(new BoxError('PEER_TIMEOUT')))
  const signal = AbortSignal.any([given, tooLate.signal])
  const near = mesh.status().neighbours.flatMap(one => (one.state === 'up' ? [one.peer] : []))
  const ways = new Map([...hubs, ...near].map(hub => [`${hub}`, hub]))
  const via = [...ways.values()].filter(hub => !equalBytes(hub, mesh.self)).slice(0, HUBS_MAX)
  try {
    const port = servicePort('room', zone)
    const channel = await mesh.connect(peer, port, { via: via.map(hub => [hub]), signal })
    const { secret: own } = context.ego()
    const session = await authenticate(channel, {
      ...{ self: mesh.self, purpose: 'room', own, device: zone, clock, random, signal },
      payload: place,
    })
    return { zone, channel: session.channel }
  } finally {
    timer.cancel()
  }
}

interface DialOptions {
  readonly place: Uint8Array
  /** Those of the host of the room: its members know them too. */
  readonly hubs: readonly PeerId[]
  readonly signal: AbortSignal
}

function isListed({ state }: PlaceGuest, zone: ZoneKey): boolean {
  const nym = zoneToText(zone)
  return membersIn(state).some(one => one.nym === nym)
}
