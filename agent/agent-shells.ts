/** The SSH server of an agent, and who its shells belong to that it finds where an agent before has left them. */

import type { GrantBook } from '../src/box/grant.ts'
import type { AgentParts } from './agent.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { Account } from './environment.ts'
import type { Custody } from './lasting-shells.ts'
import type { Recordings } from './recordings.ts'
import { SshServer } from './ssh-server.ts'

const MINUTE_MS = 60_000

interface Rules {
  readonly grants: GrantBook
  readonly audit: AuditNotes
  readonly recordings: Recordings
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
  const { approvals, recordings } = rules
  const { recorder } = recordings
  const self = { hostKey, account, clock, log }
  return new SshServer({ ...self, keepShellsMs, custody, recorder, approvals })
}

/** Shells that are found belong to whoever opened them; what that may do now, the grants say. */
const custodyOf = (
  { keeper, clock }: Parts,
  { grants, audit, recordings }: Pick<Rules, 'grants' | 'audit' | 'recordings'>,
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
        record: label => recordings.onward(label),
      }
    : null
