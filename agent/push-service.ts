/**
 * The device's side of pushing configuration (src/box/push-talk.ts): who may ask for what, and the applier
 * does it. A change can be confirmed only over a channel that was opened after it, and only while a new
 * connection to a hub can be made: one that merely outlived the change proves nothing.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Log } from '../src/base/log.ts'
import { LIMITS } from '../src/box/bundle/limits.ts'
import type { Right } from '../src/box/grant.ts'
import type { Session } from '../src/box/handshake.ts'
import type { FileChange, PushStatus } from '../src/box/push-report.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import type { Disk } from '../src/sys/disk.ts'
import type { Applied, Applier } from './apply/applier.ts'
import { driftOf } from './apply/drift.ts'
import type { Place } from './apply/state-of-files.ts'
import { listFiles, readFileFor } from './file-reading.ts'

/** A bundle of a thousand files, and what goes with it. */
const REQUESTS_MAX = 2 * LIMITS.files

export interface PushServiceOptions {
  readonly clock: Clock
  readonly log: Log
  readonly disk: Disk
  readonly applier: Applier
  readonly roots: readonly string[]
  readonly allows: (right: Right) => boolean
  /** Whether a new connection to a hub can be made now. */
  readonly dials: () => Promise<boolean>
}

/** Serves one channel. Never fails; the channel is closed when this resolves. */
export async function servePush({ channel }: Session, options: PushServiceOptions): Promise<void> {
  const talk = new PushTalk(channel, options.clock)
  const serving = new Serving(talk, options)
  try {
    for (let i = 0; i < REQUESTS_MAX; i++) {
      const { kind, body } = await talk.asked()
      try {
        await serving.serve(kind, body)
      } catch (error) {
        if (!(error instanceof BoxError) || error.family === 'unreachable') throw error
        options.log.note('info', 'push', 'refused', { kind, why: error.detail })
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

class Serving {
  private readonly talk: PushTalk
  private readonly options: PushServiceOptions
  private readonly since: number
  private offered: Uint8Array | null = null

  constructor(talk: PushTalk, options: PushServiceOptions) {
    this.talk = talk
    this.options = options
    this.since = options.clock.elapsed()
  }

  async serve(kind: PushKind | null, body: Json): Promise<void> {
    const { talk } = this
    const { allows, applier, disk, roots } = this.options
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
        return this.tell(await applier.apply(this.mustHaveOffer(), step => talk.progress({ step })))
      case 'back':
        return this.tell(await applier.goBack(generationOf(body), step => talk.progress({ step })))
      case 'confirm':
        return await this.confirm(textOf(body.id))
      case 'status':
        return talk.answer(statusOf(applier))
      case 'drift':
        return talk.answer({ drift: driftOf(disk, applier.state) })
      case 'list':
        return talk.answer({ files: listFiles(disk, textOf(body.path), roots) })
      case 'read': {
        const content = readFileFor(disk, textOf(body.path), roots)
        talk.answer({ size: content.length })
        return await talk.sendParts(content)
      }
    }
  }

  private async offer(body: Json): Promise<void> {
    const signed = await this.talk.takeParts(body.size, LIMITS.releaseBytes)
    const { missing } = this.options.applier.offer(signed)
    this.offered = signed
    this.talk.answer({ missing: missing.map(id => Buffer.from(id).toString('hex')) })
  }

  private mustHaveOffer(): Uint8Array {
    if (this.offered) return this.offered
    throw new BoxError('PUSH_REFUSED', 'Nothing was offered.')
  }

  private tell(applied: Applied): void {
    this.talk.answer(applied)
  }

  private async confirm(id: string): Promise<void> {
    const { applier, dials } = this.options
    const { awaitingSince } = applier
    if (awaitingSince !== null && this.since <= awaitingSince)
      throw new BoxError('PUSH_REFUSED', 'This channel is older than the change.')
    if (awaitingSince !== null && !(await dials()))
      throw new BoxError('PUSH_REFUSED', 'No new connection to a hub can be made since the change.')
    this.talk.answer({ outcome: applier.confirm(id) })
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
