/**
 * The recordings of a device: begins them, keeps them within bounds of size and age, lists them and hands them
 * out. The oldest whole ones make room for new ones; one that goes on is never removed, and ends where it has
 * had its share. What is begun, ended and removed stands in the audit journal.
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import {
  isRecordingId,
  newRecordingId,
  type RecordedKind,
  RecordingSigner,
  recordingTime,
} from '../src/box/recording.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { GrowingFile, GrowingFiles } from '../src/sys/growing-files.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { DeviceKeys } from './device-keys.ts'
import { type Keeping, Recording } from './recording.ts'

/** One recording has at most this part of all: nobody pushes out what all others did with one session. */
const SHARE = 4
/** Files of a folder that is read as a whole; each is a session. */
const COUNT_MAX = 4_096
const LOOK_EVERY_MS = 6 * 3_600_000

export interface RecorderOptions {
  readonly files: GrowingFiles
  readonly device: Pick<DeviceKeys, 'secret'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly audit: Pick<AuditNotes, 'note'>
  /** Of all recordings together, in bytes. */
  readonly sizeMax: number
  readonly ageMaxMs: number
  /** Whether what is typed is kept as well. */
  readonly withInput: boolean
}

/** What is about to be recorded. */
export interface Recorded {
  readonly zone: ZoneKey
  readonly who: string
  readonly what: RecordedKind
  readonly detail: string
  /** How its owner calls the device. */
  readonly deviceName: string
  readonly shell: string
  /** Null without one. */
  readonly terminal: {
    readonly columns: number
    readonly rows: number
    readonly term: string
  } | null
}

/** What is shown where nobody has a terminal: asciicast wants one. */
const PLAIN = { columns: 80, rows: 24, term: 'dumb' }
/** A terminal without a size, as a script has it, is one of this size. */
const sizeOr = (wanted: number, otherwise: number) =>
  Number.isInteger(wanted) && wanted > 0 ? wanted : otherwise

/**
 * Programs that carry files over their streams: of these, sums stand in the place of contents. Plain words only, so
 * that nothing else hides behind them.
 */
const CARRIERS =
  /^(?:\/\S*\/)?(?:scp(?: -[a-zA-Z]+)* -[a-zA-Z]*[tf][a-zA-Z]*|rsync --server)(?: [\w@%+=:,./ -]*)?$/

export class Recorder {
  private readonly options: RecorderOptions
  /** By id, so the oldest first: bytes of each. */
  private readonly sizes: Map<string, number>
  private readonly open = new Set<string>()
  private timer: Timer | null = null

  /** Throws STATE_UNREADABLE. */
  constructor(options: RecorderOptions) {
    this.options = options
    const found = options.files.list().filter(({ name }) => isRecordingId(name))
    this.sizes = new Map(found.map(({ name, size }) => [name, size]))
    this.look()
  }

  /** Throws BoxError where nothing can be recorded: then the session must not be. */
  begin({ zone, terminal, ...said }: Recorded): Recording {
    const { clock, random, device, files, withInput } = this.options
    this.review()
    const id = this.newId(clock.now(), random)
    const { columns, rows, term } = terminal ?? PLAIN
    const about = {
      ...{ who: said.who, zone: zoneToText(zone), what: said.what, detail: said.detail },
      ...{ device: said.deviceName, startedAt: clock.now(), term, shell: said.shell },
      ...{ columns: sizeOr(columns, PLAIN.columns), rows: sizeOr(rows, PLAIN.rows) },
    }
    const signer = new RecordingSigner(device.secret, id)
    const file = files.create(id)
    this.sizes.set(id, 0)
    this.open.add(id)
    const note = (result: string) =>
      this.note(zone, `${id} ${said.what}${said.detail && `: ${said.detail}`}`, result)
    const sink = {
      append: (bytes: Uint8Array, isLast: boolean) => this.append(id, file, bytes, isLast),
      close: (result: string) => {
        file.close()
        this.open.delete(id)
        note(`${result}; ${signer.parts} parts, ${signer.head}`)
      },
    }
    const keeping = keepingOf(said.detail, terminal !== null)
    try {
      const recording = new Recording({ id, about, signer, sink, clock, keeping, withInput })
      note('begun')
      return recording
    } catch (error) {
      file.close()
      this.open.delete(id)
      this.drop(id)
      throw error
    }
  }

  /** All there are, the oldest first. */
  ids(): readonly string[] {
    return [...this.sizes.keys()]
  }

  /** How much of it is there. */
  sizeOf(id: string): number {
    return this.sizes.get(id) ?? 0
  }

  isOpen(id: string): boolean {
    return this.open.has(id)
  }

  /** Empty at its end, and of one that is not there. Throws STATE_UNREADABLE. */
  read(id: string, from: number, size: number): Uint8Array {
    if (!this.sizes.has(id)) return new Uint8Array(0)
    // What is being written is read as far as it is whole.
    const left = Math.max(0, this.sizes.get(id)! - from)
    return this.options.files.read(id, from, Math.min(size, left))
  }

  close(): void {
    this.timer?.cancel()
  }

  private newId(now: number, random: Random): string {
    for (;;) {
      const id = newRecordingId(now, random)
      if (!this.sizes.has(id)) return id
    }
  }

  private append(id: string, file: GrowingFile, bytes: Uint8Array, isLast: boolean): void {
    const size = this.sizes.get(id)! + bytes.length
    // The end is written down whatever there is room for: it is small.
    if (!isLast && size > this.options.sizeMax / SHARE)
      throw new BoxError('LIMIT_EXCEEDED', 'Its recording is as long as it may be.')
    if (!this.makesRoom(bytes.length) && !isLast)
      throw new BoxError('STATE_UNWRITABLE', 'There is no room for recordings.')
    file.append(bytes)
    this.sizes.set(id, size)
  }

  /** False where all the room is taken by what goes on. Throws STATE_UNWRITABLE. */
  private makesRoom(bytes: number): boolean {
    while (this.total + bytes > this.options.sizeMax || this.sizes.size > COUNT_MAX) {
      const oldest = this.closed()[0]
      if (!oldest) return false
      this.remove(oldest, 'removed: no room')
    }
    return true
  }

  private get total(): number {
    let total = 0
    for (const size of this.sizes.values()) total += size
    return total
  }

  private closed(): string[] {
    return [...this.sizes.keys()].filter(id => !this.open.has(id))
  }

  /** What is too old goes, at times. */
  private look(): void {
    this.review()
    this.timer = this.options.clock.after(LOOK_EVERY_MS, () => this.look())
  }

  private review(): void {
    const before = this.options.clock.now() - this.options.ageMaxMs
    for (const id of this.closed())
      if (recordingTime(id) < before)
        try {
          this.remove(id, 'removed: too old')
        } catch (error) {
          if (!(error instanceof BoxError)) throw error
          this.options.log.note('error', 'recordings', 'not removed', { id, code: error.code })
        }
  }

  /** Throws STATE_UNWRITABLE. */
  private remove(id: string, why: string): void {
    this.options.files.remove(id)
    this.sizes.delete(id)
    this.note(null, id, why)
  }

  /** One that never began. */
  private drop(id: string): void {
    this.sizes.delete(id)
    try {
      this.options.files.remove(id)
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
    }
  }

  private note(zone: ZoneKey | null, detail: string, result: string): void {
    this.options.audit.note({ zone, what: 'recording', detail, result })
  }
}

function keepingOf(command: string, onTerminal: boolean): Keeping {
  if (onTerminal) return 'screen'
  return CARRIERS.test(command) ? 'sum' : 'text'
}
