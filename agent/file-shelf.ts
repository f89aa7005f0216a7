/**
 * The files this agent keeps for people who are away: sealed parts, in the order of the file, from writers that it does not
 * know, in drops of the mailboxes here (mail-shelf.ts). Each lies in one file that only grows, so whatever was cut off goes
 * on where it was. Bounded for each drop, each person and in all, and kept for two weeks.
 */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import {
  type Lying,
  RELAYED_PART_SIZE,
  type RelayedFile,
  relayedPartSize,
} from '../src/box/relayed-file.ts'
import type { GrowingFile, GrowingFiles } from '../src/sys/growing-files.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { MailShelf } from './mail-shelf.ts'

const KEPT_MS = 14 * 24 * 60 * 60_000
/** Of all room: one writer leaves some for the others of a person, one person some for other people. */
const DROP_SHARE = 1 / 2
const MAILBOX_SHARE = 3 / 4
/** Each is a name in a folder that is listed. */
const DROP_FILES_MAX = 16
const FILES_MAX = 256
/** So much of the disk is left for everything else. */
const FREE_BYTES_MIN = 16 * 1_048_576
/** Being written at once: each is an open file, with some parts on their way. */
const PENS_MAX = 16
const PENS_PER_DROP_MAX = 2
/** A megabyte: more that is not on the disk yet holds up everything else when it is brought there. */
const PARTS_UNSYNCED_MAX = 16
const MEGABYTE = 1_048_576

export interface KeptFile extends RelayedFile {
  /** As encodeBase32 writes it. */
  readonly drop: string
  /** When the first part was announced, in milliseconds since 1970. */
  readonly at: number
  /** Whole parts that are there. */
  readonly has: number
}

/** Adds parts to a file. */
export interface Pen {
  /** Throws PUSH_REFUSED where it is none that fits, or another pen goes on with the file; RELAY_REFUSED. */
  append(part: Uint8Array): void
  /** Brings it to the disk. */
  close(): void
}

interface OpenPen {
  readonly drop: string
  readonly file: GrowingFile
}

export interface FileShelfOptions {
  readonly files: GrowingFiles
  readonly mail: Pick<MailShelf, 'ownerOf' | 'dropsOf'>
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Of all files. */
  readonly bytesMax: number
}

export class FileShelf {
  private readonly options: FileShelfOptions
  /** By the name of the file, the oldest first. */
  private readonly pens = new Map<string, OpenPen>()

  constructor(options: FileShelfOptions) {
    this.options = options
  }

  /** A file for which room is kept from now on, or was already. Throws PUSH_REFUSED, RELAY_REFUSED. */
  begin(drop: Uint8Array, file: RelayedFile): KeptFile {
    this.tidy()
    const before = this.find(drop, file.tag)
    if (before) {
      if (before.count === file.count && before.size === file.size) return before
      throw new BoxError('PUSH_REFUSED', 'Another file is called so here.')
    }
    this.mustFit(drop, file.size)
    const { now, files } = this.options
    const kept = { ...file, drop: encodeBase32(drop), at: now(), has: 0 }
    onDisk(() => files.create(nameOf(kept))).close()
    return kept
  }

  /** Null where there is none in this drop. */
  find(drop: Uint8Array, tag: string): KeptFile | null {
    const text = encodeBase32(drop)
    return this.all().find(one => one.drop === text && one.tag === tag && !this.isOver(one)) ?? null
  }

  /** The one with this tag in a drop of a person, the fullest where there are more; null where there is none. */
  findFor(owner: ZoneKey, tag: string): KeptFile | null {
    const drops = this.options.mail.dropsOf(owner)
    const found = this.all().filter(
      one => one.tag === tag && drops.has(one.drop) && !this.isOver(one),
    )
    return found.toSorted((a, b) => b.has - a.has)[0] ?? null
  }

  /** Goes on behind the last whole part. Whoever wrote at it before can do so no longer. Throws RELAY_REFUSED. */
  write(kept: KeptFile): Pen {
    const name = nameOf(kept)
    this.endPen(name)
    const ofDrop = [...this.pens].filter(([, { drop }]) => drop === kept.drop)
    if (ofDrop.length >= PENS_PER_DROP_MAX) this.endPen(ofDrop[0]![0])
    if (this.pens.size >= PENS_MAX) throw full('As many come in already as it takes at once.')
    const begin = kept.has === kept.count ? kept.size : kept.has * RELAYED_PART_SIZE
    const file = onDisk(() => this.options.files.goOn(name, begin))
    const pen = { drop: kept.drop, file }
    this.pens.set(name, pen)
    let next = kept.has
    return {
      append: part => {
        if (this.pens.get(name) !== pen)
          throw new BoxError(
            'PUSH_REFUSED',
            'Somebody else goes on with it, or it is kept no more.',
          )
        if (next >= kept.count || part.length !== relayedPartSize(kept, next))
          throw new BoxError('PUSH_REFUSED', 'A part does not fit.')
        onDisk(() => file.append(part))
        if (++next % PARTS_UNSYNCED_MAX === 0) file.sync()
      },
      close: () => {
        if (this.pens.get(name) === pen) this.endPen(name)
      },
    }
  }

  /** Throws PUSH_REFUSED where it is not there. */
  part(kept: KeptFile, index: number): Uint8Array {
    const size = relayedPartSize(kept, index)
    try {
      const part = this.options.files.read(nameOf(kept), index * RELAYED_PART_SIZE, size)
      if (part.length === size) return part
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
    }
    throw new BoxError('PUSH_REFUSED', 'This is not kept here any more.')
  }

  remove(kept: KeptFile): void {
    const name = nameOf(kept)
    this.endPen(name)
    this.options.files.remove(name)
  }

  /** Removes what is too old, and what lies in drops that nobody has any more. */
  tidy(): void {
    const all = this.all()
    if (all.length === 0) return
    const known = this.options.mail.dropsOf(null)
    for (const one of all) if (this.isOver(one) || !known.has(one.drop)) this.remove(one)
  }

  close(): void {
    for (const name of this.pens.keys()) this.endPen(name)
  }

  private mustFit(drop: Uint8Array, size: number): void {
    const { bytesMax, mail, files } = this.options
    const owner = mail.ownerOf(drop)
    if (!owner) throw new BoxError('PUSH_REFUSED', 'There is no such drop here.')
    const all = this.all()
    const drops = mail.dropsOf(owner)
    const ofDrop = all.filter(one => one.drop === encodeBase32(drop))
    const ofOwner = all.filter(one => drops.has(one.drop))
    const mustHold = (some: readonly KeptFile[], max: number, whose: string) => {
      const bytes = some.reduce((sum, one) => sum + one.size, 0)
      if (bytes + size <= max) return
      const there = bytes === 0 ? 'This is more' : `${inMegabytes(bytes)} MiB lie there already`
      throw full(`It keeps ${inMegabytes(max)} MiB ${whose} at most. ${there}.`)
    }
    mustHold(ofDrop, bytesMax * DROP_SHARE, 'of one writer for one person')
    mustHold(ofOwner, bytesMax * MAILBOX_SHARE, 'for one person')
    mustHold(all, bytesMax, 'in all')
    if (ofDrop.length >= DROP_FILES_MAX)
      throw full(`It keeps ${DROP_FILES_MAX} files of one writer for one person at most.`)
    if (all.length >= FILES_MAX) throw full(`It keeps ${FILES_MAX} files at most.`)
    const awaited = all.reduce((sum, one) => sum + one.size - one.has * RELAYED_PART_SIZE, 0)
    if (files.free() - Math.max(0, awaited) - size < FREE_BYTES_MIN)
      throw full('There is no room on its disk.')
  }

  private endPen(name: string): void {
    this.pens.get(name)?.file.close()
    this.pens.delete(name)
  }

  private isOver({ at }: KeptFile): boolean {
    return this.options.now() - at > KEPT_MS
  }

  private all(): readonly KeptFile[] {
    return this.options.files.list().flatMap(({ name, size }) => keptIn(name, size) ?? [])
  }
}

/** What is told of one, or of none. */
export const lyingOf = (kept: KeptFile | null): Lying =>
  kept
    ? { has: kept.has, count: kept.count, until: kept.at + KEPT_MS }
    : { has: 0, count: 0, until: 0 }

/** All that is to be known of a file is in its name and size. */
const nameOf = ({ drop, tag, count, size, at }: KeptFile): string =>
  [drop, tag, count, size, at].join('-')

function keptIn(name: string, bytes: number): KeptFile | null {
  const [drop, tag, ...rest] = name.split('-')
  const [count, size, at] = rest.map(Number)
  if (rest.length !== 3 || ![count, size, at].every(Number.isSafeInteger)) return null
  const has = bytes === size ? count! : Math.min(count! - 1, Math.floor(bytes / RELAYED_PART_SIZE))
  return { drop: drop!, tag: tag!, count: count!, size: size!, at: at!, has }
}

const full = (why: string): BoxError => new BoxError('RELAY_REFUSED', why)

const inMegabytes = (bytes: number): string => `${Math.ceil((10 * bytes) / MEGABYTE) / 10}`

/** Of the disk of this relay others learn no more than that it takes nothing. */
function onDisk<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof BoxError && error.code === 'STATE_UNWRITABLE')
      throw new BoxError('RELAY_REFUSED', 'Its disk takes nothing more.', error)
    throw error
  }
}
