/** The doors of recordings, as a device reads what lies on its disk and as an owner reads a device: see doors.ts. */

import { concat } from '../../src/base/bytes.ts'
import {
  newRecordingId,
  parseCastEvent,
  parseRecordingAbout,
  parseRecordingEntry,
  RECORDING_SIGNATURE,
  type RecordingAbout,
  RecordingReader,
  RecordingSigner,
  readPartHead,
} from '../../src/box/recording.ts'
import { parseOpenShell } from '../../src/box/watching.ts'
import { utf8 } from '../vectors.ts'
import { type ByteDoor, now, random, type TextDoor, zone } from './doors.ts'

const id = newRecordingId(now, random)
const signer = new RecordingSigner(zone, id)
const parts = [
  signer.next(utf8('one'), { at: now, isLast: false }),
  signer.next(utf8('two'), { at: now, isLast: true }),
]
const SIGNED_FROM = 4 + 64

/** As a device that has the key, and signs anything. */
const signedAnew = (part: Uint8Array): Uint8Array => {
  const signed = concat(zone.sign(RECORDING_SIGNATURE, part), part)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, signed.length)
  return concat(length, signed)
}

const about: RecordingAbout = {
  ...{ who: 'ada', zone: '000G', what: 'exec', detail: 'df -P /', device: 'hut' },
  ...{ startedAt: now, columns: 80, rows: 24, term: 'xterm', shell: '/bin/sh' },
}
const entry = { id, state: 'whole', parts: 2, bytes: 400, endedAt: now, about }

export const RECORDING_BYTE_DOORS: readonly ByteDoor[] = [
  {
    name: 'recording as it travels',
    of: [],
    right: [concat(...parts), parts[0]!],
    read: bytes => new RecordingReader([zone.zone], id).take(bytes),
    isSlow: true,
  },
  {
    name: 'part of a recording that a device signed',
    of: [],
    right: [parts[0]!.slice(SIGNED_FROM)],
    read: part => new RecordingReader([zone.zone], id).take(signedAnew(part)),
    isSlow: true,
  },
  {
    name: 'head of a part on the disk',
    of: ['readPartHead'],
    right: parts,
    read: bytes => readPartHead(bytes),
  },
]

export const RECORDING_TEXT_DOORS: readonly TextDoor[] = [
  {
    name: 'list of recordings',
    of: ['parseRecordingEntry'],
    right: [JSON.stringify(entry), JSON.stringify({ ...entry, about: null })],
    read: parseRecordingEntry,
  },
  {
    name: 'beginning of a recording',
    of: ['parseRecordingAbout'],
    right: [JSON.stringify(about)],
    read: parseRecordingAbout,
  },
  {
    name: 'shell that can be watched',
    of: ['parseOpenShell'],
    right: [
      `{"number":3,"who":"ada","program":"vim","startedAt":${now},"columns":80,"rows":24,"watchers":1}`,
    ],
    read: parseOpenShell,
  },
  {
    name: 'event of a recording',
    of: ['parseCastEvent'],
    right: ['[0,"o","x"]', '[1.5,"r","80x24"]', '[2,"m",""]', '[2.25,"i","\\u0003"]'],
    read: parseCastEvent,
  },
]
