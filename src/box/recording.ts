/**
 * The recording of a session as its device keeps it, and as it travels: parts, each with the hash of the one
 * before it, each signed by the device's zone key. Nobody without that key can change a part, take one out, or
 * put one in; that the end is missing is seen, because the last part says that it is the last.
 *
 * In the stream each part has its length before it. The content of a part is compressed by whoever makes it:
 * lines of JSON, the first of them (in the first part) about the session, all others events of asciicast v2.
 */

import { concat, equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import type { ZoneKey } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import { sha256 } from '../crypto/hash.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, u32, u64, WireError } from '../wire/layout.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
export const RECORDING_SIGNATURE = 0xb0c5_0009
const VERSION = 1
const HASH_SIZE = 32
/** The time in milliseconds since 1970, so that ids are in the order of time, and two bytes of chance. */
const ID_SIZE = 8
const TIME_SIZE = 6
const LENGTH_SIZE = 4
/** A part as its length says; contents are made of some 32 KB, before they are compressed. */
export const PART_BYTES_MAX = 256 * 1_024
/** What is in a part, before it is compressed. */
export const CONTENT_BYTES_MAX = 512 * 1_024
/** Length, signature, and all of a part but its content. */
export const PART_HEAD_SIZE = 4 + SIGNATURE_SIZE + 2 + ZONE_SIZE + 8 + 4 + 2 + 8 + 32
const LAST = 1

const Part = struct('BOX_RECORDING_PART', {
  version: u16,
  device: bytes(ZONE_SIZE),
  recording: bytes(ID_SIZE),
  /** Counted from 0. */
  number: u32,
  flags: u16,
  /** Milliseconds since 1970, when it was signed. */
  at: u64,
  /** SHA-256 of the part before, without its signature; zeros in the first. */
  before: bytes(HASH_SIZE),
  content: rest,
})

const Signed = struct('BOX_SIGNED_RECORDING_PART', {
  signature: bytes(SIGNATURE_SIZE),
  part: rest,
})

export interface RecordingPart {
  readonly number: number
  readonly at: number
  readonly isLast: boolean
  readonly content: Uint8Array
}

/** What a recording is about: the first line of its first part. */
export interface RecordingAbout {
  /** How the person calls itself on the device, and its zone key as text. */
  readonly who: string
  readonly zone: string
  readonly what: RecordedKind
  /** The command line; empty for a shell and for files. */
  readonly detail: string
  readonly device: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  readonly columns: number
  readonly rows: number
  readonly term: string
  readonly shell: string
}

export const RECORDED_KINDS = ['shell', 'exec', 'files', 'job'] as const
export type RecordedKind = (typeof RECORDED_KINDS)[number]

/** `open`: it goes on. `cut`: its last part is not there, as after a power cut. */
export const RECORDING_STATES = ['open', 'whole', 'cut'] as const
export type RecordingState = (typeof RECORDING_STATES)[number]

/** One line of the list that a device gives. */
export interface RecordingEntry {
  readonly id: string
  readonly state: RecordingState
  readonly parts: number
  /** On the device's disk. */
  readonly bytes: number
  /** When its last part was signed, milliseconds since 1970. */
  readonly endedAt: number
  /** Null where its beginning cannot be read. */
  readonly about: RecordingAbout | null
}

/** Answers with a line of JSON for each recording, the oldest first. */
export const RECORDINGS_SUBSYSTEM = 'box-recordings'
/** With an id behind it: answers with the parts of that recording. */
export const RECORDING_SUBSYSTEM = 'box-recording:'

export function newRecordingId(now: number, random: Random): string {
  const raw = new Uint8Array(ID_SIZE)
  const view = new DataView(raw.buffer)
  view.setUint16(0, Math.floor(now / 2 ** 32))
  view.setUint32(2, now % 2 ** 32)
  raw.set(random.bytes(ID_SIZE - TIME_SIZE), TIME_SIZE)
  return encodeBase32(raw).toLowerCase()
}

/** 13 digits of base32, in lower case as we write them. */
export const isRecordingId = (text: string): boolean =>
  /^[0-9a-hjkmnp-tv-z]{12}[02468acegjmprtwy]$/.test(text)

/** When it began, by its name; milliseconds since 1970. */
export function recordingTime(id: string): number {
  const view = new DataView(idBytes(id).buffer)
  return view.getUint16(0) * 2 ** 32 + view.getUint32(2)
}

const idBytes = (id: string): Uint8Array => decodeBase32(id, ID_SIZE)

/** What a part is signed in: the state of a recording that is being made. */
export class RecordingSigner {
  private readonly own: ZoneSecret
  private readonly id: Uint8Array
  private number = 0
  private before: Uint8Array = new Uint8Array(HASH_SIZE)

  constructor(own: ZoneSecret, id: string) {
    this.own = own
    this.id = idBytes(id)
  }

  /** The next part, as it lies in the stream: with its length, and signed. */
  next(content: Uint8Array, { at, isLast }: { at: number; isLast: boolean }): Uint8Array {
    const part = Part.encode({
      version: VERSION,
      ...{ device: this.own.zone, recording: this.id, number: this.number, before: this.before },
      ...{ flags: isLast ? LAST : 0, at: BigInt(at), content },
    })
    const signed = Signed.encode({ signature: this.own.sign(RECORDING_SIGNATURE, part), part })
    this.number++
    this.before = sha256(part)
    const length = new Uint8Array(LENGTH_SIZE)
    new DataView(length.buffer).setUint32(0, signed.length)
    return concat(length, signed)
  }

  /** Of the last part: who has it notices any change of what is before it. */
  get head(): string {
    return encodeBase32(this.before)
  }

  get parts(): number {
    return this.number
  }
}

/** Reads the stream of one recording, and believes nothing that its device has not signed, all with one key. */
export class RecordingReader {
  /** Those it may be signed by; after the first part the one that it is. */
  private devices: readonly ZoneKey[]
  private readonly id: Uint8Array
  private pending: Uint8Array = new Uint8Array(0)
  private number = 0
  private before: Uint8Array = new Uint8Array(HASH_SIZE)
  private isOver = false

  /** `devices`: the zone of the device and those it had before. */
  constructor(devices: readonly ZoneKey[], id: string) {
    this.devices = devices
    this.id = idBytes(id)
  }

  /** The parts that are whole now. Throws SIGNATURE_INVALID, and is of no use afterwards. */
  take(piece: Uint8Array): RecordingPart[] {
    this.pending = concat(this.pending, piece)
    const parts: RecordingPart[] = []
    while (this.pending.length >= LENGTH_SIZE) {
      const view = new DataView(this.pending.buffer, this.pending.byteOffset)
      const end = LENGTH_SIZE + view.getUint32(0)
      if (end > LENGTH_SIZE + PART_BYTES_MAX) throw this.broken('is too long')
      if (this.pending.length < end) break
      parts.push(this.check(this.pending.subarray(LENGTH_SIZE, end)))
      this.pending = this.pending.slice(end)
    }
    return parts
  }

  /** Whether the last part has come, and nothing after it. */
  get isWhole(): boolean {
    return this.isOver && this.pending.length === 0
  }

  get parts(): number {
    return this.number
  }

  /** As RecordingSigner.head. */
  get head(): string {
    return encodeBase32(this.before)
  }

  private check(signed: Uint8Array): RecordingPart {
    if (this.isOver) throw this.broken('comes after the last one')
    const { part, device, fields } = this.decoded(signed)
    const { version, recording, number, flags, at, before, content } = fields
    if (version !== VERSION || !equalBytes(recording, this.id)) throw this.broken('is of another')
    if (number !== this.number || !equalBytes(before, this.before))
      throw this.broken('does not follow from the one before')
    this.number++
    this.devices = [device]
    this.before = sha256(part)
    this.isOver = (flags & LAST) !== 0
    return { number, at: Number(at), isLast: this.isOver, content: content.slice() }
  }

  private decoded(signed: Uint8Array) {
    try {
      const { signature, part } = Signed.decode(signed)
      const fields = Part.decode(part)
      const device = this.devices.find(one => equalBytes(one, fields.device))
      if (!device) throw this.broken('is by another device')
      if (!verifyZoneSignature(device, RECORDING_SIGNATURE, part, signature))
        throw this.broken('is not signed by the device')
      return { part, device, fields }
    } catch (error) {
      if (error instanceof WireError) throw this.broken('is of another kind', error)
      throw error
    }
  }

  private broken(how: string, cause?: unknown): BoxError {
    return new BoxError(
      'SIGNATURE_INVALID',
      `The recording is broken: part ${this.number + 1} ${how}.`,
      cause,
    )
  }
}

/** Where a part ends in its stream, and what it says of itself; nobody has looked at its signature. */
export interface PartHead {
  readonly size: number
  readonly at: number
  readonly isLast: boolean
}

/** From the first PART_HEAD_SIZE bytes of a part in its stream; null where that is none, or torn. */
export function readPartHead(raw: Uint8Array): PartHead | null {
  if (raw.length < PART_HEAD_SIZE) return null
  const size = LENGTH_SIZE + new DataView(raw.buffer, raw.byteOffset).getUint32(0)
  if (size < PART_HEAD_SIZE || size > LENGTH_SIZE + PART_BYTES_MAX) return null
  const { flags, at } = Part.decode(raw.subarray(LENGTH_SIZE + SIGNATURE_SIZE, PART_HEAD_SIZE))
  if (at > BigInt(Number.MAX_SAFE_INTEGER)) return null
  return { size, at: Number(at), isLast: (flags & LAST) !== 0 }
}

/** A line of the list. Throws STATE_UNEXPECTED. */
export function parseRecordingEntry(text: string): RecordingEntry {
  try {
    const said = JSON.parse(text) as Record<keyof RecordingEntry, unknown>
    const { id, state, parts, bytes: size, endedAt, about } = said
    if (typeof id !== 'string' || !isRecordingId(id)) throw new TypeError('no id')
    if (!RECORDING_STATES.includes(state as RecordingState)) throw new TypeError('no state')
    if (!isCount(parts) || !isCount(size) || !isCount(endedAt)) throw new TypeError('no number')
    const read = about === null ? null : aboutOf(about)
    return { id, state: state as RecordingState, parts, bytes: size, endedAt, about: read }
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The device gives no list of recordings.', cause)
  }
}

/** The first line of a recording. Throws STATE_UNEXPECTED. */
export function parseRecordingAbout(text: string): RecordingAbout {
  try {
    return aboutOf(JSON.parse(text))
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'The recording does not say what it is of.', cause)
  }
}

function aboutOf(value: unknown): RecordingAbout {
  const said = (value ?? {}) as Record<keyof RecordingAbout, unknown>
  const { what, startedAt, columns, rows } = said
  const text = (name: keyof RecordingAbout): string => {
    const given = said[name]
    if (typeof given !== 'string') throw new TypeError(`no ${name}`)
    return given
  }
  if (!RECORDED_KINDS.includes(what as RecordedKind)) throw new TypeError('no kind')
  if (!isCount(startedAt) || !isCount(columns) || !isCount(rows)) throw new TypeError('no number')
  return {
    ...{ who: text('who'), zone: text('zone'), what: what as RecordedKind },
    ...{ detail: text('detail'), device: text('device'), startedAt, columns, rows },
    ...{ term: text('term'), shell: text('shell') },
  }
}

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0

/** An event of asciicast v2: seconds since the beginning, its kind, its data. */
export type CastEvent = readonly [at: number, kind: CastKind, data: string]
/** Output, input, a marker, a new size `COLUMNSxROWS`. */
export type CastKind = 'o' | 'i' | 'm' | 'r'

/** An event as its line has it. Throws STATE_UNEXPECTED. */
export function parseCastEvent(line: string): CastEvent {
  try {
    const event: unknown = JSON.parse(line)
    if (!Array.isArray(event) || event.length !== 3) throw new TypeError('no event')
    const [at, kind, data] = event as unknown[]
    if (typeof at !== 'number' || !(at >= 0) || typeof data !== 'string')
      throw new TypeError('no time')
    if (kind !== 'o' && kind !== 'i' && kind !== 'm' && kind !== 'r') throw new TypeError('no kind')
    return [at, kind, data]
  } catch (cause) {
    throw new BoxError(
      'STATE_UNEXPECTED',
      'The recording has something in it that is no event.',
      cause,
    )
  }
}

/** The header of an asciicast v2 file. */
export const castHeader = (about: RecordingAbout): object => ({
  version: 2,
  width: about.columns,
  height: about.rows,
  timestamp: Math.floor(about.startedAt / 1_000),
  ...(about.detail && { command: about.detail }),
  title: `${about.what} of ${about.who} on ${about.device}`,
  env: { TERM: about.term, SHELL: about.shell },
})
