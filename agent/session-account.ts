/** The account that a session runs as: who may use it, and what a program of it is started with. */

import type { PseudoTtyInfo } from 'ssh2'
import type { Right } from '../src/box/grant.ts'
import { allowsCommand, isForUser, reachesAll } from '../src/box/scope.ts'
import type { Accounts, NoAccount } from './accounts.ts'
import {
  type Account,
  type Identity,
  loginEnvironment,
  type RequestedVariables,
} from './environment.ts'
import type { TerminalRequest } from './pty.ts'
import type { Caller } from './ssh-server.ts'

/** What a client told when it asked for a terminal. `term` is missing from the types of ssh2. */
export type Terminal = PseudoTtyInfo & { readonly term?: string }

/** In the place of a user that there is not. */
const NOBODY: Identity = { uid: 65_534, gid: 65_534, groups: [] }

interface Seat {
  readonly account: Account
  readonly caller: Caller
}

/** Rights to do something on the machine, which somebody does it as. */
const AS_USER: readonly Right[] = ['shell', 'exec', 'files', 'forward']

export function permits({ caller, account }: Seat, right: Right, detail: string): boolean {
  if (!caller.allows(right)) return false
  if (AS_USER.includes(right) && !mayBe(caller, account)) return false
  return right !== 'exec' || allowsCommand(caller.scope(), detail)
}

/** Whether somebody may be this user: one that the grant names, or any other one for an owner, whose grant says it all. */
export function mayBe(
  { scope, allows }: Pick<Caller, 'scope' | 'allows'>,
  { name, identity }: Account,
): boolean {
  const narrowed = scope()
  return isForUser(narrowed, name, identity === null) || (allows('admin') && reachesAll(narrowed))
}

/** Why somebody may not be this user; null where nothing speaks against it. Who may not is not told who there is. */
export function refusalOf(
  caller: Pick<Caller, 'scope' | 'allows'>,
  user: string,
  accounts: Pick<Accounts, 'find'>,
): 'USER_NOT_GRANTED' | NoAccount | null {
  const account = accounts.find(user)
  if (typeof account !== 'string') return mayBe(caller, account) ? null : 'USER_NOT_GRANTED'
  const unknown = { name: user, home: '/', shell: '/', identity: NOBODY }
  return mayBe(caller, unknown) ? account : 'USER_NOT_GRANTED'
}

export function environmentOf(
  { account, caller }: Seat,
  term: string | null,
  requested: RequestedVariables,
): Record<string, string> {
  const { deviceName } = caller
  return loginEnvironment({ account, deviceName, requested, term, base: process.env })
}

export function terminalRequest(
  seat: Seat,
  terminal: Terminal,
  args: readonly string[],
  requested: RequestedVariables,
): TerminalRequest {
  const { home: cwd, shell: file, identity: as } = seat.account
  const { cols: columns, rows } = terminal
  const env = environmentOf(seat, terminal.term ?? 'dumb', requested)
  return { file, args, env, cwd, columns, rows, as }
}
