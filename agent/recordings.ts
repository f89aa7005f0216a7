/**
 * Which sessions of a device are recorded, and by what: those of people whose grant says so, and of those whom the
 * device's own configuration names.
 */

import { equalBytes } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import type { Random } from '../src/base/random.ts'
import type { GrantBook } from '../src/box/grant.ts'
import type { GrowingFiles } from '../src/sys/growing-files.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { AgentConfig } from './config.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { Account } from './environment.ts'
import type { RecordedShell, ShellLabel } from './keeper/shell-label.ts'
import { Recorder } from './recorder.ts'
import type { Recording } from './recording.ts'
import { beginRecording, goOnRecording } from './session-recording.ts'

const MEGABYTE = 1_024 * 1_024
const DAY_MS = 24 * 3_600_000

export interface RecordingsOptions {
  readonly config: Pick<AgentConfig, 'record' | 'recordMegabytes' | 'recordDays' | 'recordInput'>
  /** Null where nothing can be recorded. */
  readonly files: GrowingFiles | null
  readonly device: Pick<DeviceKeys, 'secret'>
  readonly grants: GrantBook
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly audit: Pick<AuditNotes, 'note'>
}

export class Recordings {
  /** Null where nothing can be recorded: whoever must be recorded is refused then, and nobody else. */
  readonly recorder: Recorder | null
  private readonly options: RecordingsOptions

  constructor(options: RecordingsOptions) {
    this.options = options
    this.recorder = recorderWith(options)
  }

  /** Whether what this person does must be recorded. */
  isRecorded(zone: ZoneKey): boolean {
    const { grants, clock, config } = this.options
    if (config.record === 'all') return true
    // Those that came after a key are meant with it.
    const isNamed = config.record.some(
      named => equalBytes(named, zone) || equalBytes(grants.heirOf(named), zone),
    )
    return isNamed || (grants.find(zone, clock.now())?.scope.recorded ?? false)
  }

  /** Of a job that is about to run; null where it need not be. Throws BoxError where it must be, and cannot. */
  ofJob(account: Account, zone: ZoneKey, detail: string): Recording | null {
    const caller = { zone, ...this.namesOf(zone), isRecorded: () => this.isRecorded(zone) }
    const { recorder } = this
    return beginRecording({ caller, account, recorder, what: 'job', detail, terminal: null })
  }

  /** Of a shell that an agent before has recorded. Throws BoxError where it cannot be: then it must not go on. */
  onward(label: ShellLabel & { recorded: RecordedShell }): Recording {
    return goOnRecording(label, this.recorder, this.namesOf(label.zone))
  }

  close(): void {
    this.recorder?.close()
  }

  /** As the grants have them now. */
  private namesOf(zone: ZoneKey): { readonly name: string; readonly deviceName: string } {
    const { grants, clock } = this.options
    const { holder: name = '', deviceName = '' } = grants.find(zone, clock.now()) ?? {}
    return { name, deviceName }
  }
}

function recorderWith({ config, files, ...parts }: RecordingsOptions): Recorder | null {
  if (!files) return null
  const sizeMax = config.recordMegabytes * MEGABYTE
  const ageMaxMs = config.recordDays * DAY_MS
  try {
    return new Recorder({ ...parts, files, sizeMax, ageMaxMs, withInput: config.recordInput })
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    parts.log.note('error', 'recordings', 'none can be made', { code: error.code })
    return null
  }
}
