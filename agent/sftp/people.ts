/** The names of users and groups by their numbers, and where users live: /etc/passwd and /etc/group, read when first asked. */

import { readFileSync } from 'node:fs'

/** Longer files are those of machines whose users are in a directory service, and are not read whole. */
const FILE_MAX = 4 * 1024 * 1024

interface Table {
  readonly rows: readonly (readonly string[])[]
  /** By number: a client may ask for tens of thousands at once. */
  readonly names: ReadonlyMap<string, string>
}

export class People {
  private users: Table | null = null
  private groups: Table | null = null

  /** The name, or the number where it has none. */
  userName(uid: number): string {
    this.users ??= tableOf('/etc/passwd')
    return this.users.names.get(`${uid}`) ?? `${uid}`
  }

  groupName(gid: number): string {
    this.groups ??= tableOf('/etc/group')
    return this.groups.names.get(`${gid}`) ?? `${gid}`
  }

  /** Null where there is no such user. */
  homeOf(user: string): string | null {
    this.users ??= tableOf('/etc/passwd')
    return this.users.rows.find(([name]) => name === user)?.[5] ?? null
  }
}

/** One character a byte, as file names are here. */
function tableOf(path: string): Table {
  try {
    const text = readFileSync(path, 'latin1').slice(0, FILE_MAX)
    const rows = text.split('\n').map(line => line.split(':'))
    // The first of those with one number counts.
    const names = rows.map(([name = '', , number = '']) => [number, name] as const).toReversed()
    return { rows, names: new Map(names) }
  } catch {
    return { rows: [], names: new Map() }
  }
}
