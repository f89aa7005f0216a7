/** The SSH server of an agent, and who its shells belong to that it finds where an agent before has left them. */

import type { ZoneKey } from '../src/base/ids.ts'
import type { GrantBook } from '../src/box/grant.ts'
import type { AgentParts } from './agent.ts'
import type { ApprovalDesk } from './approval-desk.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { Account } from './environment.ts'
import type { Custody } from './lasting-shells.ts'
import type { Recorder } from './recorder.ts'
import { goOnRecording } from './session-recording.ts'
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

/** Shells that are found belong to whoever opened them; what that may do now, the grants say. */
function custodyOf(
  { keeper, clock }: Parts,
  { grants, audit, recorder }: Pick<Rules, 'grants' | 'audit' | 'recorder'>,
): Custody | null {
  if (!keeper) return null
  const namesOf = (zone: ZoneKey) => {
    const { holder: name = '', deviceName = '' } = grants.find(zone, clock.now()) ?? {}
    return { name, deviceName }
  }
  return {
    keeper,
    ownerOf: ({ zone, key, user }) => ({
      zone,
      name: namesOf(zone).name,
      allows: right => grants.allows(zone, right, clock.now()),
      note: audit.by(zone, key, user),
    }),
    record: label => goOnRecording(label, recorder, namesOf(label.zone)),
  }
}
