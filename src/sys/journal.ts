/**
 * A file that only grows at its end: what happened, an entry a line, each with a checksum. A crash
 * while writing costs at most the entry that was being written. When the file has reached its size,
 * the older half of its entries goes.
 */

import {
  closeSync,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { crc32 } from 'node:zlib'
import { attempt, makeDirectory, replaceFile, syncDirectory } from './file-store.ts'

export interface JournalOptions {
  /** The file is never larger, in bytes; an entry takes at most half of it. */
  readonly sizeMax: number
  /**
   * True: an entry is on the disk when `append` returns. False (spares flash): it survives the
   * death of the process, and from `flush` on also a power cut.
   */
  readonly durable: boolean
}

const OWNER_FILE = 0o600
const NEWLINE = 0x0a
/** Eight hexadecimal digits and a space. */
const CHECKSUM_CHARS = 9

export class Journal {
  /** Lines in the middle of the file that were not what had been written, and are passed over. */
  readonly damaged: number
  /** Bytes at the end that were no whole entry, and were cut off. */
  readonly torn: number
  private readonly path: string
  private readonly aside: string
  private readonly options: JournalOptions
  private file: number
  private size: number

  /**
   * Opens or makes the journal and repairs its end.
   * Throws BoxError STATE_UNREADABLE or STATE_UNWRITABLE. One process at a time: see state-lock.ts.
   */
  constructor(path: string, options: JournalOptions) {
    this.path = path
    this.aside = join(dirname(path), `.new-${basename(path)}`)
    this.options = options
    this.file = attempt('STATE_UNWRITABLE', path, () => {
      makeDirectory(dirname(path))
      rmSync(this.aside, { force: true })
      return openSync(path, 'a', OWNER_FILE)
    })
    const content = this.content()
    const lines = split(content)
    const good = lines.findLastIndex(line => parse(line) !== undefined)
    this.size = good < 0 ? 0 : endOf(lines[good]!) - content.byteOffset
    this.torn = content.length - this.size
    this.damaged = lines.slice(0, good + 1).filter(line => parse(line) === undefined).length
    if (this.torn > 0) attempt('STATE_UNWRITABLE', path, () => ftruncateSync(this.file, this.size))
  }

  /** Adds an entry, anything JSON can say. Throws BoxError STATE_UNWRITABLE, and then it is not there. */
  append(entry: unknown): void {
    const line = encode(entry)
    const { durable, sizeMax } = this.options
    if (line.length > sizeMax / 2) throw new RangeError(`an entry of ${line.length} bytes`)
    attempt('STATE_UNWRITABLE', this.path, () => {
      if (this.size + line.length > sizeMax) this.compact()
      try {
        writeFileSync(this.file, line)
        if (durable) fdatasyncSync(this.file)
      } catch (cause) {
        ftruncateSync(this.file, this.size)
        throw cause
      }
      this.size += line.length
    })
  }

  /** All entries, oldest first. */
  entries(): unknown[] {
    return split(this.content())
      .map(parse)
      .filter(entry => entry !== undefined)
  }

  /** Replaces all entries, as a whole or not at all. */
  rewrite(entries: Iterable<unknown>): void {
    this.replace([...entries].map(encode))
  }

  /** Brings to the disk what was appended. */
  flush(): void {
    attempt('STATE_UNWRITABLE', this.path, () => fdatasyncSync(this.file))
  }

  close(): void {
    this.flush()
    closeSync(this.file)
  }

  /** Keeps the newest entries, up to half of the size, so that this is rare. */
  private compact(): void {
    const lines = split(this.content()).filter(line => parse(line) !== undefined)
    let first = lines.length
    for (let size = 0; first > 0; first--) {
      size += lines[first - 1]!.length
      if (size > this.options.sizeMax / 2) break
    }
    this.replace(lines.slice(first))
  }

  private replace(lines: readonly Uint8Array[]): void {
    const content = Buffer.concat(lines)
    if (content.length > this.options.sizeMax) throw new RangeError(`${content.length} bytes`)
    attempt('STATE_UNWRITABLE', this.path, () => {
      replaceFile(this.path, this.aside, content)
      syncDirectory(dirname(this.path))
      const file = openSync(this.path, 'a', OWNER_FILE)
      closeSync(this.file)
      this.file = file
      this.size = content.length
    })
  }

  private content(): Buffer {
    return attempt('STATE_UNREADABLE', this.path, () => readFileSync(this.path))
  }
}

function encode(entry: unknown): Buffer {
  const json = JSON.stringify(entry)
  if (json === undefined) throw new TypeError('an entry that JSON cannot say')
  return Buffer.from(`${checksum(Buffer.from(json))} ${json}\n`)
}

/** The entry in a line, or undefined where the line is not what was written. */
function parse(line: Uint8Array): unknown {
  if (line.at(-1) !== NEWLINE || line.length <= CHECKSUM_CHARS) return undefined
  const text = Buffer.from(line.buffer, line.byteOffset, line.length)
  const json = text.subarray(CHECKSUM_CHARS, -1)
  if (text.toString('latin1', 0, CHECKSUM_CHARS) !== `${checksum(json)} `) return undefined
  try {
    return JSON.parse(json.toString())
  } catch {
    return undefined
  }
}

const checksum = (json: Buffer): string => crc32(json).toString(16).padStart(8, '0')

const endOf = (line: Uint8Array): number => line.byteOffset + line.length

/** The lines, each with its newline; the last may lack it. */
function split(content: Buffer): Buffer[] {
  const lines: Buffer[] = []
  for (let at = 0; at < content.length; ) {
    const newline = content.indexOf(NEWLINE, at)
    const end = newline < 0 ? content.length : newline + 1
    lines.push(content.subarray(at, end))
    at = end
  }
  return lines
}
