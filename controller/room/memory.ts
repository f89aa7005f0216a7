/**
 * What this controller keeps of a room: the keys, what was said, and how far it was shown. Several processes of
 * one person read along at once: each works on a copy, and what it has learnt is put together with what others
 * wrote meanwhile, under the lock of the state directory. All of them read the same chain, so whoever has come
 * further is right.
 */

import { join } from 'node:path'
import type { Random } from '../../src/base/random.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import type { RoomAddress } from '../../src/box/room-address.ts'
import { GENERATIONS_MAX } from '../../src/psyc/group-key.ts'
import { History, type Ledger, memoryLedger } from '../../src/psyc/history.ts'
import { type Memory, readMemory, writeMemory } from '../../src/psyc/memory.ts'
import { Journal } from '../../src/sys/journal.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { State } from '../state.ts'
import { RoomBook } from './book.ts'

/** As much as its host keeps (agent/room.ts). */
export const HISTORY_SIZE = 1_048_576
const LEDGER_SIZE = 4 * HISTORY_SIZE
const KEY_SIZE = 32
/** Times as many entries as are of use, then the others are dropped. */
const LEDGER_TO_HISTORY = 2
/** Of the memory in the stores of guests. */
export const MEMORY_NAME = 'room'

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** The room of which it is. */
export type Kept = Pick<RoomAddress, 'place' | 'isDeniable'>

export class RoomMemory {
  readonly store: Store
  readonly ledger: Ledger
  /** The last message that was shown, as far as this process knows. */
  seen: bigint
  private readonly state: State
  private readonly room: Kept

  private constructor(state: State, room: Kept, store: Store, ledger: Ledger, seen: bigint) {
    this.state = state
    this.room = room
    this.store = store
    this.ledger = ledger
    this.seen = seen
  }

  /**
   * A copy of what is kept. The first time, the secret to which keys are sealed is made and written down, so that
   * all processes have the same one. Fails with STATE_UNREADABLE, STATE_UNWRITABLE, STATE_LOCKED.
   */
  static async open(state: State, room: Kept, random: Random): Promise<RoomMemory> {
    return await state.exclusively(() => {
      const names = namesOf(room)
      const store = memoryStore()
      const text = state.readText(names.memory) ?? beginning(random)
      store.set(MEMORY_NAME, encoder.encode(text))
      readMemory(store, MEMORY_NAME)
      if (state.readText(names.memory) === null) state.writeText(names.memory, text)
      const ledger = memoryLedger()
      ledger.rewrite(withJournal(state, room, journal => journal.entries()))
      return new RoomMemory(state, room, store, ledger, seenIn(state.readText(names.seen)))
    })
  }

  /** Whether we ever were in the room, for all that is kept of it. */
  static hasEntered(state: State, room: Kept): boolean {
    const text = state.readText(namesOf(room).memory)
    if (text === null) return false
    const store = memoryStore()
    store.set(MEMORY_NAME, encoder.encode(text))
    return (readMemory(store, MEMORY_NAME)?.keys.length ?? 0) > 0
  }

  /** Deletes what is kept of a room. */
  static async forget(state: State, room: Kept): Promise<void> {
    await state.exclusively(() => {
      for (const name of Object.values(namesOf(room))) state.remove(name)
    })
  }

  /** Puts together what this process has and what is written down. A room that was left meanwhile stays so. */
  async save(): Promise<void> {
    const { state, room } = this
    await state.exclusively(() => {
      if (!new RoomBook(state).find(room.place)) return
      const { memory, seen } = namesOf(room)
      const before = state.readText(memory)
      const text = this.mergedText(before)
      // The keys first: what was said is of no use without them, and is fetched again.
      if (text !== before) state.writeText(memory, text)
      withJournal(state, room, journal => this.mergeInto(journal))
      if (this.seen > seenIn(state.readText(seen))) state.writeText(seen, `${this.seen}\n`)
    })
  }

  /** Who stays for months keeps no more in memory than for hours. */
  private trim(mine: History): void {
    const kept = [...mine.from(mine.first)].map(({ raw }) => encodeBase32(raw))
    const isLong = this.ledger.entries().length > LEDGER_TO_HISTORY * kept.length
    if (kept.length > 0 && isLong) this.ledger.rewrite(kept)
  }

  private mergedText(before: string | null): string {
    const disk = memoryStore()
    if (before !== null) disk.set(MEMORY_NAME, encoder.encode(before))
    const mine = readMemory(this.store, MEMORY_NAME)!
    const merged = together(readMemory(disk, MEMORY_NAME), mine)
    writeMemory(disk, MEMORY_NAME, merged)
    return decoder.decode(disk.get(MEMORY_NAME)!)
  }

  private mergeInto(journal: Journal): void {
    const there = new History(this.room.place, journal, HISTORY_SIZE)
    const mine = new History(this.room.place, this.ledger, HISTORY_SIZE)
    this.trim(mine)
    if (there.head.id >= mine.head.id) return
    if (there.head.id + 1n < mine.first) journal.rewrite(this.ledger.entries())
    else for (const fragment of mine.from(there.head.id + 1n)) there.append(fragment)
  }
}

/** The keys of both; of all else what is later. */
export function together(disk: Memory | null, mine: Memory): Memory {
  if (!disk) return mine
  const keys = new Map([...disk.keys, ...mine.keys])
  const newest = [...keys].toSorted(([a], [b]) => a - b).slice(-GENERATIONS_MAX)
  return {
    ...mine,
    keys: newest,
    snapshot: disk.snapshot.id > mine.snapshot.id ? disk.snapshot : mine.snapshot,
    agreement: disk.agreement ?? mine.agreement,
    ticket: mine.ticket ?? disk.ticket,
  }
}

const namesOf = ({ place, isDeniable }: Kept) => {
  const memory = `${isDeniable ? 'deniable-' : ''}room-${encodeBase32(place)}`
  return { memory, ledger: `${memory}.log`, seen: `${memory}.seen` }
}

function withJournal<T>({ directory }: State, room: Kept, use: (journal: Journal) => T): T {
  const journal = new Journal(join(directory, namesOf(room).ledger), {
    sizeMax: LEDGER_SIZE,
    durable: false,
  })
  try {
    return use(journal)
  } finally {
    journal.close()
  }
}

function beginning(random: Random): string {
  const store = memoryStore()
  writeMemory(store, MEMORY_NAME, {
    ...{ keys: [], snapshot: { id: 0n, state: new Uint8Array(0) } },
    ...{ members: [], nextSerial: 0n, revoked: [], ticket: null },
    agreement: random.bytes(KEY_SIZE),
  })
  return decoder.decode(store.get(MEMORY_NAME)!)
}

/** What is damaged counts as nothing: then some of what was shown is shown again. */
const seenIn = (text: string | null): bigint =>
  /^\d{1,19}\n$/.test(text ?? '') ? BigInt(text!) : 0n
