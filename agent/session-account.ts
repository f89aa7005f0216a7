/** The account that a session runs as: who may use it, and what a program of it is started with. */

import type { PseudoTtyInfo } from 'ssh2'
import type { Right } from '../src/box/grant.ts'
import { allowsCommand, allowsUser } from '../src/box/scope.ts'
import { type Account, loginEnvironment, type RequestedVariables } from './environment.ts'
import type { TerminalRequest } from './pty.ts'
import type { Caller } from './ssh-server.ts'

/** What a client told when it asked for a terminal. `term` is missing from the types of ssh2. */
export type Terminal = PseudoTtyInfo & { readonly term?: string }

interface Seat {
  readonly account: Account
  readonly caller: Caller
}

export function permits({ caller, account }: Seat, right: Right, detail: string): boolean {
  const scope = caller.scope()
  if (!caller.allows(right)) return false
  if (right === 'exec') return allowsCommand(scope, detail) && allowsUser(scope, account.name)
  return right !== 'shell' || allowsUser(scope, account.name)
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
  const { home: cwd, shell: file } = seat.account
  const { cols: columns, rows } = terminal
  const env = environmentOf(seat, terminal.term ?? 'dumb', requested)
  return { file, args, env, cwd, columns, rows, as: null }
}
