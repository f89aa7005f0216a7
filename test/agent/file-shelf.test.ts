/** Files at a relay for people who are away: bounded, gone on with, and nobody else's. */

import { beforeEach, describe, expect, test } from 'vitest'
import { FileShelf, type KeptFile, lyingOf } from '../../agent/file-shelf.ts'
import { MailShelf } from '../../agent/mail-shelf.ts'
import { concat, equalBytes } from '../../src/base/bytes.ts'
import { memoryStore } from '../../src/base/store.ts'
import type { RelayedFile } from '../../src/box/relayed-file.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { type MemoryFiles, memoryFiles } from './memory-files.ts'

const MIB = 1_048_576
const DAY_MS = 86_400_000
const PART = 61_440
const random = seededRandom(7)
const [owner, other] = [1, 2].map(() => ZoneSecret.generate('EDKEY', random).zone) as [
  ReturnType<typeof ZoneSecret.generate>['zone'],
  ReturnType<typeof ZoneSecret.generate>['zone'],
]
const [drop, second, third, theirs] = Array.from({ length: 4 }, () => random.bytes(32)) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]
const card = random.bytes(40)
const tagOf = (number: number) => `${number}`.padStart(26, '0')
/** A file of so many full parts and one of 256 bytes. */
const fileOf = (number: number, full: number): RelayedFile => ({
  tag: tagOf(number),
  count: full + 1,
  size: full * PART + 256,
})
const PARTS = [random.bytes(PART), random.bytes(PART), random.bytes(256)]
const refusal = (code: string, detail?: string) =>
  expect.objectContaining({ code, ...(detail && { detail: expect.stringContaining(detail) }) })

let now: number
let mail: MailShelf
let disk: MemoryFiles
let shelf: FileShelf

beforeEach(() => {
  now = 1_000
  mail = new MailShelf(memoryStore(), () => now)
  mail.setMailbox(
    owner,
    [drop, second, third].map(one => ({ drop: one, card })),
  )
  mail.setMailbox(other, [{ drop: theirs, card }])
  disk = memoryFiles()
  shelf = new FileShelf({ files: disk, mail, now: () => now, bytesMax: 4 * MIB })
})

const bring = (kept: KeptFile, parts: readonly Uint8Array[]) => {
  const pen = shelf.write(kept)
  for (const part of parts) pen.append(part)
  pen.close()
}

test('what came part by part is handed to whose drop it is, over a restart, and to nobody else', () => {
  bring(shelf.begin(drop, fileOf(1, 2)), PARTS.slice(0, 1))
  const again = new FileShelf({ files: disk, mail, now: () => now, bytesMax: 4 * MIB })
  const kept = again.begin(drop, fileOf(1, 2))
  expect(lyingOf(kept)).toEqual({ has: 1, count: 3, until: 1_000 + 14 * DAY_MS })
  bring(kept, PARTS.slice(1))
  const whole = shelf.findFor(owner, tagOf(1))!
  expect(whole.has).toBe(3)
  expect(PARTS.every((part, i) => equalBytes(shelf.part(whole, i), part))).toBe(true)
  expect(shelf.findFor(other, tagOf(1))).toBeNull()
  expect(shelf.find(second, tagOf(1))).toBeNull()
  expect(shelf.find(drop, tagOf(2))).toBeNull()
  shelf.remove(whole)
  expect(disk.content.size).toBe(0)
  expect(() => shelf.part(whole, 0)).toThrow(refusal('PUSH_REFUSED'))
})

test('what a killed relay has left of a part is written anew', () => {
  bring(shelf.begin(drop, fileOf(1, 2)), PARTS.slice(0, 1))
  const [[name, bytes]] = [...disk.content] as [[string, Uint8Array]]
  disk.content.set(name, concat(bytes, random.bytes(PART + 5)))
  // One part more than was written, and a torn one: the first may be right, and whoever reads it can tell.
  const kept = shelf.find(drop, tagOf(1))!
  expect(kept.has).toBe(2)
  bring(kept, PARTS.slice(2))
  expect(shelf.find(drop, tagOf(1))!.has).toBe(3)
})

test('parts that do not fit are refused, and another file under the same tag', () => {
  const kept = shelf.begin(drop, fileOf(1, 2))
  const pen = shelf.write(kept)
  expect(() => pen.append(random.bytes(256))).toThrow(refusal('PUSH_REFUSED'))
  for (const part of PARTS) pen.append(part)
  expect(() => pen.append(PARTS[2]!)).toThrow(refusal('PUSH_REFUSED'))
  expect(() => shelf.begin(drop, fileOf(1, 3))).toThrow(refusal('PUSH_REFUSED'))
})

test('whoever goes on with a file ends who was at it before; nor does that go on once it is removed', () => {
  const first = shelf.write(shelf.begin(drop, fileOf(1, 2)))
  first.append(PARTS[0]!)
  const later = shelf.write(shelf.find(drop, tagOf(1))!)
  expect(() => first.append(PARTS[1]!)).toThrow(refusal('PUSH_REFUSED'))
  first.close()
  later.append(PARTS[1]!)
  shelf.remove(shelf.find(drop, tagOf(1))!)
  expect(() => later.append(PARTS[2]!)).toThrow(refusal('PUSH_REFUSED'))
  expect(disk.content.size).toBe(0)
})

test('what is not on the disk yet is never much', () => {
  bring(
    shelf.begin(drop, fileOf(1, 33)),
    Array.from({ length: 33 }, () => PARTS[0]!),
  )
  expect(disk.synced).toEqual([16 * PART, 32 * PART])
})

describe('what is too much is refused before it comes, with the limit', () => {
  /** 1.2 MiB each. */
  const LARGE = 20
  const full = (detail: string) => refusal('RELAY_REFUSED', detail)

  test('of one writer, for one person, in all: each leaves room for the others', () => {
    shelf.begin(drop, fileOf(1, LARGE))
    expect(() => shelf.begin(drop, fileOf(2, LARGE))).toThrow(
      full('It keeps 2 MiB of one writer for one person at most. 1.2 MiB lie there already.'),
    )
    shelf.begin(second, fileOf(3, LARGE))
    expect(() => shelf.begin(third, fileOf(4, LARGE))).toThrow(full('3 MiB for one person'))
    shelf.begin(theirs, fileOf(5, LARGE))
    expect(() => shelf.begin(theirs, fileOf(6, 10))).toThrow(full('4 MiB in all'))
    expect(disk.content.size).toBe(3)
  })

  test('and of small ones, by their number', () => {
    for (let i = 0; i < 16; i++) shelf.begin(drop, fileOf(i, 0))
    expect(() => shelf.begin(drop, fileOf(16, 0))).toThrow(full('16 files'))
    shelf.begin(second, fileOf(16, 0))
  })

  test('and where the disk has no room, now or in the middle', () => {
    disk.freeBytes = 16 * MIB + 30 * PART
    shelf.begin(drop, fileOf(1, LARGE))
    // What was promised to the first is not there for the second.
    expect(() => shelf.begin(second, fileOf(2, LARGE))).toThrow(full('no room on its disk'))
    const pen = shelf.write(shelf.find(drop, tagOf(1))!)
    pen.append(PARTS[0]!)
    disk.isFull = true
    expect(() => pen.append(PARTS[1]!)).toThrow(full('Its disk takes nothing more.'))
  })

  test('and of transfers at once, of which the oldest of a writer ends', () => {
    const pens = [1, 2, 3].map(number => shelf.write(shelf.begin(drop, fileOf(number, 1))))
    expect(() => pens[0]!.append(PARTS[0]!)).toThrow(refusal('PUSH_REFUSED'))
    pens[1]!.append(PARTS[0]!)
    pens[2]!.append(PARTS[0]!)
    for (const pen of pens) pen.close()
  })
})

test('after two weeks it is gone; and what lies in a drop that was closed, at once', () => {
  shelf.begin(drop, fileOf(1, 2))
  now += 15 * DAY_MS
  expect(shelf.findFor(owner, tagOf(1))).toBeNull()
  shelf.tidy()
  expect(disk.content.size).toBe(0)
  shelf.begin(drop, fileOf(1, 2))
  expect(() => shelf.begin(random.bytes(32), fileOf(2, 2))).toThrow(refusal('PUSH_REFUSED'))
  mail.setMailbox(owner, [{ drop: second, card }])
  shelf.tidy()
  expect(disk.content.size).toBe(0)
})

test('what one key kept here, the key that came after it keeps', () => {
  shelf.begin(drop, fileOf(1, 2))
  const after = ZoneSecret.generate('EDKEY', random).zone
  mail.succeed(owner, after)
  shelf.tidy()
  expect(shelf.findFor(after, tagOf(1))).not.toBeNull()
  expect(shelf.findFor(owner, tagOf(1))).toBeNull()
})

test('of other files in the folder nothing is made', () => {
  for (const name of ['x', 'a-b-c', 'a-b-1-2-x', '.hidden', 'a-b-1-2-3-4'])
    disk.content.set(name, random.bytes(5))
  shelf.begin(drop, fileOf(1, 0))
  now += 15 * DAY_MS
  shelf.tidy()
  expect(disk.content.size).toBe(5)
})
