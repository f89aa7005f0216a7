/**
 * The packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) and of OpenSSH's extensions to it (its
 * PROTOCOL file, section 4), declared as tables. Behind the length, each begins with its type.
 *
 * File names are bytes: here they are texts of one character a byte (Latin-1), which can be joined and
 * compared, and lose nothing.
 */

import { constant, items, type Struct, struct, when } from '../../src/wire/fields.ts'
import { type Field, rest, type Shape, u8, u32, u64, type Value } from '../../src/wire/layout.ts'

export const SFTP_VERSION = 3

/** A string of SSH: its length, then that many bytes. */
const data: Field<Uint8Array> = {
  unit: 'u32 length, bytes',
  width: null,
  measure: value => 4 + value.length,
  put: (to, value, whole) => {
    u32.put(to, value.length, whole)
    to.bytes.set(value, to.take(value.length))
  },
  get: (from, whole) => {
    const size = u32.get(from, whole)
    return from.bytes.subarray(from.take(size), from.at)
  },
  sample: random => random.bytes(random.below(8)),
}

/** The same as text, one character a byte. */
const name: Field<string> = {
  unit: data.unit,
  width: null,
  measure: value => 4 + value.length,
  put: (to, value, whole) => data.put(to, Buffer.from(value, 'latin1'), whole),
  get: (from, whole) => Buffer.from(data.get(from, whole)).toString('latin1'),
  sample: (random, whole) => Buffer.from(data.sample(random, whole)).toString('latin1'),
}

export const ATTRIBUTE = { size: 1, owner: 2, mode: 4, times: 8 } as const

/** What is known, or is to be set, of a file; `flags` says which of it. Extended pairs are not used by anybody. */
export const Attributes = struct('ATTRS', {
  flags: u32,
  size: when('flags', ATTRIBUTE.size, u64),
  owner: when('flags', ATTRIBUTE.owner, struct('OWNER', { uid: u32, gid: u32 })),
  mode: when('flags', ATTRIBUTE.mode, u32),
  times: when('flags', ATTRIBUTE.times, struct('TIMES', { accessed: u32, modified: u32 })),
})
export type Attributes = Value<{ all: typeof Attributes }>['all']

export interface Packet<T> extends Struct<T> {
  readonly type: number
}

const packet = <S extends Shape>(title: string, type: number, shape: S) => ({
  ...struct(title, { type: constant(u8, type), ...shape }),
  type,
})

const request = <S extends Shape>(title: string, type: number, shape: S) =>
  packet(title, type, { id: u32, ...shape })

export const Init = packet('INIT', 1, { version: u32, extensions: rest })
export const Version = packet('VERSION', 2, {
  version: u32,
  extensions: items(struct('EXTENSION', { name, value: name })),
})

export const Open = request('OPEN', 3, { path: name, flags: u32, attributes: Attributes })
export const Close = request('CLOSE', 4, { handle: name })
export const Read = request('READ', 5, { handle: name, offset: u64, length: u32 })
export const Write = request('WRITE', 6, { handle: name, offset: u64, data })
export const LinkStatus = request('LSTAT', 7, { path: name })
export const FileStatus = request('FSTAT', 8, { handle: name })
export const SetStatus = request('SETSTAT', 9, { path: name, attributes: Attributes })
export const SetFileStatus = request('FSETSTAT', 10, { handle: name, attributes: Attributes })
export const OpenDirectory = request('OPENDIR', 11, { path: name })
export const ReadDirectory = request('READDIR', 12, { handle: name })
export const Remove = request('REMOVE', 13, { path: name })
export const MakeDirectory = request('MKDIR', 14, { path: name, attributes: Attributes })
export const RemoveDirectory = request('RMDIR', 15, { path: name })
export const RealPath = request('REALPATH', 16, { path: name })
export const PathStatus = request('STAT', 17, { path: name })
export const Rename = request('RENAME', 18, { from: name, to: name })
export const ReadLink = request('READLINK', 19, { path: name })
/** The draft has it the other way round; OpenSSH, and so everybody, sends the target first. */
export const SymbolicLink = request('SYMLINK', 20, { target: name, path: name })
export const Extended = request('EXTENDED', 200, { name, body: rest })

/** Bodies of EXTENDED. */
export const TwoPaths = struct('TWO_PATHS', { from: name, to: name })
export const OnePath = struct('ONE_PATH', { path: name })
export const OneHandle = struct('ONE_HANDLE', { handle: name })
export const PathAttributes = struct('PATH_ATTRS', { path: name, attributes: Attributes })
export const TwoLists = struct('TWO_LISTS', { users: data, groups: data })
/** In TwoLists. */
export const NumberList = struct('IDS', { ids: items(u32) })
export const NameList = struct('NAMES', { names: items(name) })

export const Status = request('STATUS', 101, { code: u32, message: name, language: name })
export const Handle = request('HANDLE', 102, { handle: name })
export const Data = request('DATA', 103, { data })
const Entry = struct('NAME_ENTRY', { name, long: name, attributes: Attributes })
export type Entry = Value<{ all: typeof Entry }>['all']
const entries: Field<readonly Entry[]> = {
  ...items(Entry),
  unit: 'u32 count, NAME_ENTRY × count',
  width: null,
  measure: values => 4 + items(Entry).measure(values),
  put: (to, values, whole) => {
    u32.put(to, values.length, whole)
    items(Entry).put(to, values, whole)
  },
  get: (from, whole) => {
    const count = u32.get(from, whole)
    if (count > from.end - from.at) throw new RangeError(`${count} entries do not fit`)
    return Array.from({ length: count }, () => Entry.get(from, whole))
  },
}
export const Names = request('NAME', 104, { entries })
export const Attrs = request('ATTRS_REPLY', 105, { attributes: Attributes })
export const ExtendedReply = request('EXTENDED_REPLY', 201, { body: rest })

/** Body of the reply to statvfs@openssh.com. */
export const FileSystem = struct('STATVFS', {
  blockSize: u64,
  fragmentSize: u64,
  blocks: u64,
  blocksFree: u64,
  blocksAvailable: u64,
  files: u64,
  filesFree: u64,
  filesAvailable: u64,
  id: u64,
  flags: u64,
  nameMax: u64,
})

/** Body of the reply to limits@openssh.com. */
export const Limits = struct('LIMITS', {
  packetMax: u64,
  readMax: u64,
  writeMax: u64,
  handlesMax: u64,
})

/** SSH_FXF_: how a file is opened. */
export const OPEN = {
  read: 1,
  write: 2,
  append: 4,
  create: 8,
  truncate: 16,
  exclusive: 32,
} as const

/** SSH_FX_: how a request ended. */
export const RESULT = {
  ok: 0,
  eof: 1,
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const
