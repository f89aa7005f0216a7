/**
 * The device's side of pushing configuration (src/box/push-talk.ts): who may ask for what, and the applier
 * does it. A change can be confirmed only over a channel that was opened after it, and only while a new
 * connection to a hub can be made: one that merely outlived the change proves nothing.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import { LIMITS } from '../src/box/bundle/limits.ts'
import type { Right } from '../src/box/grant.ts'
import type { Session } from '../src/box/handshake.ts'
import type { FileChange, PushStatus } from '../src/box/push-report.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import type { Disk } from '../src/sys/disk.ts'
import type { Applied, Applier } from './apply/applier.ts'
import { driftOf } from './apply/drift.ts'
import type { Act } from './apply/push-state.ts'
import type { Place } from './apply/state-of-files.ts'
import { listFiles, readFileFor } from './file-reading.ts'
import { aboutRelease, type PushAudit, type PushRequested } from './push-audit.ts'

/** A bundle of a thousand files, and what goes with it. */
const REQUESTS_MAX = 2 * LIMITS.files

export interface PushServiceOptions {
  readonly clock: Clock
  readonly log: Log
  readonly disk: Disk
  readonly applier: Applier
  readonly audit: PushAudit
  /** Told how many files have drifted, when somebody wanted to know. */
  readonly drifted: (count: number) => void
  readonly roots: readonly string[]
  readonly allows: (right: Right) => boolean
  /** Whether a new connection to a hub can be made now. */
  readonly dials: () => Promise<boolean>
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function servePush(
  { channel, peerZone }: Session,
  options: PushServiceOptions,
): Promise<void> {
  const talk = new PushTalk(channel, options.clock)
  const serving = new Serving(talk, peerZone, options)
  try {
    for (let i = 0; i < REQUESTS_MAX; i++) {
      const { kind, body } = await talk.asked()
      try {
        await serving.serve(kind, body)
      } catch (error) {
        if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
        options.log.note('info', 'push', 'refused', { kind, why: error.detail })
        serving.noteRefusal(kind, error)
        talk.fail(error)
      }
    }
  } catch (error) {
    // The other side is done, or talks nonsense: either way the dialogue ends.
    if (!(error instanceof BoxError)) throw error
  } finally {
    talk.close()
  }
}

/** What only looks needs less than what changes. */
const RIGHTS: Readonly<Partial<Record<PushKind, Right>>> = { status: 'status', drift: 'status' }
/** What changes something is written down. */
const ACTS: Readonly<Partial<Record<PushKind, Act>>> = {
  ...{ offer: 'push', apply: 'push', confirm: 'push', back: 'rollback' },
}

class Serving {
  private readonly talk: PushTalk
  private readonly options: PushServiceOptions
  private readonly since: number
  private readonly caller: ZoneKey
  private offered: Uint8Array | null = null
  /** Which release, or generation, it was about last. */
  private about = ''

  constructor(talk: PushTalk, caller: ZoneKey, options: PushServiceOptions) {
    this.talk = talk
    this.caller = caller
    this.options = options
    this.since = options.clock.elapsed()
  }

  async serve(kind: PushKind | null, body: Json): Promise<void> {
    const { talk } = this
    const { allows, applier, disk, roots, drifted } = this.options
    const right = (kind && RIGHTS[kind]) ?? 'push'
    if (!(allows('push') || allows(right))) throw new BoxError('NOT_PERMITTED')
    switch (kind) {
      case null:
        throw new BoxError('PUSH_REFUSED', 'This device is too old for that.')
      case 'offer':
        return await this.offer(body)
      case 'content':
        applier.take(await talk.takeParts(body.size, LIMITS.fileBytes))
        return talk.answer({})
      case 'plan':
        return talk.answer({ changes: applier.plan(this.mustHaveOffer()).places.map(changeOf) })
      case 'apply':
        return await this.apply()
      case 'back':
        return await this.goBack(generationOf(body))
      case 'confirm':
        return await this.confirm(textOf(body.id))
      case 'status':
        return talk.answer(statusOf(applier))
      case 'drift': {
        const drift = driftOf(disk, applier.state)
        drifted(drift.length)
        return talk.answer({ drift })
      }
      case 'list':
        return talk.answer({ files: listFiles(disk, textOf(body.path), roots) })
      case 'read': {
        const content = readFileFor(disk, textOf(body.path), roots)
        talk.answer({ size: content.length })
        return await talk.sendParts(content)
      }
      default:
        throw new BoxError('PUSH_REFUSED', 'That is to be asked of a relay.')
    }
  }

  private async offer(body: Json): Promise<void> {
    this.about = ''
    const signed = await this.talk.takeParts(body.size, LIMITS.releaseBytes)
    this.about = aboutRelease(signed)
    const { missing } = this.options.applier.offer(signed)
    this.offered = signed
    this.talk.answer({ missing: missing.map(id => Buffer.from(id).toString('hex')) })
  }

  private mustHaveOffer(): Uint8Array {
    if (this.offered) return this.offered
    throw new BoxError('PUSH_REFUSED', 'Nothing was offered.')
  }

  private async apply(): Promise<void> {
    const { applier, audit } = this.options
    const signed = this.mustHaveOffer()
    this.about = aboutRelease(signed)
    audit.begun(this.requested('push'))
    const applied = await applier.apply(signed, step => this.talk.progress({ step }))
    if (applied.is === 'unchanged') audit.unchanged(this.requested('push'))
    this.tell(applied)
  }

  private async goBack(generation: number | null): Promise<void> {
    const { applier, audit } = this.options
    this.about = `to ${generation === null ? 'the generation before' : `generation ${generation}`}`
    audit.begun(this.requested('rollback'))
    this.tell(await applier.goBack(generation, step => this.talk.progress({ step })))
  }

  private tell(applied: Applied): void {
    this.talk.answer(applied)
  }

  private requested(act: Act): PushRequested {
    return { zone: this.caller, act, about: this.about }
  }

  /** Writes down that a change was not made, and why. */
  noteRefusal(kind: PushKind | null, { detail, message }: BoxError): void {
    const act = kind && ACTS[kind]
    if (act) this.options.audit.refused(this.requested(act), detail || message)
  }

  private async confirm(id: string): Promise<void> {
    const { applier, dials } = this.options
    const { awaitingSince } = applier
    if (awaitingSince !== null && this.since <= awaitingSince)
      throw new BoxError('PUSH_REFUSED', 'This channel is older than the change.')
    if (awaitingSince !== null && !(await dials()))
      throw new BoxError('PUSH_REFUSED', 'No new connection to a hub can be made since the change.')
    this.talk.answer({ outcome: applier.confirm(id, this.caller) })
  }
}

/** Not `String`: an object of JSON may have no text, and that would be no refusal. */
function textOf(said: unknown): string {
  if (typeof said === 'string') return said
  throw new BoxError('PUSH_REFUSED', 'A text is missing.')
}

function generationOf({ generation }: Json): number | null {
  if (generation === null || Number.isInteger(generation)) return generation as number | null
  throw new BoxError('PUSH_REFUSED', 'A generation is a number.')
}

function changeOf({ path, was, now }: Place): FileChange {
  if (was.is === 'absent') return { path, what: 'new' }
  if (now.is === 'absent') return { path, what: 'removed' }
  return { path, what: was.content === now.content ? 'access' : 'changed' }
}

function statusOf(applier: Applier): PushStatus {
  const { sequence, generations, last } = applier.state.history()
  const { open } = applier
  return {
    sequence,
    generation: generations.at(-1)!.number,
    open: open && { id: open.id, name: open.becomes.name, awaiting: open.step === 'awaiting' },
    last,
    generations: generations.map(({ number, name, sequence, signer, at, files }) => ({
      ...{ number, name, sequence, signer, at },
      files: Object.keys(files).length,
    })),
  }
}
