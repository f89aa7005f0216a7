/**
 * What an SFTP client asks for, done: one function a request, in one table by packet type. Each resolves to
 * the reply, or fails with the error of the file system, which becomes the reply (session.ts).
 */

import { type BigIntStats, constants } from 'node:fs'
import {
  link,
  lstat,
  mkdir,
  open,
  opendir,
  readlink,
  rename,
  rmdir,
  stat,
  symlink,
  unlink,
} from 'node:fs/promises'
import { attributesOf, longName, NO_ATTRIBUTES } from './file-attributes.ts'
import type { Handles, OpenFile, OpenDirectory as ReadingDirectory } from './handles.ts'
import * as packets from './packets.ts'
import { type Attributes, type Entry, OPEN, RESULT } from './packets.ts'
import type { People } from './people.ts'
import { OutsideError, onDisk, type Region } from './region.ts'
import { CAUTIOUS, setFile, setObject } from './set-attributes.ts'

/** Of one request. Clients ask for 64 at once, far more than a window of SSH (2 MB) holds. */
export const READ_MAX = 64 * 1024
export const WRITE_MAX = 64 * 1024
/** What stands before the data of a DATA reply: type, number, length. */
const DATA_HEADER = 9
/** As OpenSSH: entries of one reply, some 20 KB. */
const ENTRIES_MAX = 100
/** What the kernel is asked for at once. */
const DIRECTORY_BUFFER = 256
const FILE_MODE = 0o666
const DIRECTORY_MODE = 0o777
const MODE_BITS = 0o7777

/** What the requests of one session work on. */
export interface Workplace {
  readonly region: Region
  readonly handles: Handles
  readonly people: People
  readonly now: () => number
  /** Where replies with data are made: each is on its way before the next request is read. */
  readonly scratch: Uint8Array<ArrayBuffer>
}

/** The room that `Workplace.scratch` needs. */
export const SCRATCH_SIZE = DATA_HEADER + READ_MAX

export type Reply = Uint8Array
export type Answer = (packet: Uint8Array, place: Workplace) => Promise<Reply>

/** A reply other than success, for which no system call failed. */
export class SftpError extends Error {
  override readonly name = 'SftpError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export const status = (id: number, code: number, message: string): Reply =>
  packets.Status.encode({ id, code, message: asciiOf(message), language: '' })

export const done = (id: number): Reply => status(id, RESULT.ok, 'Success')

/** File names in a message may be any bytes; a message is UTF-8. */
const asciiOf = (text: string): string => text.replaceAll(/[^\x20-\x7e]/g, '?')

/** Decodes with the table, and answers. */
const answer =
  <T>(packet: packets.Packet<T>, act: (request: T, place: Workplace) => Promise<Reply>): Answer =>
  (bytes, place) =>
    act(packet.decode(bytes), place)

/** Runs `use` on a path, which is held as long. */
export async function at<T>(
  spot: ReturnType<Region['object']>,
  use: (path: Buffer) => Promise<T>,
): Promise<T> {
  const { path, release } = await spot
  try {
    return await use(path)
  } finally {
    await release()
  }
}

export const ANSWERS: Readonly<Record<number, Answer>> = {
  [packets.Open.type]: answer(packets.Open, openFile),
  [packets.Close.type]: answer(packets.Close, async ({ id, handle }, { handles }) => {
    if (!(await handles.close(handle))) throw noHandle()
    return done(id)
  }),
  [packets.Read.type]: answer(packets.Read, read),
  [packets.Write.type]: answer(packets.Write, write),
  [packets.LinkStatus.type]: answer(packets.LinkStatus, async ({ id, path }, { region }) =>
    attributes(id, await at(region.entry(path), spot => lstat(spot, { bigint: true }))),
  ),
  [packets.PathStatus.type]: answer(packets.PathStatus, async ({ id, path }, { region }) =>
    attributes(id, await at(region.object(path), spot => stat(spot, { bigint: true }))),
  ),
  [packets.FileStatus.type]: answer(packets.FileStatus, async ({ id, handle }, { handles }) =>
    attributes(id, await fileOf(handles, handle).file.stat({ bigint: true })),
  ),
  [packets.SetStatus.type]: answer(packets.SetStatus, async (request, { region }) => {
    await at(region.object(request.path), spot => setObject(spot, request.attributes))
    return done(request.id)
  }),
  [packets.SetFileStatus.type]: answer(packets.SetFileStatus, async (request, { handles }) => {
    await setFile(fileOf(handles, request.handle).file, request.attributes)
    return done(request.id)
  }),
  [packets.OpenDirectory.type]: answer(packets.OpenDirectory, openDirectory),
  [packets.ReadDirectory.type]: answer(packets.ReadDirectory, readDirectory),
  [packets.Remove.type]: answer(packets.Remove, async ({ id, path }, { region }) => {
    await at(region.entry(path), unlink)
    return done(id)
  }),
  [packets.MakeDirectory.type]: answer(packets.MakeDirectory, async (request, { region }) => {
    const mode = modeOf(request.attributes, DIRECTORY_MODE)
    await at(region.entry(request.path), spot => mkdir(spot, { mode }))
    return done(request.id)
  }),
  [packets.RemoveDirectory.type]: answer(
    packets.RemoveDirectory,
    async ({ id, path }, { region }) => {
      await at(region.entry(path), spot => rmdir(spot))
      return done(id)
    },
  ),
  [packets.RealPath.type]: answer(packets.RealPath, async ({ id, path }, { region }) =>
    justName(id, await region.resolve(path)),
  ),
  [packets.Rename.type]: answer(packets.Rename, async ({ id, from, to }, { region }) => {
    await at(region.entry(from), old => at(region.entry(to), fresh => moveWithout(old, fresh)))
    return done(id)
  }),
  [packets.ReadLink.type]: answer(packets.ReadLink, async ({ id, path }, { region }) => {
    const target = await at(region.entry(path), spot => readlink(spot, 'buffer'))
    return justName(id, target.toString('latin1'))
  }),
  [packets.SymbolicLink.type]: answer(
    packets.SymbolicLink,
    async ({ id, target, path }, { region }) => {
      region.checkTarget(target, path)
      await at(region.entry(path), spot => symlink(onDisk(target), spot))
      return done(id)
    },
  ),
}

const attributes = (id: number, stats: BigIntStats): Reply =>
  packets.Attrs.encode({ id, attributes: attributesOf(stats) })

/** A reply of one name and nothing about it. */
export const justName = (id: number, name: string): Reply =>
  packets.Names.encode({ id, entries: [{ name, long: name, attributes: NO_ATTRIBUTES }] })

const modeOf = ({ mode }: Attributes, otherwise: number): number =>
  mode === null ? otherwise : mode & MODE_BITS

const noHandle = (): SftpError => new SftpError(RESULT.failure, 'no such handle')

export function fileOf(handles: Handles, handle: string): OpenFile {
  const one = handles.find(handle)
  if (one?.is !== 'file') throw noHandle()
  return one
}

async function openFile(
  {
    id,
    path,
    flags,
    attributes,
  }: { id: number; path: string; flags: number } & {
    attributes: Attributes
  },
  { region, handles }: Workplace,
): Promise<Reply> {
  if (handles.isFull) throw new SftpError(RESULT.failure, 'too many open files')
  const mode = modeOf(attributes, FILE_MODE)
  const how = openFlags(flags)
  const file = await at(region.object(path), spot => open(spot, how, mode)).catch(
    (error: NodeJS.ErrnoException) => {
      // Made anew: a link put in its place meanwhile is not followed.
      if (error.code !== 'ENOENT' || !(flags & OPEN.create) || !region.isNarrow) throw error
      return at(region.entry(path), spot => open(spot, how | constants.O_NOFOLLOW, mode))
    },
  )
  return opened(id, handles.add({ is: 'file', file, appends: (flags & OPEN.append) !== 0 }))
}

/** The flags of open(2). Without reading or writing it is reading, as OpenSSH has it. */
function openFlags(flags: number): number {
  const writes = (flags & OPEN.write) !== 0
  const reads = (flags & OPEN.read) !== 0
  let how = writes ? (reads ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY
  if (writes && flags & OPEN.append) how |= constants.O_APPEND
  if (flags & OPEN.create) how |= constants.O_CREAT
  if (flags & OPEN.truncate) how |= constants.O_TRUNC
  if (flags & OPEN.exclusive) how |= constants.O_EXCL
  return how | CAUTIOUS
}

const opened = (id: number, handle: string): Reply => packets.Handle.encode({ id, handle })

async function read(
  { id, handle, offset, length }: { id: number; handle: string; offset: bigint; length: number },
  { handles, scratch }: Workplace,
): Promise<Reply> {
  const { file } = fileOf(handles, handle)
  const size = Math.min(length, READ_MAX)
  const { bytesRead } = await file.read(scratch, DATA_HEADER, size, numberOf(offset))
  if (bytesRead === 0) return status(id, RESULT.eof, 'End of file')
  // As packets.Data has it, around what is there already.
  const view = new DataView(scratch.buffer)
  view.setUint8(0, packets.Data.type)
  view.setUint32(1, id)
  view.setUint32(5, bytesRead)
  return scratch.subarray(0, DATA_HEADER + bytesRead)
}

async function write(
  { id, handle, offset, data }: { id: number; handle: string; offset: bigint; data: Uint8Array },
  { handles }: Workplace,
): Promise<Reply> {
  const { file, appends } = fileOf(handles, handle)
  const from = numberOf(offset)
  for (let written = 0; written < data.length; ) {
    const place = appends ? null : from + written
    written += (await file.write(data, written, data.length - written, place)).bytesWritten
  }
  return done(id)
}

/** No file is larger than what a number holds exactly (8 PB). */
function numberOf(offset: bigint): number {
  if (offset > BigInt(Number.MAX_SAFE_INTEGER))
    throw new SftpError(RESULT.failure, 'the offset is beyond the end of any file')
  return Number(offset)
}

async function openDirectory(
  { id, path }: { id: number; path: string },
  { region, handles }: Workplace,
): Promise<Reply> {
  if (handles.isFull) throw new SftpError(RESULT.failure, 'too many open files')
  const spot = await region.object(path)
  try {
    // 'buffer' is missing from the types; names may be no UTF-8.
    const options = { encoding: 'buffer' as BufferEncoding, bufferSize: DIRECTORY_BUFFER }
    const directory = await opendir(spot.path as unknown as string, options)
    return opened(id, handles.add({ is: 'directory', directory, spot, begun: false }))
  } catch (error) {
    await spot.release()
    throw error
  }
}

async function readDirectory(
  { id, handle }: { id: number; handle: string },
  place: Workplace,
): Promise<Reply> {
  const one = place.handles.find(handle)
  if (one?.is !== 'directory') throw noHandle()
  for (;;) {
    const names = await nextNames(one)
    if (names.length === 0) return status(id, RESULT.eof, 'End of file')
    const found = await Promise.all(names.map(name => entryOf(one, name, place)))
    const entries = found.flatMap(entry => entry ?? [])
    // Where all of them have gone there may be others: no entries at all would be taken for the end.
    if (entries.length > 0) return packets.Names.encode({ id, entries })
  }
}

async function nextNames(one: ReadingDirectory): Promise<string[]> {
  const names: string[] = one.begun ? [] : ['.', '..']
  one.begun = true
  while (names.length < ENTRIES_MAX) {
    const next = await one.directory.read()
    if (!next) break
    names.push((next.name as unknown as Buffer).toString('latin1'))
  }
  return names
}

/** Null for what is gone since its name was read. */
async function entryOf(
  { spot }: ReadingDirectory,
  name: string,
  { people, now, region }: Workplace,
): Promise<Entry | null> {
  // What is above the directory may be out of reach.
  const looked = region.isNarrow && name === '..' ? '.' : name
  try {
    const path = Buffer.concat([spot.path, onDisk(`/${looked}`)])
    const stats = await lstat(path, { bigint: true })
    return {
      name,
      long: longName(name, stats, people, now()),
      attributes: attributesOf(stats),
    }
  } catch {
    return null
  }
}

/** False where the file system has no links, as FAT and some network file systems: on with the next best. */
async function hasLinked(from: Buffer, to: Buffer): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw new SftpError(RESULT.failure, 'the new name exists')
    if (['EPERM', 'ENOSYS', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'EXDEV'].includes(code ?? ''))
      return false
    throw error
  }
}

/** Version 3 renames nothing over what exists. rename(2) would; link(2) does not. */
async function moveWithout(from: Buffer, to: Buffer): Promise<void> {
  if ((await lstat(from)).isFile() && (await hasLinked(from, to))) {
    await unlink(from).catch(async (error: unknown) => {
      await unlink(to)
      throw error
    })
    return
  }
  const exists = await lstat(to).then(
    () => true,
    () => false,
  )
  if (exists) throw new SftpError(RESULT.failure, 'the new name exists')
  await rename(from, to)
}

/** The code and the words for an error, of ours or of the system. */
export function resultOf(error: unknown): { code: number; message: string } {
  if (error instanceof SftpError) return { code: error.code, message: error.message }
  if (error instanceof OutsideError)
    return { code: RESULT.permissionDenied, message: `Permission denied: ${error.message}` }
  const { code = '', message } = error as NodeJS.ErrnoException
  // The words of the system, without the call and the path that Node adds.
  const words = /^[A-Z0-9]+: (.*?)(?:, \w+.*)?$/s.exec(message)?.[1] ?? message
  return { code: CODES[code] ?? RESULT.failure, message: words }
}

const CODES: Readonly<Record<string, number>> = {
  ENOENT: RESULT.noSuchFile,
  ENOTDIR: RESULT.noSuchFile,
  ELOOP: RESULT.noSuchFile,
  EPERM: RESULT.permissionDenied,
  EACCES: RESULT.permissionDenied,
  ENAMETOOLONG: RESULT.badMessage,
  EINVAL: RESULT.badMessage,
  ENOSYS: RESULT.unsupported,
  EOPNOTSUPP: RESULT.unsupported,
}
