/**
 * The users of this machine, as sessions run as them: who they are, their groups, their login shell, and whether they
 * may log in. Read from /etc at each login, since accounts come and go; users of a directory service are not known.
 */

import { existsSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { Clock } from '../src/base/clock.ts'
import { isUserName } from '../src/box/ssh-announcement.ts'
import { type Account, NO_SHELLS } from './environment.ts'

/** Longer files are those of machines with more accounts than people look after by hand. */
const FILE_MAX = 4 * 1024 * 1024
const DAY_MS = 24 * 3_600_000
/** What passwd(5) means by an empty shell. */
const DEFAULT_SHELL = '/bin/sh'
const ID_MAX = 0xffff_fffe

/** Why nothing runs as a user. */
export type NoAccount = 'USER_UNKNOWN' | 'USER_OUT_OF_REACH' | 'USER_CLOSED'

export interface AccountsOptions {
  /** Whoever the agent runs as. */
  readonly own: Account
  /** Whether the agent may become somebody else. */
  readonly isRoot: boolean
  readonly now: () => number
  /** Where passwd, group and shadow lie. */
  readonly directory?: string
}

export class Accounts {
  private readonly options: AccountsOptions

  constructor(options: AccountsOptions) {
    this.options = options
  }

  /** The account of a user, or why there is none to be had. Whoever the agent runs as is had without more. */
  find(user: string): Account | NoAccount {
    const { own, isRoot, now } = this.options
    if (user === own.name) return own
    if (!isRoot) return 'USER_OUT_OF_REACH'
    const row = isUserName(user) ? this.row('passwd', user) : null
    const [uid, gid] = [idOf(row?.[2]), idOf(row?.[3])]
    if (!row || uid === null || gid === null) return 'USER_UNKNOWN'
    const [home = '', shell = ''] = row.slice(5)
    const isClosed = NO_SHELLS.includes(basename(shell)) || this.hasExpired(user, now())
    if (isClosed) return 'USER_CLOSED'
    return {
      name: user,
      home: home.startsWith('/') && existsSync(home) ? home : '/',
      shell: shell.startsWith('/') ? shell : DEFAULT_SHELL,
      identity: { uid, gid, groups: this.groupsOf(user, gid) },
    }
  }

  /** Of whoever was found a moment ago; null: whoever the agent runs as. Throws where that account is gone. */
  still(user: string | null): Account {
    const found = user === null ? this.options.own : this.find(user)
    if (typeof found === 'string') throw new Error(found)
    return found
  }

  /** As `chage -E` and `usermod -e` have it: by then a key lets nobody in either. */
  private hasExpired(user: string, now: number): boolean {
    const day = idOf(this.row('shadow', user)?.[7])
    return day !== null && day <= Math.floor(now / DAY_MS)
  }

  private groupsOf(user: string, gid: number): readonly number[] {
    const rows = this.rows('group').filter(row => row[3]?.split(',').includes(user))
    return [...new Set([gid, ...rows.flatMap(row => idOf(row[2]) ?? [])])]
  }

  private row(file: string, name: string): readonly string[] | null {
    return this.rows(file).find(row => row[0] === name) ?? null
  }

  private rows(file: string): readonly (readonly string[])[] {
    const { directory = '/etc' } = this.options
    try {
      const text = readFileSync(`${directory}/${file}`, 'latin1').slice(0, FILE_MAX)
      return text.split('\n').map(line => line.split(':'))
    } catch {
      return []
    }
  }
}

const idOf = (text: string | undefined): number | null =>
  text !== undefined && /^\d{1,10}$/.test(text) && Number(text) <= ID_MAX ? Number(text) : null

/** Of the machine that this process runs on. */
export const accountsBeside = (own: Account, clock: Clock): Accounts =>
  new Accounts({ own, isRoot: process.getuid?.() === 0, now: () => clock.now() })
