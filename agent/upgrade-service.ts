/**
 * The device's side of an upgrade over the mesh (src/box/push-talk.ts): the signature is looked at before
 * anything is written, the executable comes in pieces, and what was made current has to be found over the mesh
 * by an owner, over a channel to the new process, before its time is over. Otherwise the version before is back.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import {
  EXECUTABLE_BYTES_MAX,
  HEAD_MAX,
  mustSuit,
  openReleaseHead,
  PIECE_HASH_SIZE,
  pieceCount,
  releaseRefused as refused,
} from '../src/box/executable-release.ts'
import type { Session } from '../src/box/handshake.ts'
import { type Json, type PushKind, PushTalk } from '../src/box/push-talk.ts'
import type { UpgradeState } from '../src/box/upgrade-report.ts'
import type { AuditNotes } from './audit-notes.ts'
import { IncomingRelease } from './incoming-release.ts'
import type { Upgrader } from './upgrader.ts'

/** As many pieces as the largest executable has, each asked for by itself, and what goes with them. */
const REQUESTS_MAX = 2 * pieceCount(EXECUTABLE_BYTES_MAX)
const OFFER_MAX = HEAD_MAX + pieceCount(EXECUTABLE_BYTES_MAX) * PIECE_HASH_SIZE
/** For the answer to leave before the agent ends. */
const RESTART_AFTER_MS = 1_000

export interface UpgradeServiceOptions {
  readonly clock: Clock
  readonly log: Log
  readonly audit: AuditNotes
  readonly upgrader: Upgrader
  /** Why now is no time for it; null where it is. */
  readonly busy: () => string | null
  /** Comes back when the mesh does its work. */
  readonly check: () => Promise<void>
}

export class UpgradeService {
  private readonly options: UpgradeServiceOptions
  /** The dialogue in which a release comes: a later one takes its place. */
  private current: Upgrading | null = null
  /** From when on the machine is changed: then nothing else begins. */
  private taking = false

  constructor(options: UpgradeServiceOptions) {
    this.options = options
    this.noteFailure()
  }

  /** Serves one channel. Never fails. */
  async serve({ channel, peerZone }: Session, allows: () => boolean): Promise<void> {
    const { clock, log } = this.options
    const talk = new PushTalk(channel, clock)
    const upgrading = new Upgrading(talk)
    try {
      await talk.serve(
        REQUESTS_MAX,
        async (kind, body) => {
          if (!allows()) throw new BoxError('NOT_PERMITTED')
          await this.answer(upgrading, peerZone, kind, body)
        },
        (kind, why) => {
          log.note('info', 'upgrade', 'refused', { kind, why: why.detail })
          if (kind === 'release' || kind === 'upgrade' || kind === 'prove')
            this.note(peerZone, [upgrading.version, why.detail].join(' ').trim(), 'refused')
        },
      )
    } finally {
      upgrading.close()
      if (this.current === upgrading) this.current = null
    }
  }

  close(): void {
    this.current?.close()
  }

  private async answer(
    upgrading: Upgrading,
    zone: ZoneKey,
    kind: PushKind | null,
    body: Json,
  ): Promise<void> {
    switch (kind) {
      case 'version':
        this.startWhatIsCurrent()
        return upgrading.talk.answer(this.state())
      case 'release':
        return await this.offer(upgrading, body)
      case 'pieces':
        return await upgrading.takePieces(body)
      case 'upgrade':
        return await this.take(upgrading, zone)
      case 'prove':
        return await this.prove(upgrading, zone, body.version)
      default:
        throw refused('This device is too old for that')
    }
  }

  private state(): UpgradeState {
    const { upgrader } = this.options
    const { version, machine, refusal } = upgrader
    const trial = upgrader.trial()
    return {
      ...{ version, machine, refusal, trial, failed: upgrader.failed() },
      awaiting: upgrader.isAwaiting(),
      taking: this.taking,
    }
  }

  /** An agent was killed while a release was put in place, and that was finished nevertheless: we are still the one before. */
  private startWhatIsCurrent(): void {
    if (this.taking || !this.options.upgrader.isOvertaken()) return
    this.taking = true
    this.restartSoon()
  }

  private restartSoon(): void {
    const { clock, upgrader } = this.options
    clock.after(RESTART_AFTER_MS, () => upgrader.restart())
  }

  private async offer(upgrading: Upgrading, { downgrade, head, size }: Json): Promise<void> {
    const { upgrader } = this.options
    const bytes = await upgrading.talk.takeParts(size, OFFER_MAX)
    const release = openReleaseHead(bytes, upgrader.keys())
    if (release.size !== head) throw refused('Its head is of another length')
    const { manifest } = release
    upgrading.begin(manifest.version, downgrade === true)
    this.mustBeFree()
    mustSuit(manifest, { ...upgrader, downgrade: downgrade === true })
    this.current?.close()
    this.current = upgrading
    const parts = { head: bytes.slice(0, release.size), hashes: bytes.slice(release.size) }
    const incoming = new IncomingRelease(upgrader.incoming, { manifest, ...parts })
    const missing = await upgrading.receive(incoming, upgrader.current)
    upgrading.talk.answer({ missing: missing.map(({ first, count }) => [first, count]) })
  }

  private mustBeFree(): void {
    const { upgrader, busy } = this.options
    if (upgrader.refusal) throw new BoxError('RELEASE_REFUSED', upgrader.refusal)
    if (this.taking) throw refused('Another version is being put in place')
    const trial = upgrader.trial()
    if (trial) throw refused(`${trial.version} is on trial`)
    const why = busy()
    if (why) throw refused(why)
  }

  private async take(upgrading: Upgrading, zone: ZoneKey): Promise<void> {
    const { upgrader } = this.options
    const { talk, version, downgrade } = upgrading
    this.mustBeFree()
    this.note(zone, version, 'begun')
    this.taking = true
    try {
      talk.progress({ step: 'looking at all of it' })
      const path = await upgrading.complete()
      talk.progress({ step: 'putting it in place' })
      // Whatever may be wrong with it: what is tried again begins anew.
      const before = await upgrader.take(path, { downgrade }).finally(() => upgrader.drop())
      this.note(zone, version, 'on trial')
      talk.answer({ before })
      this.restartSoon()
    } catch (error) {
      this.taking = false
      throw error
    }
  }

  private async prove(upgrading: Upgrading, zone: ZoneKey, version: unknown): Promise<void> {
    const { upgrader, check } = this.options
    if (!upgrader.isAwaiting() || version !== upgrader.version)
      throw refused(`${upgrader.version} is not on trial`)
    upgrading.begin(upgrader.version, false)
    await check()
    upgrader.prove()
    this.note(zone, upgrader.version, 'proven')
    upgrading.talk.answer({})
  }

  /** The version that was tried has not come up, or nobody found it: we are the one before. */
  private noteFailure(): void {
    const { audit, upgrader } = this.options
    const failed = upgrader.failed()
    if (failed === null || failed === upgrader.version) return
    const last = audit.all().findLast(({ what, result }) => what === 'upgrade' && isTurn(result))
    if (last?.result === 'on trial' && last.detail === failed) this.note(null, failed, 'gave way')
  }

  private note(zone: ZoneKey | null, detail: string, result: string): void {
    this.options.audit.note({ zone, what: 'upgrade', detail, result })
  }
}

const isTurn = (result: string): boolean => ['on trial', 'proven', 'gave way'].includes(result)

/** One dialogue, and the release that comes in it. */
class Upgrading {
  readonly talk: PushTalk
  version = ''
  downgrade = false
  private incoming: IncomingRelease | null = null
  private readonly over = new AbortController()

  constructor(talk: PushTalk) {
    this.talk = talk
  }

  begin(version: string, downgrade: boolean): void {
    this.version = version
    this.downgrade = downgrade
  }

  /** Which pieces are missing. */
  receive(incoming: IncomingRelease, current: string): ReturnType<IncomingRelease['missing']> {
    this.incoming?.close()
    this.incoming = incoming
    return incoming.missing(current, this.over.signal)
  }

  async takePieces({ first, size }: Json): Promise<void> {
    const run = this.mustHave().mustBeRun(first, size)
    const bytes = await this.talk.takeParts(run.size, run.size)
    this.mustHave().put(run.first, bytes)
    this.talk.answer({})
  }

  complete(): Promise<string> {
    return this.mustHave().complete(this.over.signal)
  }

  close(): void {
    this.over.abort(new BoxError('CHANNEL_CLOSED'))
    this.incoming?.close()
    this.incoming = null
    this.talk.close()
  }

  private mustHave(): IncomingRelease {
    if (this.incoming) return this.incoming
    throw refused('No release was offered')
  }
}
