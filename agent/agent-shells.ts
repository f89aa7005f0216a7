/** The SSH server of an agent, as whom its sessions run, and who its shells belong to that it finds where an agent before has left them. */

import type { Clock } from '../src/base/clock.ts'
import type { GrantBook } from '../src/box/grant.ts'
import { Accounts } from './accounts.ts'
import type { AgentParts } from './agent.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { Account } from './environment.ts'
import type { Custody } from './lasting-shells.ts'
import type { Recorder } from './recorder.ts'
import { SshServer } from './ssh-server.ts'

const MINUTE_MS = 60_000

interface Rules {
  readonly grants: GrantBook
  readonly audit: AuditNotes
  /** Null where nothing can be recorded. */
  readonly recorder: Recorder | null
  readonly approvals: ApprovalDesk
}

type Parts = Pick<AgentParts, 'config' | 'clock' | 'log' | 'keeper'>

export function sshServerOf(
  hostKey: string,
  account: Account,
  parts: Parts,
  rules: Rules,
): SshServer {
  const { config, clock, log } = parts
  const keepShellsMs = config.keepShellsMinutes * MINUTE_MS
  const custody = custodyOf(parts, rules)
  const { recorder, approvals } = rules
  const self = { hostKey, account, clock, log }
  return new SshServer({ ...self, keepShellsMs, custody, recorder, approvals })
}

export const accountsOf = (own: Account, clock: Clock): Accounts =>
  new Accounts({ own, isRoot: process.getuid?.() === 0, now: () => clock.now() })

/** Shells that are found belong to whoever opened them; what that may do now, the grants say. */
const custodyOf = (
  { keeper, clock }: Parts,
  { grants, audit }: Pick<Rules, 'grants' | 'audit'>,
): Custody | null =>
  keeper
    ? {
        keeper,
        ownerOf: ({ zone, key, user }) => ({
          zone,
          name: grants.find(zone, clock.now())?.holder ?? '',
          allows: right => grants.allows(zone, right, clock.now()),
          note: audit.by(zone, key, user),
        }),
      }
    : null
