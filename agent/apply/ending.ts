/** How a change ends: with the new, or with everything put back; written down either way. */

import type { Clock, Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import type { Log } from '../../src/base/log.ts'
import type { Disk } from '../../src/sys/disk.ts'
import type { DeviceKeys } from '../device-keys.ts'
import type { CommandRow } from './command-row.ts'
import { faultText, ifPossible, isDiskFault } from './disk-fault.ts'
import { contentOf } from './plan.ts'
import { type Journal, type Outcome, PushState } from './push-state.ts'
import { reloading } from './service-reload.ts'
import { restore, settle } from './swap.ts'

/** What the disk could not do, being full or not there, is tried again. */
const RETRY_MS = 30_000
/** Undo commands that end the agent each time must not do so for ever. */
const UNDO_TRIES_MAX = 2

export interface EndingOptions {
  readonly disk: Disk
  readonly device: Pick<DeviceKeys, 'isOwn' | 'open'>
  readonly clock: Clock
  readonly log: Log
  /** Told once it is written down. */
  readonly ended?: (outcome: Outcome) => void
}

export class Ending {
  private readonly options: EndingOptions
  private readonly state: PushState
  private readonly commands: CommandRow
  private timer: Timer | null = null
  private closed = false

  constructor(options: EndingOptions, state: PushState, commands: CommandRow) {
    this.options = options
    this.state = state
    this.commands = commands
  }

  /** It was confirmed: takes away what would have led back. */
  finish(journal: Journal): Outcome {
    settle(this.options.disk, journal)
    return this.conclude(journal, this.outcome(journal, 'confirmed', null))
  }

  /** Nothing was changed yet: takes away what was laid beside. The number may be tried again. */
  abandon(journal: Journal, reason: string): void {
    const { disk } = this.options
    settle(disk, journal)
    for (const directory of journal.directories.toReversed()) disk.removeDirectory(directory)
    if (this.state.journal())
      this.conclude(journal, { ...this.outcome(journal, 'put back', reason), sequence: 0 })
  }

  /** As `putBack`. Fails with STATE_UNWRITABLE where the disk does not let us, and goes on trying. */
  async putBackNow(journal: Journal, reason: string): Promise<Outcome> {
    try {
      return await this.putBack(journal, reason)
    } catch (error) {
      if (!isDiskFault(error)) throw error
      this.again(() => this.putBackInTheEnd(journal, reason), error)
      const detail = `It is put back as soon as that works: ${faultText(error)}`
      throw new BoxError('STATE_UNWRITABLE', detail, error)
    }
  }

  /** As `putBack`, and again later where the disk does not let us. */
  async putBackInTheEnd(journal: Journal, reason: string): Promise<void> {
    try {
      await this.putBack(journal, reason)
    } catch (error) {
      if (this.closed) return // The next process finds the journal.
      if (!isDiskFault(error)) throw error
      this.again(() => this.putBackInTheEnd(journal, reason), error)
    }
  }

  /** Tries something once more, later. */
  again(run: () => Promise<void>, error: unknown): void {
    this.options.log.note('error', 'push', 'tried again later', { why: faultText(error) })
    this.timer?.cancel()
    if (!this.closed) this.timer = this.options.clock.after(RETRY_MS, () => void run())
  }

  close(): void {
    this.closed = true
    this.timer?.cancel()
  }

  /** Everything as it was: the files, then what the undo commands do about them. */
  private async putBack(journal: Journal, reason: string): Promise<Outcome> {
    const { disk, device, log } = this.options
    log.note('warn', 'push', 'putting back', { name: journal.becomes.name, reason })
    // On a full disk the journal may not be written; where it stands, it leads back as well.
    let at: Journal = { ...journal, step: 'restoring', reason, group: null }
    const note = (change: Partial<Journal>) => {
      at = { ...at, ...change }
      ifPossible(() => this.state.setJournal(at))
    }
    note({})
    restore(disk, at, state => contentOf({ state: this.state, device }, state))
    const complaints: string[] = []
    if (at.tries < UNDO_TRIES_MAX) {
      note({ step: 'undoing', tries: at.tries + 1 })
      for (const line of [...at.undo, ...at.reload.map(reloading)]) {
        const failed = await this.commands.run([line], at, group => note({ group }))
        if (failed) complaints.push(failed)
      }
    } else complaints.push('The undo commands were interrupted every time.')
    if (this.closed) throw new BoxError('ENGINE_CLOSED') // The next start undoes it once more.
    return this.conclude(at, { ...this.outcome(at, 'put back', reason), complaints })
  }

  private outcome(journal: Journal, is: Outcome['is'], reason: string | null): Outcome {
    const { id, act, by, becomes } = journal
    const { name, sequence, number } = becomes
    const generation = is === 'confirmed' ? number : this.state.history().generations.at(-1)!.number
    const at = this.options.clock.now()
    return { id, act, is, name, sequence, generation, reason, at, by, complaints: [] }
  }

  /** Writes down how it ended, then forgets the journal; on a full disk, tries again later. */
  private conclude(journal: Journal, outcome: Outcome): Outcome {
    const { is, name, generation } = outcome
    const { log, ended } = this.options
    try {
      this.state.setHistory(PushState.after(this.state.history(), journal, outcome))
      this.state.endJournal()
      this.state.tidy()
      log.note('info', 'push', 'ended', { is, name, generation })
    } catch (error) {
      if (!isDiskFault(error)) throw error
      this.again(async () => void this.conclude(journal, outcome), error)
      return outcome
    }
    ended?.(outcome)
    return outcome
  }
}
