/**
 * The environment of a program on the device: what its user would have after a login, what the client may
 * add, and nothing of the agent's own (a service has NOTIFY_SOCKET, NODE_OPTIONS and the like).
 */

import { existsSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename } from 'node:path'

/** Kept from the agent's environment: how the machine is set up, not what the agent is. */
const KEPT = /^(PATH|LANG|LC_[A-Z]+|TZ)$/
/** What a client may set (the whitelist of stock OpenSSH), and how much of it. */
const ALLOWED = /^(LANG|LC_[A-Z]+|COLORTERM)$/
const VALUE_MAX = 256
const VARIABLES_MAX = 32
/** Of other users than the agent's: where its own programs lie may be nothing to them. */
const USER_PATH = '/usr/local/bin:/usr/bin:/bin'
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Of accounts that nobody logs in to. */
export const NO_SHELLS = ['nologin', 'false', 'true']

/** As whom the programs of a session run: whoever runs the agent, or the user that was asked for (accounts.ts). */
export interface Account {
  readonly name: string
  readonly home: string
  readonly shell: string
  /** Null: that of this process. */
  readonly identity: Identity | null
}

/** As the kernel knows an account: user, group, and all groups. */
export interface Identity {
  readonly uid: number
  readonly gid: number
  readonly groups: readonly number[]
}

/** The account of this process; `shell` of the configuration wins over that of the system. */
export function ownAccount(shell: string | null): Account {
  const { username, homedir, shell: login } = entryOfUser()
  const usable = login && !NO_SHELLS.includes(basename(login)) ? login : '/bin/sh'
  const home = existsSync(homedir) ? homedir : '/'
  return { name: username, home, shell: shell ?? usable, identity: null }
}

/** The line of /etc/passwd; a container, or a system made by hand, may have none for us. */
function entryOfUser(): { username: string; homedir: string; shell: string | null } {
  try {
    return userInfo()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SYSTEM_ERROR') throw error
    return { username: String(process.getuid?.()), homedir: '/', shell: null }
  }
}

/** Variables that a client has set. */
export class RequestedVariables {
  private readonly values = new Map<string, string>()

  /** False where the variable is not one that clients may set. */
  set(name: string, value: string): boolean {
    if (!ALLOWED.test(name) || value.length > VALUE_MAX || value.includes('\0')) return false
    if (this.values.size >= VARIABLES_MAX) return false
    this.values.set(name, value)
    return true
  }

  entries(): Record<string, string> {
    return Object.fromEntries(this.values)
  }
}

export interface EnvironmentOptions {
  readonly account: Account
  /** How the owner calls the device. */
  readonly deviceName: string
  readonly requested: RequestedVariables
  /** The kind of terminal; null without one. */
  readonly term: string | null
  /** The agent's own environment. */
  readonly base: NodeJS.ProcessEnv
}

export function loginEnvironment({
  account,
  deviceName,
  requested,
  term,
  base,
}: EnvironmentOptions): Record<string, string> {
  return {
    PATH: DEFAULT_PATH,
    ...keptOf(base),
    ...(account.identity && { PATH: USER_PATH }),
    ...requested.entries(),
    HOME: account.home,
    USER: account.name,
    LOGNAME: account.name,
    SHELL: account.shell,
    BOX_DEVICE: deviceName,
    ...(term === null ? {} : { TERM: termOf(term) }),
  }
}

const kept = new WeakMap<NodeJS.ProcessEnv, Readonly<Record<string, string>>>()

/** Read once: the environment of this process does not change, and to go through it takes longer than all else here. */
function keptOf(base: NodeJS.ProcessEnv): Readonly<Record<string, string>> {
  const known = kept.get(base)
  if (known) return known
  const names = Object.keys(base).filter(name => KEPT.test(name))
  const found = Object.fromEntries(
    names.flatMap(name => (base[name] === undefined ? [] : [[name, base[name]]])),
  )
  kept.set(base, found)
  return found
}

/** The names of terminals are words; anything else would be a surprise for the program. */
const termOf = (term: string): string => (/^[A-Za-z0-9._+-]{1,64}$/.test(term) ? term : 'dumb')
