/**
 * One session being recorded: what it shows, as events of asciicast v2, gathered into parts that are compressed,
 * signed and written. Where a part cannot be written, the session is told to end: nothing goes on unrecorded for
 * longer than a part is gathered.
 */

import { deflateRawSync } from 'node:zlib'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { CastKind, RecordingAbout, RecordingSigner } from '../src/box/recording.ts'
import { type RunningHash, runningSha256 } from '../src/crypto/hash.ts'

/** A part is written when so much has come, or so long after the first of it: that much a power cut may cost. */
const PART_CHARS = 32 * 1_024
const PART_MS = 2_000
/** What comes at once is cut into events of this size, so that no part is larger than a reader takes. */
const EVENT_BYTES = 16 * 1_024
/** Of what is said of files: a path has 4,096 bytes, and a request has two. What is longer was refused anyway. */
const LINE_MAX = 16 * 1_024
/** As Pty has it. */
const SIZE_MAX = 1_000

/** Where the parts go. Throws BoxError. */
export interface PartSink {
  append(bytes: Uint8Array, isLast: boolean): void
  close(result: string): void
}

/**
 * What is kept of a stream: all of it as a terminal shows it; of a program without one its text, or only how much
 * it was and its hash.
 */
export type Keeping = 'screen' | 'text' | 'sum'
export type StreamName = 'input' | 'output' | 'errors'

export interface RecordingOptions {
  readonly id: string
  readonly about: RecordingAbout
  readonly signer: RecordingSigner
  readonly sink: PartSink
  readonly clock: Clock
  readonly keeping: Keeping
  /** Whether what is typed is kept as well. */
  readonly withInput: boolean
}

export class Recording {
  readonly id: string
  /** Why it cannot go on; null while it can. */
  fault: BoxError | null = null
  private readonly options: RecordingOptions
  private readonly begunAt: number
  private readonly streams: Readonly<Record<StreamName, RecordedStream>>
  private lines: string[] = []
  private chars = 0
  private timer: Timer | null = null
  private isOver = false
  private failed: () => void = () => {}

  /** Writes its first part. Throws BoxError where it cannot. */
  constructor(options: RecordingOptions) {
    const { id, about, clock, keeping, withInput } = options
    this.options = options
    this.id = id
    this.begunAt = clock.elapsed()
    const isScreen = keeping === 'screen'
    const text = isScreen ? 'screen' : 'text'
    this.streams = {
      input: new RecordedStream(withInput ? text : isScreen ? 'nothing' : 'sum', 'standard input'),
      output: new RecordedStream(keeping, 'standard output'),
      errors: new RecordedStream(keeping, 'standard error'),
    }
    this.lines.push(JSON.stringify(about))
    this.write({ isLast: false })
  }

  /** Whom to tell when it cannot go on. */
  onFailure(failed: () => void): void {
    this.failed = failed
    if (this.fault) failed()
  }

  /** What went through one of the streams. */
  take(stream: StreamName, bytes: Uint8Array): void {
    if (this.isOver) return
    for (let from = 0; from < bytes.length; from += EVENT_BYTES)
      this.add(
        stream === 'input' ? 'i' : 'o',
        this.streams[stream].take(bytes.subarray(from, from + EVENT_BYTES)),
      )
  }

  /** The terminal has another size. */
  resize(columns: number, rows: number): void {
    const isSize = (count: number) => Number.isInteger(count) && count > 0 && count <= SIZE_MAX
    if (isSize(columns) && isSize(rows)) this.add('r', `${columns}x${rows}`)
  }

  /** A line that no program printed: what was done with files. */
  say(line: string): void {
    const { length } = line
    const told = length > LINE_MAX ? `${line.slice(0, LINE_MAX)}… (${length} characters)` : line
    this.add('o', `${told}\r\n`)
  }

  /** Once: nothing is taken afterwards. */
  end(result: string): void {
    if (this.isOver) return
    const { input, output, errors } = this.streams
    this.add('i', input.rest())
    this.add('o', output.rest())
    this.add('o', errors.rest())
    for (const stream of [input, output, errors]) this.add('m', stream.sum())
    this.add('m', result)
    this.isOver = true
    this.timer?.cancel()
    if (!this.fault) this.safely(() => this.write({ isLast: true }))
    this.options.sink.close(this.fault ? `failed: ${this.fault.code}` : result)
  }

  private add(kind: CastKind, data: string): void {
    if (data === '' || this.isOver || this.fault) return
    const ms = Math.round(this.options.clock.elapsed() - this.begunAt)
    const line = JSON.stringify([ms / 1_000, kind, data])
    this.lines.push(line)
    this.chars += line.length
    if (this.chars >= PART_CHARS) this.safely(() => this.write({ isLast: false }))
    else
      this.timer ??= this.options.clock.after(PART_MS, () =>
        this.safely(() => this.write({ isLast: false })),
      )
  }

  private write({ isLast }: { isLast: boolean }): void {
    this.timer?.cancel()
    this.timer = null
    const { signer, sink, clock } = this.options
    const content = deflateRawSync(this.lines.map(line => `${line}\n`).join(''))
    this.lines = []
    this.chars = 0
    sink.append(signer.next(content, { at: clock.now(), isLast }), isLast)
  }

  private safely(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.fault = error
      this.failed()
    }
  }
}

/** One stream of a session, as far as it is kept. */
class RecordedStream {
  private readonly name: string
  private readonly decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  private readonly hash: RunningHash | null
  private keeping: Keeping | 'nothing'
  private size = 0

  constructor(keeping: Keeping | 'nothing', name: string) {
    this.name = name
    this.keeping = keeping
    this.hash = keeping === 'text' || keeping === 'sum' ? runningSha256() : null
  }

  /** What is to be written down. */
  take(bytes: Uint8Array): string {
    this.size += bytes.length
    this.hash?.add(bytes)
    switch (this.keeping) {
      case 'screen':
        return this.decoder.decode(bytes, { stream: true })
      case 'text':
        if (!bytes.includes(0)) return lined(this.decoder.decode(bytes, { stream: true }))
        this.keeping = 'sum'
        return `[${this.name} is no text from here on, and is left out]\r\n`
      default:
        return ''
    }
  }

  /** What was left of a character. */
  rest(): string {
    return this.keeping === 'screen' || this.keeping === 'text' ? this.decoder.decode() : ''
  }

  sum(): string {
    if (!this.hash || this.size === 0) return ''
    return `${this.name}: ${this.size} bytes, sha256 ${hexOf(this.hash.end())}`
  }
}

/** With the line ends of a terminal, on which it is played. */
const lined = (text: string): string => text.replaceAll(/\r?\n/g, '\r\n')

export const hexOf = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
