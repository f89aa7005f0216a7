import { expect, test } from 'vitest'
import { concat } from '../../src/base/bytes.ts'
import {
  isRecordingId,
  newRecordingId,
  type RecordingPart,
  RecordingReader,
  RecordingSigner,
  recordingTime,
} from '../../src/box/recording.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { utf8 } from '../vectors.ts'

const random = seededRandom(4)
const NOW = 1_790_000_000_123
const device = ZoneSecret.generate('EDKEY', random)
const id = newRecordingId(NOW, random)

/** Three parts, the last of which says so. */
const partsOf = (own = device, recording = id): Uint8Array[] => {
  const signer = new RecordingSigner(own, recording)
  return ['one', 'two', 'three'].map((text, i) =>
    signer.next(utf8(text), { at: NOW + i, isLast: i === 2 }),
  )
}
const read = (...stream: Uint8Array[]): { parts: RecordingPart[]; reader: RecordingReader } => {
  const reader = new RecordingReader([device.zone], id)
  return { parts: stream.flatMap(piece => reader.take(piece)), reader }
}
const broken = expect.objectContaining({ code: 'SIGNATURE_INVALID' })

test('an id tells when, in the order of time, and is told from other words', () => {
  expect(isRecordingId(id)).toBe(true)
  expect(recordingTime(id)).toBe(NOW)
  expect(newRecordingId(NOW + 1, random) > id).toBe(true)
  for (const word of ['', 'kitchen', id.toUpperCase(), `${id}0`, `../${id.slice(3)}`])
    expect(isRecordingId(word), word).toBe(false)
})

test('all of a recording is read as it was signed, in whatever pieces it comes', () => {
  const whole = concat(...partsOf())
  for (const size of [1, 7, 100, whole.length]) {
    const pieces = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
      whole.slice(i * size, (i + 1) * size),
    )
    const { parts, reader } = read(...pieces)
    expect(parts.map(({ content }) => new TextDecoder().decode(content))).toEqual([
      ...['one', 'two', 'three'],
    ])
    expect(parts.map(({ at, isLast }) => [at - NOW, isLast])).toEqual([
      ...[
        [0, false],
        [1, false],
        [2, true],
      ],
    ])
    expect(reader.isWhole).toBe(true)
  }
})

test('the signer and a reader come to the same head', () => {
  const signer = new RecordingSigner(device, id)
  const stream = signer.next(utf8('one'), { at: NOW, isLast: true })
  expect(read(stream).reader.head).toBe(signer.head)
})

test('a cut end is seen, in the middle of a part and between two', () => {
  const [one, two, three] = partsOf() as [Uint8Array, Uint8Array, Uint8Array]
  expect(read(one, two).reader.isWhole).toBe(false)
  expect(read(one, two, three.slice(0, -1)).reader.isWhole).toBe(false)
})

test('no part can be changed, left out, said twice, put elsewhere, or come after the end', () => {
  const [one, two, three] = partsOf() as [Uint8Array, Uint8Array, Uint8Array]
  for (let at = 4; at < two.length; at++) {
    const changed = two.slice()
    changed[at]! ^= 1
    expect(() => read(one, changed, three), `byte ${at}`).toThrow(broken)
  }
  for (const stream of [
    [two, three],
    [one, three],
    [one, one],
    [two, one, three],
    [one, two, three, one],
  ])
    expect(() => read(...stream)).toThrow(broken)
})

test('parts of another recording, or of another device, are none of this one', () => {
  const other = newRecordingId(NOW, random)
  expect(() => read(...partsOf(device, other))).toThrow(broken)
  const stranger = ZoneSecret.generate('EDKEY', random)
  expect(() => read(...partsOf(stranger))).toThrow(broken)
})

test('what was signed with a key that the device had before is read, all of it with that one', () => {
  const before = ZoneSecret.generate('EDKEY', random)
  const zones = [device.zone, before.zone]
  const [one, two, three] = partsOf(before) as [Uint8Array, Uint8Array, Uint8Array]
  const reader = new RecordingReader(zones, id)
  expect([one, two, three].flatMap(part => reader.take(part))).toHaveLength(3)
  expect(reader.isWhole).toBe(true)
  // The other key may not take over in the middle.
  const signer = new RecordingSigner(before, id)
  const mixed = new RecordingReader(zones, id)
  mixed.take(signer.next(utf8('one'), { at: NOW, isLast: false }))
  Object.assign(signer, { own: device })
  const taken = signer.next(utf8('two'), { at: NOW, isLast: true })
  expect(() => mixed.take(taken)).toThrow(/is by another device/)
})

test('a length that no part has is not waited for', () => {
  expect(() => read(Uint8Array.of(255, 255, 255, 255))).toThrow(broken)
})
