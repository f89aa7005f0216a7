/** Files that are offered: the tree of hashes, the parts and their sizes, what an offer says, and what files are called. */

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { CELL_SIZES } from '../../src/psyc/padding.ts'
import { FILE_NAME_BYTES_MAX, safeFileName } from '../../src/social/file-name.ts'
import {
  type FileOffer,
  fileLabel,
  filePort,
  newFileKey,
  offerId,
  offerModifiers,
  readOffer,
} from '../../src/social/file-offer.ts'
import {
  encodeAsk,
  encodeGone,
  encodeHave,
  encodePart,
  openPart,
} from '../../src/social/file-part.ts'
import {
  CHUNK_SIZE,
  chunkCount,
  FILE_BYTES_MAX,
  HASH_SIZE,
  isBelow,
  leafHash,
  levelSizes,
  nodeHash,
  proofPlaces,
} from '../../src/social/file-tree.ts'
import { decodeSaying, encodeSaying } from '../../src/social/saying.ts'
import { seededRandom } from '../sim/random.ts'
import { utf8 } from '../vectors.ts'

const random = seededRandom(3)
const ada = ZoneSecret.generate('EDKEY', random)
const bob = ZoneSecret.generate('EDKEY', random)

/** All levels of the tree over these leaves. */
function levelsOver(leaves: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const levels = [leaves]
  for (let level = leaves; level.length > 1; levels.push(level))
    level = Array.from({ length: Math.ceil(level.length / 2) }, (_, i) =>
      2 * i + 1 < level.length ? nodeHash(level[2 * i]!, level[2 * i + 1]!) : level[2 * i]!,
    )
  return levels
}

/** The Merkle tree hash as RFC 6962 (2.1) defines it, by splitting at the largest power of two. */
function rootByRfc(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!
  let half = 1
  while (2 * half < leaves.length) half *= 2
  return nodeHash(rootByRfc(leaves.slice(0, half)), rootByRfc(leaves.slice(half)))
}

const proofIn = (levels: readonly (readonly Uint8Array[])[], index: number) =>
  proofPlaces(levels[0]!.length, index).map(({ level, at }) => levels[level]![at]!)

describe('the tree of a file', () => {
  test('has the root that RFC 6962 gives it, and a proof for every leaf, which is one for no other', () => {
    for (let count = 1; count <= 40; count++) {
      const leaves = Array.from({ length: count }, (_, i) => leafHash(Uint8Array.of(i)))
      const levels = levelsOver(leaves)
      expect(levels.map(level => level.length)).toEqual(levelSizes(count))
      const root = levels.at(-1)![0]!
      expect(root).toEqual(rootByRfc(leaves))
      for (let index = 0; index < count; index++) {
        const proof = proofIn(levels, index)
        expect(isBelow(root, leaves[index]!, { count, index, proof })).toBe(true)
        const other = (index + 1) % count
        if (other === index) continue
        expect(isBelow(root, leaves[other]!, { count, index, proof })).toBe(false)
        expect(isBelow(root, leaves[index]!, { count, index: other, proof })).toBe(false)
        expect(isBelow(root, leaves[index]!, { count, index, proof: proof.slice(1) })).toBe(false)
      }
    }
  })

  test('of the largest file has proofs that fit a part', () => {
    const places = proofPlaces(chunkCount(FILE_BYTES_MAX), 0)
    const offer = { name: 'x', size: FILE_BYTES_MAX, root: random.bytes(32), key: random.bytes(32) }
    const proof = places.map(() => random.bytes(HASH_SIZE))
    const part = encodePart(offer, { index: 0, plain: new Uint8Array(CHUNK_SIZE), proof })
    expect(part).toHaveLength(CELL_SIZES.at(-1)!)
  })
})

/** A file in memory, as an offer with the parts of it. */
function fileOf(content: Uint8Array) {
  const count = chunkCount(content.length)
  const chunks = Array.from({ length: count }, (_, i) =>
    content.subarray(i * CHUNK_SIZE, (i + 1) * CHUNK_SIZE),
  )
  const levels = levelsOver(chunks.map(leafHash))
  const root = levels.at(-1)![0]!
  const offer: FileOffer = { name: 'a.bin', size: content.length, root, key: newFileKey(random) }
  const part = (index: number) =>
    encodePart(offer, { index, plain: chunks[index]!, proof: proofIn(levels, index) })
  return { offer, count, part, chunks }
}

describe('a part', () => {
  test('is read by who was offered the file, whatever its size', () => {
    for (const size of [
      0,
      1,
      255,
      4_000,
      CHUNK_SIZE - 1,
      CHUNK_SIZE,
      CHUNK_SIZE + 1,
      5 * CHUNK_SIZE,
    ]) {
      const { offer, count, part, chunks } = fileOf(random.bytes(size))
      for (let index = 0; index < count; index++) {
        const read = openPart(offer, part(index))
        expect(read.index).toBe(index)
        expect(read.plain).toEqual(chunks[index])
      }
    }
  })

  test('that anything of was changed is none', () => {
    const { offer, part } = fileOf(random.bytes(CHUNK_SIZE + 300))
    const right = part(1)
    const sealedAt = 4 + 8 + 2 + HASH_SIZE + 4
    fc.assert(
      fc.property(fc.nat(sealedAt + 300 + 15), fc.integer({ min: 1, max: 255 }), (at, bits) => {
        const changed = right.slice()
        changed[at]! ^= bits
        expect(() => openPart(offer, changed)).toThrow()
      }),
      { seed: 1 },
    )
    expect(() => openPart({ ...offer, root: random.bytes(32) }, right)).toThrow(
      expect.objectContaining({ code: 'FILE_DAMAGED' }),
    )
    expect(() => openPart({ ...offer, key: random.bytes(32) }, right)).toThrow(
      expect.objectContaining({ code: 'FILE_DAMAGED' }),
    )
  })

  test('has one of few sizes, as all that is said about files', () => {
    for (const size of [0, 10, 1_000, 10_000, CHUNK_SIZE, 3 * CHUNK_SIZE + 5]) {
      const { count, part } = fileOf(random.bytes(size))
      for (let index = 0; index < count; index++) expect(CELL_SIZES).toContain(part(index).length)
    }
    for (const one of [encodeAsk(0), encodeAsk(2 ** 40), encodeGone(), encodeHave()])
      expect(one).toHaveLength(CELL_SIZES[0])
  })
})

describe('an offer', () => {
  const offer: FileOffer = {
    ...{ name: 'größe|1\t.tar', size: 5_000_000_000 },
    ...{
      root: random.bytes(32),
      key: Uint8Array.from({ length: 32 }, (_, i) => [10, 124, 0][i % 3]!),
    },
  }

  test('is read as it was said, and by older versions as a text', () => {
    const said = { ...offer, name: safeFileName(offer.name) }
    expect(readOffer(offerModifiers(offer))).toEqual(said)
    expect(decodeSaying(encodeSaying({ is: 'file', offer }))).toEqual({ is: 'file', offer: said })
    const without = utf8('\n_message_private_file\noffers a file: x (1 bytes)\n|\n')
    expect(decodeSaying(without)).toMatchObject({ is: 'text' })
  })

  test('with anything missing or too much is none', () => {
    const all = offerModifiers(offer)
    for (const one of all) expect(readOffer(all.filter(other => other !== one))).toBeNull()
    for (const size of ['', '-1', '1e3', `${FILE_BYTES_MAX + 1}`, '9'.repeat(20)]) {
      const changed = all.map(one =>
        one.name === '_amount_size_file' ? { ...one, value: utf8(size) } : one,
      )
      expect(readOffer(changed)).toBeNull()
    }
  })

  test('leads to another place for each that has the file, and each offer to others', () => {
    const again = { ...offer, key: random.bytes(32) }
    const all = [offer, again].flatMap(one => [
      offerId(one),
      ...[ada.zone, bob.zone].flatMap(zone => [fileLabel(one, zone), `${filePort(one, zone)}`]),
    ])
    expect(new Set(all).size).toBe(all.length)
  })
})

describe('what a file is called', () => {
  test.for([
    ['notes.txt', 'notes.txt'],
    ['../../etc/passwd', '_.._etc_passwd'],
    ['/etc/passwd', '_etc_passwd'],
    ['..', 'file'],
    ['.ssh', 'ssh'],
    ['', 'file'],
    [' . ', 'file'],
    ['a\nb\u001b[31m\u0000c\u202etxt', 'a_b_[31m_c_txt'],
    ['C:\\windows\\x.exe', 'C__windows_x.exe'],
    ['größe', 'größe'],
  ] as const)('%j becomes %j', ([given, name]) => {
    expect(safeFileName(given)).toBe(name)
  })

  test('is one name in one directory, whatever was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), text => {
        const name = safeFileName(text)
        expect(name).not.toMatch(/[/\\\p{Cc}]|^\.|^$/u)
        expect(utf8(name).length).toBeLessThanOrEqual(FILE_NAME_BYTES_MAX)
        expect(safeFileName(name)).toBe(name)
      }),
      { seed: 1, numRuns: 500 },
    )
  })
})
