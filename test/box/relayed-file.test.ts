/** What is said to relays about files: only what can be is taken, whatever is said. */

import { describe, expect, test } from 'vitest'
import {
  readFrom,
  readLying,
  readRelayedFile,
  readTag,
  relayedPartSize,
} from '../../src/box/relayed-file.ts'
import { type FileOffer, relayTag } from '../../src/social/file-offer.ts'
import { encodePart, partsSize } from '../../src/social/file-part.ts'
import { CHUNK_SIZE, chunkCount, chunkSize, proofPlaces } from '../../src/social/file-tree.ts'
import { seededRandom } from '../sim/random.ts'

const random = seededRandom(5)
const offerOf = (size: number): FileOffer => ({
  ...{ name: 'plan.tar', size, root: random.bytes(32), key: random.bytes(32) },
})
const TAG = relayTag(offerOf(1))
const GOOD = { tag: TAG, count: 2, size: 61_440 + 256 }
const refused = expect.objectContaining({ code: 'PUSH_REFUSED' })

test.for([
  ...[0, 1, 100, 900, 16_000, CHUNK_SIZE - 1, CHUNK_SIZE, CHUNK_SIZE + 1, 5 * CHUNK_SIZE],
  ...[7 * CHUNK_SIZE + 3_900, 64 * CHUNK_SIZE + 15_700],
])('the parts of %i bytes have the sizes that are announced', size => {
  const offer = offerOf(size)
  const count = chunkCount(size)
  const announced = readRelayedFile({ tag: relayTag(offer), count, size: partsSize(offer) })
  for (const index of new Set([0, count >> 1, count - 1])) {
    const proof = proofPlaces(count, index).map(() => random.bytes(32))
    const part = encodePart(offer, { index, plain: random.bytes(chunkSize(size, index)), proof })
    expect(part).toHaveLength(relayedPartSize(announced, index))
  }
})

test('the tag is of the offer alone, and another one for each key', () => {
  const offer = offerOf(5)
  expect(relayTag({ ...offer, name: 'other' })).toBe(relayTag(offer))
  expect(relayTag({ ...offer, key: random.bytes(32) })).not.toBe(relayTag(offer))
  expect(readTag({ tag: relayTag(offer) })).toBe(relayTag(offer))
})

describe('what is no file is refused', () => {
  test.for([
    ...[{}, { tag: '' }, { tag: '../../../../../etc/shadow-x' }, { tag: TAG.toUpperCase() }],
    ...[{ tag: `${TAG}0` }, { tag: `${TAG.slice(1)}/` }, { tag: `${TAG.slice(1)}\n` }],
    ...[{ tag: 7 }, { tag: [TAG] }, { count: 0 }, { count: -1 }, { count: 1.5 }, { count: '2' }],
    ...[{ count: 1e12 }, { size: 255 }, { size: 61_440 }, { size: 3 * 61_440 }, { size: null }],
    ...[{ size: -256 }, { size: Number.POSITIVE_INFINITY }, { count: 1 }],
  ])('%j', change => {
    const body = Object.keys(change).length === 0 ? {} : { ...GOOD, ...change }
    expect(() => readRelayedFile(body)).toThrow(refused)
  })

  test('nor is a part, or what a relay says that it has', () => {
    expect(readRelayedFile(GOOD)).toEqual(GOOD)
    for (const from of [-1, 0.5, '0', null, 1e12, undefined])
      expect(() => readFrom({ from })).toThrow(refused)
    for (const said of [{ has: 3 }, { has: -1 }, { count: 'x' }, { until: -1 }, { until: 'soon' }])
      expect(() => readLying({ has: 1, count: 2, until: 5, ...said })).toThrow(
        expect.objectContaining({ code: 'STATE_UNEXPECTED' }),
      )
  })
})
