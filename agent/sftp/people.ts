/** The names of users and groups by their numbers, and where users live: /etc/passwd and /etc/group, read when first asked. */

import { readFileSync } from 'node:fs'

/** Longer files are those of machines whose users are in a directory service, and are not read whole. */
const FILE_MAX = 4 * 1024 * 1024

export class People {
  private users: readonly (readonly string[])[] | null = null
  private groups: readonly (readonly string[])[] | null = null

  /** The name, or the number where it has none. */
  userName(uid: number): string {
    this.users ??= rows('/etc/passwd')
    return nameOf(this.users, uid) ?? `${uid}`
  }

  groupName(gid: number): string {
    this.groups ??= rows('/etc/group')
    return nameOf(this.groups, gid) ?? `${gid}`
  }

  /** Null where there is no such user. */
  homeOf(user: string): string | null {
    this.users ??= rows('/etc/passwd')
    return this.users.find(([name]) => name === user)?.[5] ?? null
  }
}

const nameOf = (table: readonly (readonly string[])[], id: number): string | undefined =>
  table.find(([, , number]) => number === `${id}`)?.[0]

/** One character a byte, as file names are here. */
function rows(path: string): string[][] {
  try {
    const text = readFileSync(path, 'latin1').slice(0, FILE_MAX)
    return text.split('\n').map(line => line.split(':'))
  } catch {
    return []
  }
}
