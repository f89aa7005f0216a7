/** OpenSSH's extensions of SFTP (its PROTOCOL file, section 4): announced at the beginning, asked for by name. */

import { link, rename, statfs } from 'node:fs/promises'
import { posix } from 'node:path'
import { HANDLES_MAX } from './handles.ts'
import { PACKET_MAX } from './packet-splitter.ts'
import {
  ExtendedReply,
  FileSystem,
  Limits,
  NameList,
  NumberList,
  OneHandle,
  OnePath,
  PathAttributes,
  RESULT,
  TwoLists,
  TwoPaths,
} from './packets.ts'
import type { Region } from './region.ts'
import {
  at,
  done,
  fileOf,
  justName,
  READ_MAX,
  type Reply,
  SftpError,
  type Workplace,
  WRITE_MAX,
} from './requests.ts'
import { setLink } from './set-attributes.ts'

/** Every file system of Linux. */
const NAME_MAX = 255n

interface Extension {
  /** The version that is announced. */
  readonly version: string
  answer(id: number, body: Uint8Array, place: Workplace): Promise<Reply>
}

export const EXTENSIONS: Readonly<Record<string, Extension>> = {
  'posix-rename@openssh.com': {
    version: '1',
    answer: (id, body, place) => both(id, body, place, rename),
  },
  'hardlink@openssh.com': {
    version: '1',
    answer: (id, body, place) => both(id, body, place, link),
  },
  'statvfs@openssh.com': {
    version: '2',
    answer: async (id, body, { region }) =>
      at(region.object(OnePath.decode(body).path), path => fileSystem(id, path)),
  },
  'fstatvfs@openssh.com': {
    version: '2',
    answer: async (id, body, { handles }) => {
      const { file } = fileOf(handles, OneHandle.decode(body).handle)
      return fileSystem(id, Buffer.from(`/proc/self/fd/${file.fd}`))
    },
  },
  'fsync@openssh.com': {
    version: '1',
    answer: async (id, body, { handles }) => {
      await fileOf(handles, OneHandle.decode(body).handle).file.sync()
      return done(id)
    },
  },
  'lsetstat@openssh.com': {
    version: '1',
    answer: async (id, body, { region }) => {
      const { path, attributes } = PathAttributes.decode(body)
      await at(region.entry(path), spot => setLink(spot, attributes))
      return done(id)
    },
  },
  'limits@openssh.com': {
    version: '1',
    answer: async id =>
      ExtendedReply.encode({
        id,
        body: Limits.encode({
          packetMax: BigInt(PACKET_MAX),
          readMax: BigInt(READ_MAX),
          writeMax: BigInt(WRITE_MAX),
          handlesMax: BigInt(HANDLES_MAX),
        }),
      }),
  },
  'expand-path@openssh.com': {
    version: '1',
    answer: async (id, body, place) => {
      const path = expand(OnePath.decode(body).path, place)
      return justName(id, await place.region.resolve(path))
    },
  },
  'home-directory': {
    version: '1',
    answer: async (id, body, { people, region }) => {
      const home = people.homeOf(OnePath.decode(body).path)
      if (home === null) throw new SftpError(RESULT.noSuchFile, 'no such user')
      return justName(id, await region.resolve(home))
    },
  },
  'users-groups-by-id@openssh.com': {
    version: '1',
    answer: async (id, body, { people }) => {
      const { users, groups } = TwoLists.decode(body)
      const names = (list: Uint8Array, nameOf: (id: number) => string) =>
        NameList.encode({ names: NumberList.decode(list).ids.map(nameOf) })
      return ExtendedReply.encode({
        id,
        body: TwoLists.encode({
          users: names(users, uid => people.userName(uid)),
          groups: names(groups, gid => people.groupName(gid)),
        }),
      })
    },
  },
}

async function both(
  id: number,
  body: Uint8Array,
  { region }: Workplace,
  act: (from: Buffer, to: Buffer) => Promise<void>,
): Promise<Reply> {
  const { from, to } = TwoPaths.decode(body)
  await at(region.entry(from), old => at(region.entry(to), fresh => act(old, fresh)))
  return done(id)
}

async function fileSystem(id: number, path: Buffer): Promise<Reply> {
  const found = await statfs(path, { bigint: true })
  const body = FileSystem.encode({
    blockSize: found.bsize,
    fragmentSize: found.bsize,
    blocks: found.blocks,
    blocksFree: found.bfree,
    blocksAvailable: found.bavail,
    files: found.files,
    filesFree: found.ffree,
    filesAvailable: found.ffree,
    id: 0n,
    flags: 0n,
    nameMax: NAME_MAX,
  })
  return ExtendedReply.encode({ id, body })
}

/** `~`, `~/x`, `~user/x`; anything else is as it is. */
function expand(path: string, { region, people }: { region: Region } & Pick<Workplace, 'people'>) {
  const [, user, rest] = /^~([^/]*)(.*)$/s.exec(path) ?? []
  if (user === undefined) return path
  const home = user === '' ? region.start : people.homeOf(user)
  if (home === null) throw new SftpError(RESULT.noSuchFile, 'no such user')
  return posix.join(home, rest ?? '')
}
