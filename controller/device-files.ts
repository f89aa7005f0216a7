/**
 * The files of a device over one session of SFTP, for whoever copies nothing to a disk here (file-copy.ts does):
 * listed, read and written as streams, many requests on their way at once, so that a slow line is kept busy. What the
 * device says where it refuses is in the error.
 */

import { constants } from 'node:fs'
import { posix } from 'node:path'
import type { FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2'
import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import { CHUNK, CONCURRENCY, DEPTH_MAX, MODE_BITS } from './file-side.ts'
import { inParallel } from './parallel.ts'

/** Of a directory so many are looked at: nobody reads more, and each is some hundred bytes here. */
const LISTED_MAX = 5_000
/** A device answers with a hundred at a time. */
const BATCHES = 4
/** Of a file that was made here, where nothing else is said. */
const MODE = 0o644
const PART = '.box-part-'
/** Of two copies at once each has a file of its own. */
const PART_BYTES = 5

/** What SFTP answers with (draft-ietf-secsh-filexfer-02, section 7). */
const RESULT = { eof: 1, noSuchFile: 2, permissionDenied: 3 } as const

export type FileKind = 'file' | 'directory' | 'link' | 'other'

export interface FileLooks {
  readonly kind: FileKind
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Milliseconds since 1970. */
  readonly modifiedAt: number
}

export interface NamedFile extends FileLooks {
  readonly name: string
}

/** A file that is open, until it is closed. */
export interface OpenFile {
  readonly path: string
  readonly handle: Buffer
}

type Done<T> = (error: unknown, value: T) => void

export class DeviceFiles {
  private readonly sftp: SFTPWrapper
  private readonly random: Random
  private isOver = false

  constructor(sftp: SFTPWrapper, random: Random) {
    this.sftp = sftp
    this.random = random
    // What is asked from then on would never be answered.
    sftp.once('close', () => {
      this.isOver = true
    })
  }

  /** The path from the root, without links; its last name may be missing. Fails with FILE_UNKNOWN, NOT_PERMITTED, FILE_UNUSABLE, CHANNEL_LOST, as all here. */
  real(path: string): Promise<string> {
    return this.ask(path, done => this.sftp.realpath(path, done))
  }

  /** Of what a path leads to in the end; null where there is nothing. */
  look(path: string): Promise<FileLooks | null> {
    return orNull(this.ask<Stats>(path, done => this.sftp.stat(path, done)).then(looksOf))
  }

  /** Of the name itself, also where it is a link; null where there is none. */
  lookAtName(path: string): Promise<FileLooks | null> {
    return orNull(this.ask<Stats>(path, done => this.sftp.lstat(path, done)).then(looksOf))
  }

  /** What is in a directory, by name, up to a limit. */
  async list(path: string): Promise<{ readonly files: NamedFile[]; readonly isWhole: boolean }> {
    const handle = await this.ask<Buffer>(path, done => this.sftp.opendir(path, done))
    const files: NamedFile[] = []
    let isWhole = false
    try {
      while (!isWhole && files.length < LISTED_MAX) {
        const batches = Array.from({ length: BATCHES }, () => this.batch(path, handle))
        for (const batch of await Promise.all(batches)) {
          isWhole ||= batch === null
          files.push(...(batch ?? []).map(named))
        }
      }
    } finally {
      await this.close({ path, handle }).catch(ignored)
    }
    files.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { files, isWhole }
  }

  /** For reading, with how it looks now. */
  async opened(path: string): Promise<OpenFile & { readonly looks: FileLooks }> {
    const handle = await this.ask<Buffer>(path, done => this.sftp.open(path, 'r', done))
    try {
      const stats = await this.ask<Stats>(path, done => this.sftp.fstat(handle, done))
      return { path, handle, looks: looksOf(stats) }
    } catch (error) {
      await this.close({ path, handle }).catch(ignored)
      throw error
    }
  }

  async close({ path, handle }: OpenFile): Promise<void> {
    await this.ask<void>(path, done => this.sftp.close(handle, error => done(error, undefined)))
  }

  /** From the byte `from` up to `to`, many pieces on their way. Fails where the file has become shorter, too. */
  async *read(file: OpenFile, from: number, to: number): AsyncGenerator<Uint8Array> {
    const ahead: { readonly size: number; readonly piece: Promise<Uint8Array> }[] = []
    let next = from
    for (;;) {
      while (ahead.length < CONCURRENCY && next < to) {
        const size = Math.min(CHUNK, to - next)
        const piece = this.piece(file, next, size)
        // Whoever stops reading waits for none of them.
        piece.catch(ignored)
        ahead.push({ size, piece })
        next += size
      }
      const first = ahead.shift()
      if (!first) return
      const bytes = await first.piece
      if (bytes.length < first.size)
        throw new BoxError('FILE_UNUSABLE', `${file.path} has become shorter meanwhile.`)
      yield bytes
    }
  }

  /** From its beginning to its end, whatever its size is said to be: files of the kernel have none. */
  async *readToEnd(file: OpenFile): AsyncGenerator<Uint8Array> {
    for (let at = 0; ; ) {
      const bytes = await this.piece(file, at, CHUNK)
      if (bytes.length === 0) return
      at += bytes.length
      yield bytes
    }
  }

  /**
   * Puts what comes in the place of what is at a path, or of nothing, once all of it is there: a copy that breaks off
   * leaves the old file as it was. Resolves to where it is, links followed. Fails with FILE_EXISTS, too.
   */
  async put(
    asked: string,
    bytes: AsyncIterable<Uint8Array>,
    { replaces, mode }: { readonly replaces: boolean; readonly mode: number | null },
  ): Promise<string> {
    const path = await this.real(asked)
    const old = await this.look(path)
    if (old && !replaces) throw new BoxError('FILE_EXISTS', path)
    if (old && old.kind !== 'file')
      throw new BoxError('FILE_UNUSABLE', `${path} is there, and is no file.`)
    const name = `${PART}${encodeBase32(this.random.bytes(PART_BYTES))}`
    const part = posix.join(posix.dirname(path), name)
    const open = { mode: mode ?? old?.mode ?? MODE }
    const handle = await this.ask<Buffer>(part, done => this.sftp.open(part, 'wx', 0o600, done))
    try {
      await this.write({ path: part, handle }, bytes)
      await this.done(part, done => this.sftp.fsetstat(handle, open, done))
      await this.close({ path: part, handle })
      await this.rename(part, path, { replaces })
    } catch (error) {
      await this.close({ path: part, handle }).catch(ignored)
      await this.done(part, done => this.sftp.unlink(part, done)).catch(ignored)
      throw error
    }
    return path
  }

  makeDirectory(path: string): Promise<void> {
    return this.done(path, done => this.sftp.mkdir(path, done))
  }

  /** Fails with FILE_EXISTS where something has the new name and is not to be replaced. */
  async rename(from: string, to: string, { replaces }: { readonly replaces: boolean }) {
    if (replaces) return this.done(to, done => this.sftp.ext_openssh_rename(from, to, done))
    if (await this.lookAtName(to)) throw new BoxError('FILE_EXISTS', to)
    return this.done(to, done => this.sftp.rename(from, to, done))
  }

  /** A file, a link but not what it leads to, a directory; one that is not empty only with `isDeep`. */
  async remove(
    path: string,
    { isDeep, signal }: { readonly isDeep: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const looks = await this.lookAtName(path)
    if (!looks) throw new BoxError('FILE_UNKNOWN', path)
    if (looks.kind !== 'directory') return await this.unlink(path)
    if (isDeep) await this.empty(path, signal, 0)
    await this.done(path, done => this.sftp.rmdir(path, done))
  }

  private async empty(path: string, signal: AbortSignal, depth: number): Promise<void> {
    if (depth > DEPTH_MAX) throw new BoxError('FILE_UNUSABLE', `${path} lies too deep.`)
    for (let isEmpty = false; !isEmpty; ) {
      const { files, isWhole } = await this.list(path)
      signal.throwIfAborted()
      const isDirectory = ({ kind }: NamedFile) => kind === 'directory'
      const inside = ({ name }: NamedFile) => posix.join(path, name)
      for (const directory of files.filter(isDirectory).map(inside)) {
        await this.empty(directory, signal, depth + 1)
        await this.done(directory, done => this.sftp.rmdir(directory, done))
      }
      const others = files.filter(one => !isDirectory(one)).map(inside)
      await inParallel(others, CONCURRENCY, this.unlink)
      isEmpty = isWhole
    }
  }

  private readonly unlink = (path: string): Promise<void> =>
    this.done(path, done => this.sftp.unlink(path, done))

  /** Null where there are no more. */
  private batch(path: string, handle: Buffer): Promise<FileEntryWithStats[] | null> {
    return this.ask(path, done =>
      this.sftp.readdir(handle, (error, list) =>
        codeOf(error) === RESULT.eof ? done(null, null) : done(error, list),
      ),
    )
  }

  /** Shorter than asked for only at the end. */
  private piece({ path, handle }: OpenFile, at: number, size: number): Promise<Uint8Array> {
    const place = Buffer.allocUnsafe(size)
    return this.ask<Uint8Array>(path, done =>
      this.sftp.read(handle, place, 0, size, at, (error, count) =>
        done(error, place.subarray(0, count)),
      ),
    )
  }

  private async write(file: OpenFile, bytes: AsyncIterable<Uint8Array>): Promise<void> {
    const { path, handle } = file
    const onTheirWay = new Set<Promise<void>>()
    let failure: unknown = null
    let at = 0
    const send = (piece: Buffer) => {
      const from = at
      const sent = this.done(path, done =>
        this.sftp.write(handle, piece, 0, piece.length, from, done),
      )
        .catch((error: unknown) => {
          failure ??= error
        })
        .finally(() => onTheirWay.delete(sent))
      onTheirWay.add(sent)
      at += piece.length
    }
    for await (const chunk of bytes) {
      for (let i = 0; i < chunk.length; i += CHUNK) {
        const { buffer, byteOffset, length } = chunk.subarray(i, i + CHUNK)
        send(Buffer.from(buffer, byteOffset, length))
        while (onTheirWay.size >= CONCURRENCY) await Promise.race(onTheirWay)
        if (failure) throw failure
      }
    }
    await Promise.all(onTheirWay)
    if (failure) throw failure
  }

  private done(path: string, begin: (done: (error?: unknown) => void) => void): Promise<void> {
    return this.ask(path, done => begin(error => done(error, undefined)))
  }

  private ask<T>(path: string, begin: (done: Done<T>) => void): Promise<T> {
    if (this.isOver) return Promise.reject(new BoxError('CHANNEL_LOST'))
    return new Promise((resolve, reject) => {
      try {
        begin((error, value) => (error ? reject(failureOf(path, error)) : resolve(value)))
      } catch (cause) {
        reject(new BoxError('CHANNEL_LOST', undefined, cause))
      }
    })
  }
}

const ignored = (): void => {}

const codeOf = (error: unknown): unknown => (error as { code?: unknown } | undefined)?.code

function failureOf(path: string, cause: unknown): BoxError {
  const code = codeOf(cause)
  if (typeof code !== 'number') return new BoxError('CHANNEL_LOST', undefined, cause)
  const said = `${path}: ${(cause as Error).message}.`
  if (code === RESULT.noSuchFile) return new BoxError('FILE_UNKNOWN', said, cause)
  if (code === RESULT.permissionDenied) return new BoxError('NOT_PERMITTED', said, cause)
  return new BoxError('FILE_UNUSABLE', said, cause)
}

const orNull = <T>(found: Promise<T>): Promise<T | null> =>
  found.catch((error: unknown) => {
    if (error instanceof BoxError && error.code === 'FILE_UNKNOWN') return null
    throw error
  })

type Attributes = Pick<Stats, 'size' | 'mode' | 'uid' | 'gid' | 'mtime'>

const looksOf = ({ size, mode, uid, gid, mtime }: Attributes): FileLooks => ({
  kind: kindOf(mode),
  ...{ size, mode: mode & MODE_BITS, uid, gid },
  modifiedAt: 1_000 * mtime,
})

const named = ({ filename, attrs }: FileEntryWithStats): NamedFile => ({
  name: filename,
  ...looksOf(attrs),
})

const { S_IFMT, S_IFREG, S_IFDIR, S_IFLNK } = constants
const KINDS = new Map<number, FileKind>([
  [S_IFREG, 'file'],
  [S_IFDIR, 'directory'],
  [S_IFLNK, 'link'],
])

/** By the bits of stat(2). */
const kindOf = (mode: number): FileKind => KINDS.get(mode & S_IFMT) ?? 'other'
