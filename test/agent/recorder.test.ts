import { inflateRawSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from 'vitest'
import { Recorder, type RecorderOptions } from '../../agent/recorder.ts'
import type { Recording } from '../../agent/recording.ts'
import { entryOf } from '../../agent/recordings-service.ts'
import { silentLog } from '../../src/base/log.ts'
import { CONTENT_BYTES_MAX, RecordingReader } from '../../src/box/recording.ts'
import { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { seededRandom } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { type MemoryFiles, memoryFiles } from './memory-files.ts'

const DAY_MS = 24 * 3_600_000
const device = ZoneSecret.generate('EDKEY', seededRandom(3))
const person = ZoneSecret.generate('EDKEY', seededRandom(4))

let world: World
let files: MemoryFiles
let notes: string[]

beforeEach(() => {
  world = new World(1)
  files = memoryFiles()
  notes = []
})

const recorderWith = (some: Partial<RecorderOptions> = {}): Recorder =>
  new Recorder({
    ...{ files, device: { secret: device }, clock: world, random: world.random, log: silentLog },
    audit: { note: ({ what, detail, result }) => void notes.push(`${what} ${detail} ${result}`) },
    ...{ sizeMax: 100_000, ageMaxMs: 90 * DAY_MS, withInput: false, ...some },
  })

const begin = (recorder: Recorder, detail = ''): Recording =>
  recorder.begin({
    ...{ zone: person.zone, who: 'ada', what: detail ? 'exec' : 'shell', detail },
    ...{ deviceName: 'hut', shell: '/bin/sh', terminal: detail ? null : SCREEN },
  })
const SCREEN = { columns: 80, rows: 24, term: 'xterm' }

/** What no compression makes smaller, as text. */
const noise = (size: number) =>
  Buffer.from(Buffer.from(world.random.bytes(size)).toString('base64'))

describe('a recorder', () => {
  test('cuts a line that nobody needs whole, so that every part can be read', () => {
    const recorder = recorderWith({ sizeMax: 10_000_000 })
    const recording = begin(recorder)
    recording.say(`remove ${'\ufffd'.repeat(260_000)}`)
    recording.say('remove here')
    recording.end('exit 0')
    const reader = new RecordingReader([device.zone], recording.id)
    const text = files
      .list()
      .flatMap(({ name, size }) => reader.take(files.read(name, 0, size)))
      .map(({ content }) => inflateRawSync(content, { maxOutputLength: CONTENT_BYTES_MAX }))
      .join('')
    expect(text).toContain('(260007 characters)')
    expect(text).toContain('remove here')
  })

  test('has written that somebody is recorded before anything is done', () => {
    const recorder = recorderWith()
    const { id } = begin(recorder)
    expect(entryOf(recorder, id)).toMatchObject({
      ...{ id, state: 'open', parts: 1, about: { who: 'ada', what: 'shell', device: 'hut' } },
    })
    expect(notes).toEqual([`recording ${id} shell begun`])
  })

  test('writes what was shown two seconds later at most, and all of it at the end', () => {
    const recorder = recorderWith()
    const recording = begin(recorder)
    recording.take('output', Buffer.from('hello'))
    expect(entryOf(recorder, recording.id).parts).toBe(1)
    world.run(2_000)
    expect(entryOf(recorder, recording.id).parts).toBe(2)
    recording.take('output', Buffer.from('bye'))
    recording.end('exit 0')
    recording.take('output', Buffer.from('later'))
    const { state, parts } = entryOf(recorder, recording.id)
    expect({ state, parts }).toEqual({ state: 'whole', parts: 3 })
    expect(notes.at(-1)).toMatch(/^recording \S+ shell exit 0; 3 parts, [0-9A-Z]{52}$/)
  })

  test('refuses to begin where the disk is full, and leaves nothing', () => {
    const recorder = recorderWith()
    files.isFull = true
    expect(() => begin(recorder)).toThrow(expect.objectContaining({ code: 'STATE_UNWRITABLE' }))
    expect(recorder.ids()).toEqual([])
    expect(notes).toEqual([])
  })

  test('says at once where it cannot go on, and that stays to be seen', () => {
    const recorder = recorderWith()
    const recording = begin(recorder)
    let failures = 0
    recording.onFailure(() => failures++)
    recording.take('output', Buffer.from('hello'))
    files.isFull = true
    world.run(2_000)
    expect([failures, recording.fault?.code]).toEqual([1, 'STATE_UNWRITABLE'])
    recording.end('signal HUP')
    expect(entryOf(recorder, recording.id).state).toBe('cut')
    expect(notes.at(-1)).toMatch(/failed: STATE_UNWRITABLE; 2 parts/)
  })

  test('ends one that takes more than its share', () => {
    const recorder = recorderWith()
    const recording = begin(recorder)
    for (let i = 0; i < 10 && !recording.fault; i++) recording.take('output', noise(9_000))
    expect(recording.fault?.code).toBe('LIMIT_EXCEEDED')
    expect(recorder.sizeOf(recording.id)).toBeLessThanOrEqual(25_000)
  })

  test('lets the oldest whole ones go for new ones, never one that goes on, and says so', () => {
    const recorder = recorderWith()
    const still = begin(recorder)
    const done: string[] = []
    for (let i = 0; i < 12; i++) {
      world.run(1_000)
      const recording = begin(recorder)
      recording.take('output', noise(12_000))
      recording.end('exit 0')
      expect(recording.fault).toBeNull()
      done.push(recording.id)
    }
    const left = recorder.ids()
    const total = left.reduce((sum, id) => sum + recorder.sizeOf(id), 0)
    expect(total).toBeLessThanOrEqual(100_000)
    expect(left).toEqual([still.id, ...done.slice(1 - left.length)])
    expect([...files.content.keys()].toSorted()).toEqual([...left].toSorted())
    expect(notes.filter(note => note.includes('removed: no room'))).toHaveLength(
      12 - (left.length - 1),
    )
  })

  test('refuses where all the room is taken by what goes on', () => {
    const recorder = recorderWith({ sizeMax: 2_000 })
    const open = [begin(recorder), begin(recorder), begin(recorder)]
    expect(() => {
      for (let i = 0; i < 10; i++) open.push(begin(recorder))
    }).toThrow(/no room/)
  })

  test('lets go of what is too old by itself, and of nothing that goes on', () => {
    const recorder = recorderWith()
    const old = begin(recorder)
    old.end('exit 0')
    const open = begin(recorder)
    world.run(91 * DAY_MS)
    expect(recorder.ids()).toEqual([open.id])
    expect(notes.at(-1)).toBe(`recording ${old.id} removed: too old`)
    open.end('exit 0')
    recorder.close()
    expect(world.pending).toBe(0)
  })

  test('finds again what an earlier process has left, and tells what was cut off by its death', () => {
    const first = recorderWith()
    const whole = begin(first)
    whole.end('exit 0')
    world.run(1)
    const torn = begin(first)
    torn.take('output', Buffer.from('hello'))
    world.run(2_000)
    const bytes = files.content.get(torn.id)!
    files.content.set(torn.id, bytes.slice(0, -5))
    files.content.set('stranger.txt', new Uint8Array(5))
    const second = recorderWith()
    expect(second.ids().map(id => entryOf(second, id))).toMatchObject([
      { id: whole.id, state: 'whole', parts: 2 },
      { id: torn.id, state: 'cut', parts: 1 },
    ])
  })
})
