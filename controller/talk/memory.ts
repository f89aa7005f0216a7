/**
 * What this controller keeps of the talk with one person: what was said, what they have not said to have, and the keys
 * of what waits at relays. Several processes of one person share it: each change reads it again under the lock of the
 * state directory.
 *
 * What was said is noted with its number in one step, and only then written into the history; a process that dies in
 * between leaves that to the next one. So nothing is lost, and nothing is there twice.
 */

import { join } from 'node:path'
import { equalBytes } from '../../src/base/bytes.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { Journal } from '../../src/sys/journal.ts'
import type { SealedState } from './sealed-state.ts'
import {
  BEGINNING,
  type Said,
  saidJson,
  saidOf,
  type TalkState,
  talkJson,
  talkOf,
} from './talk-state.ts'

/** A year of talk with one person. */
const HISTORY_BYTES_MAX = 4 * 1_048_576
/** So much waits to be heard; whoever does not answer for so long is not told more. */
export const UNHEARD_MAX = 256
/** As many as ever wait at once, several times over. */
const SEEN_MAX = 4_096

export type Taken = 'new' | 'seen'

export class TalkMemory {
  private readonly sealed: SealedState
  private readonly name: string
  private readonly journalName: string

  constructor(sealed: SealedState, zone: ZoneKey) {
    this.sealed = sealed
    this.name = `talk-${sealed.idOf(zone)}`
    this.journalName = `${this.name}.log`
  }

  /** Throws STATE_UNREADABLE. */
  read(): TalkState {
    const value = this.sealed.read(this.name)
    if (value === null) return BEGINNING
    try {
      return talkOf(value)
    } catch (cause) {
      throw new BoxError('STATE_UNREADABLE', `The file ${this.name} is damaged.`, cause)
    }
  }

  /** Changes as soon as anything else does. */
  revision(): string {
    return [this.name, this.journalName].map(name => this.sealed.revision(name)).join()
  }

  /** Says something: noted, numbered, and to be heard. Fails with INPUT_INVALID where too much waits. */
  async say(packet: Uint8Array, now: number): Promise<number> {
    return await this.change(before => {
      if (before.unheard.length >= UNHEARD_MAX)
        throw new BoxError('INPUT_INVALID', `${UNHEARD_MAX} messages wait to be heard already.`)
      const number = Math.max(now, before.last + 1)
      const said: Said = { by: 'me', number, packet }
      const unheard = [...before.unheard, { number, packet, leftAt: null }]
      return [number, { ...before, last: number, unheard, pending: [said] }]
    })
  }

  /**
   * Takes what they said; `edit` says what else comes of it. Null as a packet: nothing for the history. What has been
   * taken is so when this resolves, whatever happens then.
   */
  async take(
    number: number,
    packet: Uint8Array | null,
    edit: (state: TalkState, taken: Taken) => TalkState,
  ): Promise<Taken> {
    return await this.change(before => {
      if (isSeen(before, number)) return ['seen', edit(before, 'seen')]
      const pending: Said[] = packet ? [{ by: 'them', number, packet }] : []
      const unread = before.unread + pending.length
      const seen = withSeen(before.seen, number)
      return ['new', edit({ ...before, seen, pending, unread }, 'new')]
    })
  }

  /** Notes in the history what has become known of them otherwise than by a letter. */
  async note(number: number, packet: Uint8Array): Promise<void> {
    await this.change(before => {
      const pending: Said[] = [{ by: 'them', number, packet }]
      return [undefined, { ...before, pending, unread: before.unread + 1 }]
    })
  }

  /** What goes to them and is for no history: they are told once that `key` of ours came after another one. */
  async announce(packet: Uint8Array, key: string, now: number): Promise<void> {
    if (this.read().announced === key) return
    await this.change(before => {
      if (before.announced === key) return [undefined, before]
      const number = Math.max(now, before.last + 1)
      const unheard = [...before.unheard, { number, packet, leftAt: null }]
      return [undefined, { ...before, last: number, unheard, announced: key }]
    })
  }

  /** Somebody has looked at what they said. */
  async markRead(): Promise<void> {
    if (this.read().unread === 0) return
    await this.change(before => [undefined, { ...before, unread: 0 }])
  }

  /** They have these. */
  async heard(numbers: readonly number[]): Promise<void> {
    if (!this.read().unheard.some(({ number }) => numbers.includes(number))) return
    await this.change(before => [undefined, without(before, numbers)])
  }

  /** What was said, the oldest first. */
  async history(): Promise<readonly Said[]> {
    return await this.sealed.state.exclusively(() => {
      const { pending } = this.read()
      return this.withJournal(journal => {
        const all = this.entries(journal)
        return [...all, ...missing(all, pending)]
      })
    })
  }

  /** Deletes all. */
  async forget(): Promise<void> {
    const { state } = this.sealed
    await state.exclusively(() => {
      for (const name of [this.name, this.journalName]) state.remove(name)
    })
  }

  /** One step: what comes of it, and what is to be kept. An equal state is not written again. */
  async change<T>(edit: (state: TalkState) => readonly [T, TalkState]): Promise<T> {
    return await this.sealed.state.exclusively(() => {
      const before = this.read()
      // What a process that died has noted, and perhaps not written.
      if (before.pending.length > 0)
        this.withJournal(journal => this.write(journal, before.pending))
      const settled = { ...before, pending: [] }
      const [result, after] = edit(settled)
      if (after === settled) return result
      this.sealed.write(this.name, talkJson(after))
      if (after.pending.length > 0) this.withJournal(journal => this.write(journal, after.pending))
      return result
    })
  }

  private write(journal: Journal, pending: readonly Said[]): void {
    for (const said of missing(this.tail(journal, pending.length), pending))
      journal.append(this.sealed.seal(this.journalName, saidJson(said)))
  }

  private tail(journal: Journal, count: number): readonly Said[] {
    return this.opened(journal.entries().slice(-count))
  }

  private entries(journal: Journal): readonly Said[] {
    return this.opened(journal.entries())
  }

  /** What is damaged is passed over: the rest is still worth reading. */
  private opened(values: readonly unknown[]): readonly Said[] {
    return values.flatMap(value => {
      try {
        return [saidOf(this.sealed.unseal(this.journalName, String(value)))]
      } catch (error) {
        if (error instanceof BoxError || error instanceof TypeError) return []
        throw error
      }
    })
  }

  private withJournal<T>(use: (journal: Journal) => T): T {
    const path = join(this.sealed.state.directory, this.journalName)
    const journal = new Journal(path, { sizeMax: HISTORY_BYTES_MAX, durable: false })
    try {
      return use(journal)
    } finally {
      journal.close()
    }
  }
}

export const without = (state: TalkState, numbers: readonly number[]): TalkState => ({
  ...state,
  unheard: state.unheard.filter(({ number }) => !numbers.includes(number)),
})

const missing = (there: readonly Said[], wanted: readonly Said[]): readonly Said[] =>
  wanted.filter(one => !there.some(other => isSame(one, other)))

const isSame = (a: Said, b: Said): boolean =>
  a.by === b.by && a.number === b.number && equalBytes(a.packet, b.packet)

const isSeen = ({ seen: { floor, numbers } }: TalkState, number: number): boolean =>
  number <= floor || numbers.includes(number)

/** Beyond the most that is remembered, all up to the oldest counts as seen: never forgotten, never taken again. */
function withSeen({ floor, numbers }: TalkState['seen'], number: number): TalkState['seen'] {
  const all = [...numbers, number].toSorted((a, b) => a - b)
  const over = Math.max(0, all.length - SEEN_MAX)
  return { floor: over > 0 ? all[over - 1]! : floor, numbers: all.slice(over) }
}
