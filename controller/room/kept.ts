/** What is kept here of a room, read without going there: who was in it and what was said, as far as it came. */

import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import type { Message } from '../../src/psyc/channel.ts'
import { type ListedMember, membersIn } from '../../src/psyc/member-list.ts'
import { PlaceGuest } from '../../src/psyc/place-guest.ts'
import type { Context } from '../context.ts'
import type { KnownRoom } from './book.ts'
import { HISTORY_SIZE, MEMORY_NAME, RoomMemory } from './memory.ts'

const NOWHERE = peerId(new Uint8Array(32))

export interface KeptRoom {
  readonly members: readonly ListedMember[]
  readonly messages: readonly Message[]
}

/** Fails with STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED, NO_EGO. */
export async function keptRoom(context: Context, room: KnownRoom): Promise<KeptRoom> {
  const { clock, random, state } = context
  if (!RoomMemory.hasEntered(state, room)) return { members: [], messages: [] }
  const memory = await RoomMemory.open(state, room, random)
  const guest = new PlaceGuest({
    ...{ place: room.place, isDeniable: room.isDeniable, isLeaf: true },
    ...{ clock, random, historySize: HISTORY_SIZE },
    self: { peer: NOWHERE, zone: context.ego().secret.zone },
    host: { peer: NOWHERE, zone: room.device },
    ...{ store: memory.store, name: MEMORY_NAME, ledger: memory.ledger },
    request: { method: '_request_enter' },
    dial: () => Promise.reject(new BoxError('PEER_UNREACHABLE')),
    events: { entered: () => {}, refused: () => {}, said: () => {}, attached: () => {} },
  })
  try {
    return { members: membersIn(guest.state), messages: guest.messages({}) }
  } finally {
    guest.close()
  }
}
