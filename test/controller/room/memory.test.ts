/** What is kept of a room by several processes at once: nobody takes back what another has learnt. */

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { RoomBook } from '../../../controller/room/book.ts'
import { MEMORY_NAME, RoomMemory } from '../../../controller/room/memory.ts'
import { directoryState, type State } from '../../../controller/state.ts'
import { SigningKey } from '../../../src/crypto/signing.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import {
  BEGINNING,
  type Fragment,
  type Head,
  KIND,
  makeFragment,
} from '../../../src/psyc/fragment.ts'
import { History, type Ledger } from '../../../src/psyc/history.ts'
import { type Memory, readMemory, writeMemory } from '../../../src/psyc/memory.ts'
import { systemClock } from '../../../src/sys/clock.ts'
import { encodeBase32 } from '../../../src/wire/base32.ts'
import { seededRandom } from '../../sim/random.ts'

const random = seededRandom(3)
const key = SigningKey.fromSeed(random.bytes(32))
const place = key.publicKey
const room = { place, isDeniable: false }
let directory: string
let state: State

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'box-room-'))
  state = directoryState(directory, systemClock)
  const { zone: device } = ZoneSecret.generate('EDKEY', random)
  await new RoomBook(state).add({ ...room, name: 'ops', device, last: null })
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const open = () => RoomMemory.open(state, room, random)

/** The chain of the place, up to a number. */
function* chain(last: number): Generator<Fragment> {
  let head: Head = BEGINNING
  for (let i = 1; i <= last; i++) {
    const fragment = makeFragment(key, {
      ...{ id: head.id + 1n, kind: KIND.content, generation: 1, previous: head.hash },
      body: new Uint8Array(100).fill(i),
    })
    head = fragment
    yield fragment
  }
}

function grow(ledger: Ledger, last: number): void {
  const history = new History(place, ledger)
  for (const fragment of chain(last)) if (fragment.id > history.head.id) history.append(fragment)
}

function learn({ store }: RoomMemory, some: Partial<Memory>): void {
  writeMemory(store, MEMORY_NAME, { ...readMemory(store, MEMORY_NAME)!, ...some })
}

const memoryOf = ({ store }: RoomMemory): Memory => readMemory(store, MEMORY_NAME)!
const lastOf = ({ ledger }: RoomMemory): bigint => new History(place, ledger).head.id
const keyOf = (fill: number) => new Uint8Array(32).fill(fill)

test('all processes have the secret of the first', async () => {
  const [a, b] = [await open(), await open()]
  expect(memoryOf(a).agreement).toEqual(memoryOf(b).agreement)
})

test('whoever is behind adds nothing and takes nothing away', async () => {
  const [a, b] = [await open(), await open()]
  grow(a.ledger, 10)
  grow(b.ledger, 6)
  const none = new Uint8Array(0)
  learn(a, {
    keys: [
      [1, keyOf(1)],
      [2, keyOf(2)],
    ],
    snapshot: { id: 10n, state: none },
  })
  learn(b, { keys: [[3, keyOf(3)]], snapshot: { id: 6n, state: none }, ticket: keyOf(9) })
  a.seen = 10n
  b.seen = 4n
  await a.save()
  await b.save()
  const kept = await open()
  expect(lastOf(kept)).toBe(10n)
  expect(kept.seen).toBe(10n)
  const { keys, snapshot, ticket } = memoryOf(kept)
  expect(keys.map(([generation]) => generation)).toEqual([1, 2, 3])
  expect([snapshot.id, ticket]).toEqual([10n, keyOf(9)])
})

test('what was said is added where the other stopped, and begun anew over a gap', async () => {
  const [a, b, late] = [await open(), await open(), await open()]
  grow(a.ledger, 3)
  await a.save()
  grow(b.ledger, 5)
  await b.save()
  expect(lastOf(await open())).toBe(5n)
  const all = [...chain(20)]
  const history = new History(place, late.ledger)
  history.begin(all[14]!)
  for (const fragment of all.slice(15)) history.append(fragment)
  await late.save()
  const kept = await open()
  expect([lastOf(kept), new History(place, kept.ledger).first]).toEqual([20n, 16n])
})

test('a room that was left is not brought back by a process that is late', async () => {
  const late = await open()
  grow(late.ledger, 3)
  await new RoomBook(state).remove(place)
  await RoomMemory.forget(state, room)
  await late.save()
  expect(readdirSync(directory).filter(name => name.startsWith('room-'))).toEqual([])
})

test('a damaged history is what was good of it, a damaged memory is told', async () => {
  const a = await open()
  grow(a.ledger, 3)
  await a.save()
  const file = join(directory, `room-${encodeBase32(place)}`)
  writeFileSync(`${file}.log`, 'what is this\n')
  writeFileSync(`${file}.seen`, 'x')
  const kept = await open()
  expect([lastOf(kept), kept.seen]).toEqual([0n, 0n])
  writeFileSync(file, '{')
  await expect(open()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
})
