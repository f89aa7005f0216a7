/**
 * Handing on what is said in rooms: a program that stays (`box up`) can be dialled by other members, who hang below it
 * in the tree of a room. Who may, is whom the room lists; whether its ticket is good, the tree looks at.
 */

import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { PeerId, ZoneKey } from '../../src/base/ids.ts'
import { type Admission, acceptHandshake, authenticate } from '../../src/box/handshake.ts'
import { servicePort } from '../../src/box/ports.ts'
import { type RoomAddress, roomService } from '../../src/box/room-address.ts'
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
  private readonly rooms = new Map<string, { readonly guest: PlaceGuest } & Mode>()
  private readonly listening: readonly Listening[]
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
    const { zone } = context.ego().secret
    this.listening = [false, true].map(isDeniable =>
      mesh.listen(
        servicePort(roomService({ isDeniable }), zone),
        channel => void this.meet(channel, { isDeniable }),
      ),
    )
  }

  add({ place, isDeniable }: RoomAddress, guest: PlaceGuest): void {
    this.rooms.set(`${place}`, { guest, isDeniable })
  }

  remove(place: Uint8Array): void {
    this.rooms.delete(`${place}`)
  }

  close(): void {
    for (const one of this.listening) one.close()
    this.rooms.clear()
  }

  private async meet(channel: Channel, mode: Mode): Promise<void> {
    const { clock, random, log } = this.context
    if (this.handshakes >= HANDSHAKES_MAX) {
      channel.close()
      return
    }
    this.handshakes++
    try {
      const { secret: own } = this.context.ego()
      const session = await acceptHandshake(channel, {
        ...{ self: this.self, purpose: roomService(mode), own, clock, random },
        admit: (zone, place) => this.admit(zone, place, mode),
      })
      const link = { zone: session.peerZone, channel: session.channel }
      const guest = this.rooms.get(`${session.payload}`)?.guest
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
  private admit(zone: ZoneKey, place: Uint8Array, { isDeniable }: Mode): Admission {
    const room = this.rooms.get(`${place}`)
    const isMember = room?.isDeniable === isDeniable && isListed(room.guest, zone)
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
  { place, isDeniable, hubs, signal: given }: DialOptions,
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
    const purpose = roomService({ isDeniable })
    const port = servicePort(purpose, zone)
    const channel = await mesh.connect(peer, port, { via: via.map(hub => [hub]), signal })
    const { secret: own } = context.ego()
    const session = await authenticate(channel, {
      ...{ self: mesh.self, purpose, own, device: zone, clock, random, signal },
      payload: place,
    })
    return { zone, channel: session.channel }
  } finally {
    timer.cancel()
  }
}

type Mode = Pick<RoomAddress, 'isDeniable'>

interface DialOptions extends Mode {
  readonly place: Uint8Array
  /** Those of the host of the room: its members know them too. */
  readonly hubs: readonly PeerId[]
  readonly signal: AbortSignal
}

function isListed({ state }: PlaceGuest, zone: ZoneKey): boolean {
  const nym = zoneToText(zone)
  return membersIn(state).some(one => one.nym === nym)
}
