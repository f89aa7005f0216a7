/** The recording of an SSH session: whether there is one, how its person is told, what is said where it fails. */

import { concat } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { RecordedKind } from '../src/box/recording.ts'
import { asUser } from './audit-notes.ts'
import type { Account } from './environment.ts'
import type { RecordedShell, ShellLabel } from './keeper/shell-label.ts'
import { UNKNOWN_SIZE } from './lasting-shell.ts'
import { messageOfTheDay } from './motd.ts'
import type { Recorder } from './recorder.ts'
import type { Recording } from './recording.ts'
import type { Caller } from './ssh-server.ts'

export interface SessionToRecord {
  readonly caller: Pick<Caller, 'zone' | 'name' | 'deviceName' | 'isRecorded'>
  readonly account: Account
  /** Null where this device can record nothing. */
  readonly recorder: Recorder | null
  readonly what: RecordedKind
  readonly detail: string
  readonly terminal: { readonly cols: number; readonly rows: number; readonly term?: string } | null
}

/** Null where it need not be recorded. Throws BoxError where it must be and cannot: then it must not be. */
export function beginRecording(session: SessionToRecord): Recording | null {
  const { caller, account, recorder, what, detail, terminal } = session
  if (!caller.isRecorded()) return null
  if (!recorder) throw new BoxError('STATE_UNWRITABLE', 'This device cannot record.')
  return recorder.begin({
    ...{ zone: caller.zone, who: caller.name, what, detail },
    ...{ deviceName: caller.deviceName, shell: account.shell },
    terminal: terminal && {
      ...{ columns: terminal.cols, rows: terminal.rows },
      term: terminal.term ?? 'dumb',
    },
  })
}

/**
 * As `beginRecording`; 'refused' in place of a failure, which is told and noted. Whoever was not told at the login is told
 * on standard error.
 */
export function recordingOrTold(
  session: SessionToRecord & {
    readonly caller: Pick<Caller, 'note'>
    readonly isToldOfRecording: boolean
  },
  errors: { write(text: string): unknown },
): Recording | null | 'refused' {
  const { account, caller, isToldOfRecording, what, detail, terminal } = session
  const about = detailFor(account, what === 'exec' ? detail : '')
  try {
    const recording = beginRecording({ ...session, detail: about })
    // Connections are kept: the grant may have changed since the login. Terminals say it anyway, and files have no words.
    if (recording && !isToldOfRecording && !terminal && what !== 'files')
      errors.write(`${RECORDED_BANNER}\n`)
    return recording
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    caller.note(what, detail, `refused: not recorded, ${error.code}`)
    errors.write(unrecorded(error))
    return 'refused'
  }
}

/** Goes on with a shell that an agent before has recorded. Throws BoxError where it cannot: then the shell must not go on. */
export function goOnRecording(
  { zone, user, recorded }: ShellLabel & { recorded: RecordedShell },
  recorder: Recorder | null,
  { name: who, deviceName }: Pick<Caller, 'name' | 'deviceName'>,
): Recording {
  if (!recorder) throw new BoxError('STATE_UNWRITABLE', 'This device cannot record.')
  const { recording, shell, term } = recorded
  const detail = asUser(user, `goes on from ${recording}`)
  const terminal = { ...UNKNOWN_SIZE, term }
  return recorder.begin({ zone, who, what: 'shell', detail, deviceName, shell, terminal })
}

/** For whoever logs in (RFC 4252 section 5.4): every client shows it, apart from what programs print. */
export const RECORDED_BANNER =
  'This device records what you do: what is shown, which commands, which files. Not what you type unseen.'

/** For whoever opens a terminal, whatever the client keeps to itself. */
export const recordedNotice = ({ id }: Recording): Uint8Array =>
  Buffer.from(`This session is recorded (${id}).\r\n`)

/** What stands above what is shown on a terminal. */
export function greeting(
  { home }: Account,
  isShell: boolean,
  recording: Recording | null,
): Uint8Array {
  const motd = isShell ? messageOfTheDay(home) : new Uint8Array(0)
  return recording ? concat(motd, recordedNotice(recording)) : motd
}

/** For whoever must be recorded and cannot be. */
export const unrecorded = ({ detail }: BoxError): string =>
  `\r\nbox: this session must be recorded, and cannot be: ${detail}\r\n`

/** What was asked for, and as which other user. */
const detailFor = ({ identity, name }: Account, detail: string): string =>
  asUser(identity && name, detail)
