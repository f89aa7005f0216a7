/**
 * What waits on this device until another person approves it. It lies in memory: whoever asks waits over a
 * connection, and where that or the agent ends, nobody is there any more for whom it should be done.
 *
 * A request is `waiting` until one of these ends it: a verdict, its time, the requester's leaving. Then it is
 * forgotten, and a verdict about it is about nothing: it cannot be said twice.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Random } from '../src/base/random.ts'
import {
  type ApprovalKind,
  type ApprovalListing,
  type ApprovalRequest,
  approvalId,
  encodeApprovalRequest,
  NONCE_SIZE,
  openVerdict,
  requestHash,
} from '../src/box/approval.ts'
import type { Grant, GrantBook } from '../src/box/grant.ts'
import { allowsCommand, isForUser } from '../src/box/scope.ts'
import { sha256 } from '../src/crypto/hash.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { DeviceKeys } from './device-keys.ts'

/** Somebody must notice, look, and answer; what is older is asked again. */
export const APPROVAL_WAITS_MS = 30 * 60_000
/** Each is a command line and its input (held-session.ts) in the memory of a router. */
const WAITING_MAX = 32
/** Of one person: others must find room. */
const WAITING_PER_PERSON_MAX = 4

export interface ApprovalDeskOptions {
  readonly clock: Clock
  readonly random: Random
  readonly device: Pick<DeviceKeys, 'zone'>
  readonly grants: GrantBook
  readonly audit: Pick<AuditNotes, 'note'>
  /** The user that the agent runs as. */
  readonly own: string
}

/** What somebody wants done. */
export interface Wanted {
  readonly requester: ZoneKey
  /** The public SSH key they came with. */
  readonly publicKey: Uint8Array
  readonly kind: ApprovalKind
  readonly input: Uint8Array
  readonly user: string
  readonly line: string
}

export type ApprovalEnd =
  | { readonly is: 'approved' | 'denied'; readonly by: string }
  | { readonly is: 'expired' | 'withdrawn' }

export interface Waiting {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number
  readonly ended: Promise<ApprovalEnd>
  /** The requester does not want it any more. */
  withdraw(): void
}

interface Entry {
  readonly id: string
  readonly request: ApprovalRequest
  readonly encoded: Uint8Array
  readonly timer: Timer
  readonly end: (end: ApprovalEnd) => void
}

export class ApprovalDesk {
  private readonly options: ApprovalDeskOptions
  private readonly waiting = new Map<string, Entry>()

  constructor(options: ApprovalDeskOptions) {
    this.options = options
  }

  /**
   * Begins to wait. Throws INPUT_INVALID where it is too long to be shown, APPROVAL_DENIED where nobody else could
   * approve it, LIMIT_EXCEEDED.
   */
  ask(wanted: Wanted): Waiting {
    const { clock, random, device } = this.options
    const { requester, publicKey, kind, input, user, line } = wanted
    const askedAt = clock.now()
    const request: ApprovalRequest = {
      ...{ device: device.zone, requester, kind, user, line, askedAt },
      ...{ key: sha256(publicKey), nonce: random.bytes(NONCE_SIZE) },
      expiresAt: askedAt + APPROVAL_WAITS_MS,
      input: { size: input.length, hash: sha256(input) },
    }
    const encoded = encodeApprovalRequest(request)
    const id = approvalId(encoded)
    this.mustHaveRoom(id, request)
    const ended = new Promise<ApprovalEnd>(resolve => {
      const timer = clock.after(APPROVAL_WAITS_MS, () => this.finish(id, { is: 'expired' }))
      this.waiting.set(id, { id, request, encoded, timer, end: resolve })
    })
    this.note(requester, this.waiting.get(id)!, 'asked')
    const withdraw = () => this.finish(id, { is: 'withdrawn' })
    return { id, expiresAt: request.expiresAt, ended, withdraw }
  }

  /** What this person may approve, and what is theirs; the oldest first. */
  list(reader: ZoneKey): readonly ApprovalListing[] {
    return [...this.waiting.values()].flatMap(({ request, encoded }) => {
      const mayApprove = this.faultOf(reader, request) === null
      if (!mayApprove && !equalBytes(reader, request.requester)) return []
      return [{ request: encoded, who: this.nameOf(request.requester), mayApprove }]
    })
  }

  /**
   * Takes what `caller` says about a request. Throws SIGNATURE_INVALID, WIRE_MALFORMED, NOT_PERMITTED, and
   * APPROVAL_UNKNOWN where nothing of the kind waits: any more, or here, or as it was when it was shown.
   */
  judge(caller: ZoneKey, signed: Uint8Array): void {
    const verdict = openVerdict(signed)
    // Otherwise somebody could hand over what another one has said elsewhere.
    if (!equalBytes(verdict.approver, caller)) throw new BoxError('NOT_PERMITTED')
    const entry = [...this.waiting.values()].find(({ encoded }) =>
      equalBytes(requestHash(encoded), verdict.request),
    )
    if (!entry) throw new BoxError('APPROVAL_UNKNOWN')
    const fault = this.options.clock.now() >= entry.request.expiresAt && 'Its time is over.'
    const why = fault || this.faultOf(caller, entry.request)
    if (why) {
      this.note(caller, entry, 'refused')
      throw new BoxError('NOT_PERMITTED', why)
    }
    const is = verdict.isApproved ? 'approved' : 'denied'
    this.finish(entry.id, { is, by: this.nameOf(caller) }, caller)
  }

  private finish(id: string, end: ApprovalEnd, by?: ZoneKey): void {
    const entry = this.waiting.get(id)
    if (!entry) return
    this.waiting.delete(id)
    entry.timer.cancel()
    this.note(by ?? entry.request.requester, entry, end.is)
    entry.end(end)
  }

  private mustHaveRoom(id: string, request: ApprovalRequest): void {
    const all = [...this.waiting.values()]
    const own = all.filter(entry => this.isSamePerson(entry.request.requester, request.requester))
    if (all.length >= WAITING_MAX || own.length >= WAITING_PER_PERSON_MAX || this.waiting.has(id))
      throw new BoxError('LIMIT_EXCEEDED', 'As much waits for approval here as may.')
    const { grants } = this.options
    if (!grants.held().some(({ zone }) => this.faultOf(zone, request) === null))
      throw new BoxError('APPROVAL_DENIED', 'Nobody else may approve it on this device.')
  }

  /** Why this person may not approve it; null where they may: who could have it done, or may grant that. */
  private faultOf(zone: ZoneKey, request: ApprovalRequest): string | null {
    const { grants, clock, own } = this.options
    const grant = grants.find(zone, clock.now())
    if (!grant) return 'Whoever has no grant approves nothing.'
    if (this.isSamePerson(zone, request.requester)) return 'Nobody approves what they ask for.'
    return reaches(grant, request, own) ? null : 'Your grant does not reach so far.'
  }

  /** As far as it is known here: one key after another, and those whom an owner has called the same. */
  private isSamePerson(one: ZoneKey, other: ZoneKey): boolean {
    const { grants } = this.options
    if (equalBytes(grants.heirOf(one), grants.heirOf(other))) return true
    const [own, others] = [this.grantOf(one), this.grantOf(other)]
    // Who was paired has chosen their name, and two may have chosen the same.
    return own?.holder === others?.holder && ((own?.number ?? 0) > 0 || (others?.number ?? 0) > 0)
  }

  private nameOf(zone: ZoneKey): string {
    return this.grantOf(zone)?.holder ?? ''
  }

  private grantOf(zone: ZoneKey): Grant | undefined {
    return this.options.grants.all().find(grant => equalBytes(grant.zone, zone))
  }

  private note(zone: ZoneKey, { id, request }: Entry, result: string): void {
    const detail = `${id}: ${request.kind} by ${this.nameOf(request.requester)}: ${request.line}`
    this.options.audit.note({ zone, what: 'approval', detail, result })
  }
}

function reaches(
  { rights, scope }: Grant,
  { kind, user, line }: ApprovalRequest,
  own: string,
): boolean {
  if (rights.includes('admin')) return true
  if (!isForUser(scope, user, user === own)) return false
  const isShell = kind === 'shell' || kind === 'shell on a terminal'
  if (isShell) return rights.includes('shell')
  return rights.includes('exec') && allowsCommand(scope, line)
}
