/**
 * What a device tells of jobs: how far they are, what they printed, how they ended. Signed with the device's
 * zone key and said for one person, so that it is worth the same over a channel and from a relay.
 */

import { equalBytes } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { struct } from '../wire/fields.ts'
import { bytes, rest, u16, WireError } from '../wire/layout.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'
import { shaped } from './push-report.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
export const REPORT_SIGNATURE = 0xb0c5_0008
const VERSION = 1
/** All jobs of a device with all that they printed; in a parcel for a relay with room to spare. */
export const REPORTS_BYTES_MAX = 3 * 1_024 * 1_024

/** Those from `ended` on are the last word. */
export const JOB_STATES = [
  ...(['waiting', 'scheduled', 'begun'] as const),
  ...(['ended', 'interrupted', 'cancelled', 'expired', 'refused'] as const),
]
export type JobState = (typeof JOB_STATES)[number]

export const isOver = (is: JobState): boolean => JOB_STATES.indexOf(is) >= 3

export interface RunReport {
  /** Milliseconds since 1970, by the device's clock. */
  readonly began: number
  readonly ended: number | null
  readonly exitCode: number | null
  readonly signal: string | null
  /** Why it is over without an end of its own; null where that is not so. */
  readonly why: string | null
  readonly out: Uint8Array
  readonly err: Uint8Array
  /** Bytes that were left out in the middle of each. */
  readonly outDropped: number
  readonly errDropped: number
}

export interface JobReport {
  readonly id: string
  /** Who signed it, as text. */
  readonly signer: string
  readonly number: number
  readonly line: string
  readonly is: JobState
  /** Why it was not run, or not to its end. */
  readonly why: string | null
  readonly every: string | null
  readonly nextAt: number | null
  readonly expiresAt: number
  /** Grows with every change. */
  readonly revision: number
  /** The latest, oldest first. */
  readonly runs: readonly RunReport[]
}

const Reports = struct('BOX_JOB_REPORTS', {
  version: u16,
  device: bytes(ZONE_SIZE),
  /** For whom. */
  reader: bytes(ZONE_SIZE),
  /** JSON. */
  reports: rest,
})
const Signed = struct('BOX_SIGNED_REPORTS', { signature: bytes(SIGNATURE_SIZE), reports: rest })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** As many as fit, the first ones of them. */
export function signReports(
  device: ZoneSecret,
  reader: ZoneKey,
  reports: readonly JobReport[],
): Uint8Array {
  const texts: string[] = []
  let size = 0
  for (const report of reports) {
    const text = JSON.stringify({ ...report, runs: report.runs.map(runOut) })
    size += encoder.encode(text).length + 1
    if (size > REPORTS_BYTES_MAX - 1_024) break
    texts.push(text)
  }
  const body = Reports.encode({
    ...{ version: VERSION, device: device.zone, reader },
    reports: encoder.encode(`[${texts.join(',')}]`),
  })
  return Signed.encode({ signature: device.sign(REPORT_SIGNATURE, body), reports: body })
}

/** Throws SIGNATURE_INVALID where it is not said by this device (by any of its keys) for this reader, WIRE_MALFORMED. */
export function openReports(
  raw: Uint8Array,
  from: { readonly devices: readonly ZoneKey[]; readonly reader: ZoneKey },
): readonly JobReport[] {
  try {
    const { signature, reports } = Signed.decode(raw)
    const { version, device, reader, reports: texts } = Reports.decode(reports)
    const isOurs =
      from.devices.some(one => equalBytes(one, device)) && equalBytes(reader, from.reader)
    if (!isOurs || !verifyZoneSignature(zoneKey(device), REPORT_SIGNATURE, reports, signature))
      throw new BoxError('SIGNATURE_INVALID', 'A result is not from this device, or not for us.')
    if (version !== VERSION) throw new TypeError(`of version ${version}`)
    const all: unknown = JSON.parse(decoder.decode(texts))
    if (!Array.isArray(all)) throw new TypeError('no list')
    return all.map(readReport)
  } catch (error) {
    if (error instanceof BoxError && error.code === 'SIGNATURE_INVALID') throw error
    if (
      error instanceof WireError ||
      error instanceof TypeError ||
      error instanceof SyntaxError ||
      error instanceof BoxError
    )
      throw new BoxError('WIRE_MALFORMED', 'These are no results of jobs.', error)
    throw error
  }
}

/** From JSON. Throws STATE_UNEXPECTED. */
export function readReport(said: unknown): JobReport {
  const report = shaped<JobReport>(said, {
    ...{ id: 'string', signer: 'string', number: 'number', line: 'string', is: 'string' },
    ...{ why: 'string|null', every: 'string|null', nextAt: 'number|null', expiresAt: 'number' },
    ...{ revision: 'number', runs: 'list' },
  })
  if (!JOB_STATES.includes(report.is))
    throw new BoxError('STATE_UNEXPECTED', 'The device tells a state of a later version.')
  return { ...report, runs: report.runs.map(runIn) }
}

/** For JSON. */
export const runOut = ({ out, err, ...run }: RunReport): object => ({
  ...run,
  out: toBase64(out),
  err: toBase64(err),
})

function runIn(said: unknown): RunReport {
  const run = shaped<Record<'out' | 'err', string> & Omit<RunReport, 'out' | 'err'>>(said, {
    ...{ began: 'number', ended: 'number|null', exitCode: 'number|null', signal: 'string|null' },
    ...{ why: 'string|null', out: 'string', err: 'string' },
    ...{ outDropped: 'number', errDropped: 'number' },
  })
  return { ...run, out: fromBase64(run.out), err: fromBase64(run.err) }
}

const BINARY_STEP = 8_192

function toBase64(bytes: Uint8Array): string {
  let binary = ''
  for (let at = 0; at < bytes.length; at += BINARY_STEP)
    binary += String.fromCharCode(...bytes.subarray(at, at + BINARY_STEP))
  return btoa(binary)
}

function fromBase64(text: string): Uint8Array {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    throw new BoxError('STATE_UNEXPECTED', 'What a job printed is no base64.')
  }
  return Uint8Array.from(binary, char => char.charCodeAt(0))
}
