/** Attributes of SFTP from what the file system says, and the line that `ls -l` would print. */

import { type BigIntStats, constants } from 'node:fs'
import { ATTRIBUTE, type Attributes } from './packets.ts'
import type { People } from './people.ts'

const U32_MAX = 0xffffffff
const { S_IFMT, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK } = constants
const KINDS: Readonly<Record<number, string>> = {
  [S_IFDIR]: 'd',
  [S_IFLNK]: 'l',
  [S_IFCHR]: 'c',
  [S_IFBLK]: 'b',
  [S_IFIFO]: 'p',
  [S_IFSOCK]: 's',
}
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const HALF_A_YEAR_MS = 182 * 24 * 3_600_000

/** Nothing said. */
export const NO_ATTRIBUTES: Attributes = {
  flags: 0,
  size: null,
  owner: null,
  mode: null,
  times: null,
}

export function attributesOf(stats: BigIntStats): Attributes {
  return {
    flags: ATTRIBUTE.size | ATTRIBUTE.owner | ATTRIBUTE.mode | ATTRIBUTE.times,
    size: stats.size,
    owner: { uid: Number(stats.uid), gid: Number(stats.gid) },
    mode: Number(stats.mode),
    times: { accessed: seconds(stats.atimeMs), modified: seconds(stats.mtimeMs) },
  }
}

/** Times before 1970 and after 2106 have no place in the protocol. */
const seconds = (ms: bigint): number => Math.min(Math.max(Number(ms / 1_000n), 0), U32_MAX)

/** One line of `ls -l`, for clients that show it as it is. */
export function longName(name: string, stats: BigIntStats, people: People, now: number): string {
  const owner = people.userName(Number(stats.uid)).padEnd(8)
  const group = people.groupName(Number(stats.gid)).padEnd(8)
  const links = `${stats.nlink}`.padStart(3)
  const size = `${stats.size}`.padStart(8)
  return `${permissions(Number(stats.mode))} ${links} ${owner} ${group} ${size} ${date(stats, now)} ${name}`
}

function permissions(mode: number): string {
  const letters = [0, 3, 6].map(at => {
    const bits = mode >> (6 - at)
    const special = mode & (0o4000 >> (at / 3))
    const run = bits & 1
    const [set, unset] = at === 6 ? 't' + 'T' : 's' + 'S'
    const last = special ? (run ? set : unset) : run ? 'x' : '-'
    return `${bits & 4 ? 'r' : '-'}${bits & 2 ? 'w' : '-'}${last}`
  })
  return (KINDS[mode & S_IFMT] ?? '-') + letters.join('')
}

function date({ mtime, mtimeMs }: BigIntStats, now: number): string {
  const day = `${MONTHS[mtime.getMonth()]} ${`${mtime.getDate()}`.padStart(2)}`
  const two = (value: number) => `${value}`.padStart(2, '0')
  const isRecent = Math.abs(now - Number(mtimeMs)) < HALF_A_YEAR_MS
  const rest = isRecent
    ? `${two(mtime.getHours())}:${two(mtime.getMinutes())}`
    : ` ${mtime.getFullYear()}`
  return `${day} ${rest}`
}
