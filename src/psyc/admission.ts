/** What the host of a place answers: to whoever wants to be let in, and to whoever wants something said. */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { peerId, zoneKey } from '../base/ids.ts'
import type { EdgeMessage, TreeNode } from './edge.ts'
import { TALKED } from './messages.ts'
import { PACKET_SIZE_MAX } from './packet.ts'
import type { Word } from './trust.ts'

/** What somebody is told whose words are not passed on. */
export function refusalOf(status: number): BoxError {
  switch (status) {
    case TALKED.stranger:
      return new BoxError('NOT_PERMITTED', 'You are not in this place.')
    case TALKED.tooFast:
      return new BoxError('TALK_TOO_FAST')
    case TALKED.tooLong:
      return new BoxError('INPUT_INVALID', 'That is too long for one message.')
    case TALKED.failed:
      return new BoxError('STATE_UNWRITABLE', 'The host of the place cannot write it down.')
    default:
      return new BoxError('NOT_PERMITTED', 'The place does not pass this on.')
  }
}

/** What the host says who lets us in. */
export interface Admission {
  /** The host's word on the chain; null where the place is provable. */
  readonly word: Word | null
  readonly value: {
    readonly id: bigint
    readonly startId: bigint
    readonly startHash: Uint8Array
    readonly first: bigint
    readonly generation: number
    readonly key: Uint8Array
    readonly ticket: Uint8Array
    readonly relays: readonly TreeNode[]
  }
  readonly state: Uint8Array
}

/** Collects an admission and the state behind it. False: refused. */
export class Entry {
  private word: Word | null = null
  private value: Admission['value'] | null = null
  private missing = 0
  private readonly parts: Uint8Array[] = []

  take(message: EdgeMessage): Admission | false | null {
    if (message.is === 'PLACE_REFUSED') return false
    if (message.is === 'PLACE_EPOCHS') this.word = wordOf(message.value)
    if (message.is === 'PLACE_ADMITTED') {
      const { snapshotSize, ...value } = message.value
      if (snapshotSize > PACKET_SIZE_MAX) throw new BoxError('LIMIT_EXCEEDED')
      this.missing = snapshotSize
      this.value = {
        ...value,
        startHash: value.startHash.slice(),
        key: value.key.slice(),
        ticket: value.ticket.slice(),
        relays: value.relays.map(({ peer, zone }) => ({
          peer: peerId(peer.slice()),
          zone: zoneKey(zone.slice()),
        })),
      }
    }
    if (message.is === 'PLACE_SNAPSHOT' && this.value) {
      this.parts.push(message.value.bytes.slice())
      this.missing -= message.value.bytes.length
      if (this.missing < 0) throw new BoxError('STATE_UNEXPECTED')
    }
    return this.value && this.missing === 0
      ? { value: this.value, word: this.word, state: concat(...this.parts) }
      : null
  }
}

/** The host's word, to keep. */
export const wordOf = (word: Word): Word => ({
  ...{ startId: word.startId, leaseMs: word.leaseMs },
  ...{ key: word.key.slice(), ticketKey: word.ticketKey.slice() },
  ends: word.ends.map(({ id, digest }) => ({ id, digest: digest.slice() })),
})
