/** How far a grant shall go, as somebody says it: checked before it is signed. For commands and the API alike. */

import { BoxError } from '../src/base/errors.ts'
import { isApprovable } from '../src/box/approval.ts'
import type { Right } from '../src/box/grant.ts'
import type { Scope } from '../src/box/scope.ts'
import { isUserName } from '../src/box/ssh-announcement.ts'

/** What is left out narrows nothing, and demands nothing. */
export interface WantedScope {
  readonly users?: readonly string[] | undefined
  readonly commands?: readonly string[] | undefined
  readonly paths?: readonly string[] | undefined
  readonly targets?: readonly string[] | undefined
  readonly recorded?: boolean | undefined
  readonly approved?: boolean | undefined
}

const AS_USER: readonly Right[] = ['shell', 'exec', 'files', 'forward']
/** Each list, and the rights that it narrows. */
const NARROWED = {
  ...{ users: AS_USER, commands: ['exec'], paths: ['files'], targets: ['forward'] },
} as const satisfies Record<string, readonly Right[]>

/** Throws INPUT_INVALID, also where something is narrowed that is not granted: it would look like more than it is. */
export function scopeFor(rights: readonly Right[], wanted: WantedScope): Scope {
  const { users, paths, recorded = false, approved = false } = wanted
  const narrowed = (name: keyof typeof NARROWED) => {
    const needed: readonly Right[] = NARROWED[name]
    if (wanted[name] && !needed.some(right => rights.includes(right)))
      throw invalid(`What narrows ${name} goes with the right ${needed.join(' or ')}.`)
    return wanted[name] ?? null
  }
  const wrong = users?.find(user => !isUserName(user))
  if (wrong !== undefined) throw invalid(`"${wrong}" is no name of a user.`)
  if (paths?.some(one => !one.startsWith('/'))) throw invalid('The paths are from the root.')
  if (approved) mustBeApprovable(rights)
  return {
    ...{ users: narrowed('users'), commands: narrowed('commands') },
    ...{ paths: narrowed('paths'), targets: narrowed('targets') },
    ...{ recorded, approved },
  }
}

/** A demand for approval would not hold for what cannot be approved. */
function mustBeApprovable(rights: readonly Right[]): void {
  const other = rights.find(right => !isApprovable(right))
  if (other !== undefined) throw invalid(`What ${other} does cannot be approved: grant it without.`)
  if (!rights.some(right => right === 'exec' || right === 'shell'))
    throw invalid('Approved is what exec and shell do.')
}

const invalid = (text: string) => new BoxError('INPUT_INVALID', text)
