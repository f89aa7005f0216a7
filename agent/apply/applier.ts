/**
 * Changes the configuration of this machine in one piece: stage, check, snapshot, swap, run, verify, then wait
 * for an owner to confirm it over a new connection; else put everything back, by itself.
 *
 * Every step is in the journal before it is taken. Whatever ends the process or the machine in between, the
 * next start reads the journal and ends wholly with the old, or with the new if that was confirmed, and the
 * history says which. A change that awaits its confirmation outlives a restart of the agent, not of the machine.
 */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import type { Log } from '../../src/base/log.ts'
import type { Random } from '../../src/base/random.ts'
import { contentId, contentsOf, openRelease, type Release } from '../../src/box/bundle/release.ts'
import { zoneToText } from '../../src/gns/name.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { bootId } from '../../src/sys/state-lock.ts'
import type { DeviceKeys } from '../device-keys.ts'
import { CommandRow, type Line } from './command-row.ts'
import { endGroup } from './commands.ts'
import { faultText, isDiskFault } from './disk-fault.ts'
import { Ending } from './ending.ts'
import { packageCheck } from './package-check.ts'
import { checkRelease, contentOf, type Plan, planRelease, planRepair, planReturn } from './plan.ts'
import { type Act, type Journal, type Outcome, PushState, type Step } from './push-state.ts'
import { reloading } from './service-reload.ts'
import { hex, refused } from './state-of-files.ts'
import { prepare, swap } from './swap.ts'

const ID_BYTES = 16
const UCI_DIRECTORY = '/etc/config'

export interface ApplierOptions {
  readonly disk: Disk
  /** The state directory of the agent. */
  readonly directory: string
  readonly device: Pick<DeviceKeys, 'isOwn' | 'open'>
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Below which directories bundles may put files. */
  readonly roots: readonly string[]
  /** Whether this zone may push now. */
  readonly allows: (zone: ZoneKey) => boolean
  /** Where OpenWrt has its configuration, if not in /etc/config. */
  readonly uci?: string
  /** Starts what puts the change back where this process ends and none follows it (guard.ts). */
  readonly guard?: () => void
  /** Told what happens to a change, whoever began it and however it ends. */
  readonly told?: (event: PushEvent) => void
}

/** What happens to a change once its checks are passed. */
export type PushEvent =
  | {
      /** `staged`: all is laid beside what it replaces. `waits`: for its confirmation. */
      readonly is: 'staged' | 'waits'
      readonly act: Act
      readonly id: string
      readonly name: string
      readonly sequence: number
    }
  | { readonly is: 'ended'; readonly outcome: Outcome }

/** What became of a push so far. */
export type Applied =
  | { readonly is: 'unchanged'; readonly generation: number }
  | { readonly is: 'awaiting'; readonly id: string; readonly seconds: number }
  | { readonly is: 'put back'; readonly outcome: Outcome }

export type Progress = (step: Step | 'checking') => void

export class Applier {
  readonly state: PushState
  private readonly options: ApplierOptions
  private readonly commands: CommandRow
  private readonly ending: Ending
  private busy = false
  private timer: Timer | null = null
  private closed = false
  private awaitingAt: number | null = null

  /** Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
  constructor(options: ApplierOptions) {
    this.options = options
    this.state = new PushState(options.directory, options.disk)
    this.commands = new CommandRow(options.clock, this.state)
    const ended = (outcome: Outcome) => options.told?.({ is: 'ended', outcome })
    this.ending = new Ending({ ...options, ended }, this.state, this.commands)
  }

  /**
   * Ends what an earlier process left unfinished. To be called once, before anything else. A change that awaits
   * its confirmation is left to do so, unless `goOnWaiting` is false.
   */
  async recover({ goOnWaiting = true } = {}): Promise<void> {
    const journal = this.state.journal()
    if (!journal) {
      this.state.tidy()
      return
    }
    if (journal.group) endGroup(journal.group)
    this.busy = true
    try {
      if (journal.step === 'confirmed') this.ending.finish(journal)
      else if (journal.step === 'preparing') this.ending.abandon(journal, INTERRUPTED)
      else if (goOnWaiting && journal.step === 'awaiting' && journal.boot === bootId())
        this.await(journal)
      else await this.ending.putBackInTheEnd(journal, journal.reason ?? INTERRUPTED)
    } catch (error) {
      // An agent that cannot tidy up has to be reachable all the same.
      if (!isDiskFault(error)) throw error
      this.ending.again(() => this.recover(), error)
    } finally {
      this.busy = false
    }
  }

  /** The change that is open; null where there is none. */
  get open(): Journal | null {
    return this.state.journal()
  }

  /** Since when a confirmation is awaited, by clock.elapsed. */
  get awaitingSince(): number | null {
    return this.awaitingAt
  }

  /** Reads a release and says which contents are not here yet. Throws PUSH_REFUSED. */
  offer(signed: Uint8Array): { release: Release; missing: readonly Uint8Array[] } {
    this.mustBeFree()
    const { device, allows } = this.options
    const release = reading(() => openRelease(signed))
    checkRelease(release, device, this.state.history(), allows)
    const missing = contentsOf(release).filter(({ id }) => !this.state.has(hex(id)))
    return { release, missing: missing.map(({ id }) => id) }
  }

  /** Keeps a content that `offer` asked for. Throws PUSH_REFUSED. */
  take(content: Uint8Array): void {
    this.onDisk(() => this.state.keep(content))
  }

  /** What a release would change. Throws PUSH_REFUSED. */
  plan(signed: Uint8Array): Plan {
    const { release } = this.offer(signed)
    return planRelease(this.parts(), release, hex(contentId(signed)))
  }

  /** Applies a release. Fails with PUSH_REFUSED, and then nothing was changed. */
  async apply(signed: Uint8Array, progress: Progress): Promise<Applied> {
    const plan = this.plan(signed)
    return await this.exclusively(async () => {
      this.onDisk(() => this.state.keep(signed))
      if (plan.places.length === 0 && Object.keys(plan.becomes.files).length > 0)
        return this.unchanged(plan)
      return await this.change(plan, progress)
    })
  }

  /** Goes back to an earlier generation, as one more change. Fails with PUSH_REFUSED. */
  async goBack(number: number | null, progress: Progress): Promise<Applied> {
    this.mustBeFree()
    const { generations } = this.state.history()
    const current = generations.at(-1)!
    const wanted = number ?? generations.at(-2)?.number ?? 0
    const to = generations.find(one => one.number === wanted)
    if (!to || to === current) throw refused(`There is no way back to generation ${wanted}.`)
    const [theirs, ours] = [this.releaseOf(to.release), this.releaseOf(current.release)]
    const plan = planReturn(this.parts(), to, {
      confirmSeconds: (theirs ?? ours)!.confirmSeconds,
      commandSeconds: (theirs ?? ours)!.commandSeconds,
      apply: [...(ours?.undo ?? []), ...(theirs?.apply ?? [])],
      after: theirs?.after ?? [],
      undo: ours?.apply ?? [],
      reload: [...new Set([...(ours?.reload ?? []), ...(theirs?.reload ?? [])])],
    })
    return await this.exclusively(() => this.change(plan, progress))
  }

  /** Puts right what has drifted, where the bundle says so; null where there was nothing to do. Fails as `apply`. */
  async repair(): Promise<Applied | null> {
    if (this.busy || this.state.journal()) return null
    const plan = planRepair(this.parts(), name => this.releaseOf(name)!)
    if (!plan) return null
    // It was confirmed once: nobody needs to do so again.
    return await this.exclusively(async () => {
      const applied = await this.change(plan, () => {})
      if (applied.is === 'awaiting') this.confirm(applied.id)
      return applied
    })
  }

  /** Makes the open change last; `by` is who wants that. Throws PUSH_REFUSED where there is none of this name. */
  confirm(id: string, by: ZoneKey | null = null): Outcome {
    const journal = this.state.journal()
    if (journal?.step !== 'awaiting' || journal.id !== id)
      throw refused('There is no change of this name that awaits a confirmation.')
    const confirmed: Journal = { ...journal, step: 'confirmed', by: by && zoneToText(by) }
    this.onDisk(() => this.state.setJournal(confirmed))
    this.stopWaiting()
    return this.ending.finish(confirmed)
  }

  /** Puts the open change back before its time. Throws PUSH_REFUSED where none waits. */
  async refuse(reason: string): Promise<Outcome> {
    const journal = this.state.journal()
    if (journal?.step !== 'awaiting') throw refused('No change awaits a confirmation.')
    this.stopWaiting()
    return await this.exclusively(() => this.ending.putBackNow(journal, reason))
  }

  /** Stops the clock; what is open stays open for the next process. */
  close(): void {
    this.closed = true
    this.timer?.cancel()
    this.commands.close()
    this.ending.close()
  }

  private parts() {
    const { disk, device, roots, directory } = this.options
    const { uci = UCI_DIRECTORY } = this.options
    return { disk, device, roots, uci, state: this.state, kept: directory }
  }

  private mustBeFree(): void {
    const open = this.state.journal()
    if (open?.step === 'awaiting')
      throw refused(`"${open.becomes.name}" was pushed and is not confirmed yet.`)
    if (open || this.busy) throw refused('Another change is under way.')
  }

  private async exclusively<T>(run: () => Promise<T>): Promise<T> {
    if (this.busy) throw refused('Another change is under way.')
    this.busy = true
    try {
      return await run()
    } finally {
      this.busy = false
    }
  }

  private unchanged({ becomes }: Plan): Applied {
    const history = this.state.history()
    this.onDisk(() => this.state.setHistory({ ...history, sequence: becomes.sequence }))
    return { is: 'unchanged', generation: history.generations.at(-1)!.number }
  }

  private async change(plan: Plan, progress: Progress): Promise<Applied> {
    progress('checking')
    await this.check(plan)
    let journal = this.begin(plan)
    progress('preparing')
    try {
      this.onDisk(() => {
        this.state.setJournal(journal)
        for (const { path, was } of plan.places)
          if (was.is === 'file') this.keepOld(path, was.content)
        prepare(this.options.disk, journal, state => contentOf(this.parts(), state))
        journal = this.step(journal, 'swapping')
      })
    } catch (error) {
      this.ending.abandon(journal, faultText(error))
      throw error
    }
    this.tell('staged', journal)
    this.options.guard?.()
    try {
      progress('swapping')
      swap(this.options.disk, journal)
      progress('running')
      journal = this.step(journal, 'running')
      await this.run([...plan.apply, ...plan.reload.map(reloading)], journal)
      progress('verifying')
      journal = this.step(journal, 'verifying')
      await this.run(plan.after, journal)
      const deadline = this.options.clock.now() + plan.confirmSeconds * 1_000
      journal = this.step({ ...journal, deadline }, 'awaiting')
    } catch (error) {
      if (this.closed) throw error
      return { is: 'put back', outcome: await this.ending.putBackNow(journal, faultText(error)) }
    }
    this.await(journal)
    this.tell('waits', journal)
    return { is: 'awaiting', id: journal.id, seconds: plan.confirmSeconds }
  }

  /** Packages and the checks before, with what is to come laid out beside. Throws PUSH_REFUSED. */
  private async check(plan: Plan): Promise<void> {
    const content = (state: Parameters<typeof contentOf>[1]) => contentOf(this.parts(), state)
    this.onDisk(() => this.commands.layOut(this.options.disk, plan.places, content))
    try {
      const lines = [...plan.packages.map(packageCheck), ...plan.before]
      const failed = await this.commands.run(lines, plan, () => {})
      if (failed) throw refused(`A check failed: ${failed}`)
    } finally {
      this.options.disk.removeTree(this.state.stage)
    }
  }

  private begin(plan: Plan): Journal {
    const { clock, random } = this.options
    return {
      ...{
        version: 1,
        act: plan.act,
        step: 'preparing',
        id: hex(random.bytes(ID_BYTES)),
        boot: bootId(),
      },
      ...{ places: plan.places, directories: plan.directories },
      ...{ undo: plan.undo, reload: plan.reload },
      becomes: { ...plan.becomes, at: clock.now() },
      ...{ confirmSeconds: plan.confirmSeconds, commandSeconds: plan.commandSeconds },
      ...{ deadline: null, reason: null, by: null, tries: 0, group: null },
    }
  }

  private tell(is: 'staged' | 'waits', { act, id, becomes }: Journal): void {
    const { name, sequence } = becomes
    this.options.told?.({ is, act, id, name, sequence })
  }

  private step(journal: Journal, step: Step): Journal {
    const next = { ...journal, step }
    this.state.setJournal(next)
    return next
  }

  private keepOld(path: string, wanted: string): void {
    if (this.state.has(wanted)) return
    const content = this.options.disk.read(path, Number.MAX_SAFE_INTEGER)
    if (this.state.keep(content) !== wanted) throw refused(`${path} was changed meanwhile.`)
  }

  private async run(lines: readonly Line[], journal: Journal): Promise<void> {
    const failed = await this.commands.run(lines, journal, group =>
      this.state.setJournal({ ...journal, group }),
    )
    if (failed) throw refused(failed)
  }

  private await(journal: Journal): void {
    const { clock } = this.options
    this.awaitingAt = clock.elapsed()
    // A clock that was set back must not make it longer than it ever was.
    const left = Math.min((journal.deadline ?? 0) - clock.now(), journal.confirmSeconds * 1_000)
    this.timer = clock.after(Math.max(left, 0), () => {
      this.stopWaiting()
      const reason = `Nobody confirmed it within ${journal.confirmSeconds} s.`
      void this.exclusively(() => this.ending.putBackInTheEnd(journal, reason))
    })
  }

  private stopWaiting(): void {
    this.timer?.cancel()
    this.timer = null
    this.awaitingAt = null
  }

  private releaseOf(name: string | null): Release | null {
    return name === null ? null : openRelease(this.state.content(name))
  }

  /** What the disk cannot do is a refusal as long as nothing was changed. */
  private onDisk<T>(run: () => T): T {
    try {
      return run()
    } catch (error) {
      if (isDiskFault(error)) throw refused(faultText(error), error)
      throw error
    }
  }
}

const INTERRUPTED = 'The device, or its agent, was stopped in between.'

function reading<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof BoxError && error.family === 'fault') throw refused(error.detail, error)
    throw error
  }
}
