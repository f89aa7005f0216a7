/**
 * What somebody has a device do when it is there: a job, or the end of one, signed with that person's zone key,
 * numbered and expiring. It is worth the same whoever hands it over. The device checks signature, grant and time
 * when it runs it, and knows each number again, so that nothing runs twice.
 */

import { concat } from '../base/bytes.ts'
import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { sha256 } from '../crypto/hash.ts'
import { verifyZoneSignature, type ZoneSecret } from '../crypto/zone-key.ts'
import { zoneFromText, zoneToText } from '../gns/name.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { struct } from '../wire/fields.ts'
import { bytes, counted, lengthOf, rest, u16, u32, u64, WireError } from '../wire/layout.ts'
import { SIGNATURE_SIZE, ZONE_SIZE } from './messages.ts'
import { parseSchedule } from './schedule.ts'
import { isUserName } from './ssh-announcement.ts'

/** The purpose number of these signatures; see HANDSHAKE_SIGNATURE. */
export const JOB_SIGNATURE = 0xb0c5_0007
const VERSION = 1
/** As long as a command line that a person can still read. */
const LINE_MAX = 8_192
/** A script. The device keeps it on its flash until the job has run. */
export const JOB_INPUT_MAX = 64 * 1_024
/** Of a statement as it travels: the line may take twice its length as JSON. */
export const JOB_BYTES_MAX = JOB_INPUT_MAX + 4 * LINE_MAX
/** Whoever wants more wants a service. */
export const JOB_LIMIT_SECONDS_MAX = 24 * 3_600
/** Until when a device must remember numbers, and what was meant is still meant. */
export const JOB_LASTS_MS_MAX = 400 * 24 * 3_600_000
/** Sixty bits: nobody finds a second job with the number of another by chance. */
const ID_CHARS = 12

export interface Work {
  readonly do: 'run'
  /** For the device's shell. */
  readonly line: string
  /** All of its standard input. */
  readonly input: Uint8Array
  /** Longer it may not run. */
  readonly limitSeconds: number
  /** When it runs again and again (schedule.ts); null: once. */
  readonly every: string | null
  /**
   * As which user of the device; absent: as whoever its agent runs as. Devices that do not know of it take no job
   * that has it, and go on taking those that have not.
   */
  readonly user?: string
}

/** The end of a job, also of one that is on its way yet. */
export interface Cancellation {
  readonly do: 'cancel'
  /** Who signed the job, and its number. */
  readonly signer: ZoneKey
  readonly job: number
}

export interface JobStatement {
  readonly device: ZoneKey
  readonly signer: ZoneKey
  /** Never used twice by one signer for one device: the signer's time, in milliseconds since 1970. */
  readonly number: number
  /** Milliseconds since 1970: no run begins later. */
  readonly expiresAt: number
  readonly demand: Work | Cancellation
}

const Statement = struct('BOX_JOB', {
  version: u16,
  device: bytes(ZONE_SIZE),
  signer: bytes(ZONE_SIZE),
  number: u64,
  /** Milliseconds since 1970. */
  expires: u64,
  termsSize: lengthOf('terms', u32),
  /** JSON. */
  terms: counted('termsSize'),
  input: rest,
})

const Signed = struct('BOX_SIGNED_JOB', { signature: bytes(SIGNATURE_SIZE), statement: rest })

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/** How people call a job: the same on all devices where one person has it done under one number. */
export function jobId(signer: ZoneKey, number: number): string {
  const hash = sha256(concat(encoder.encode(`secushare-box job ${number} `), signer))
  return encodeBase32(hash).slice(0, ID_CHARS)
}

/** Throws INPUT_INVALID where the line or the input is too long, or the user none. */
export function signJob(own: ZoneSecret, said: Omit<JobStatement, 'signer'>): Uint8Array {
  const { device, number, expiresAt, demand } = said
  const { input, terms } = termsOf(demand)
  const statement = Statement.encode({
    version: VERSION,
    ...{ device, signer: own.zone, number: BigInt(number), expires: BigInt(expiresAt), input },
    terms: encoder.encode(JSON.stringify(terms)),
  })
  return Signed.encode({ signature: own.sign(JOB_SIGNATURE, statement), statement })
}

function termsOf(demand: Work | Cancellation): { terms: object; input: Uint8Array } {
  if (demand.do === 'cancel') {
    const { signer, job } = demand
    return { terms: { do: 'cancel', signer: zoneToText(signer), job }, input: new Uint8Array(0) }
  }
  const { input, ...terms } = demand
  mustFitJob(demand)
  if (demand.user !== undefined && !isUserName(demand.user))
    throw new BoxError('INPUT_INVALID', `"${demand.user}" is no name of a user.`)
  return { terms, input }
}

/** Throws INPUT_INVALID where the line or the input is too long for a job. */
export function mustFitJob({ line, input }: Pick<Work, 'line' | 'input'>): void {
  if (encoder.encode(line).length > LINE_MAX)
    throw new BoxError('INPUT_INVALID', `A command of a job has at most ${LINE_MAX} bytes.`)
  if (input.length > JOB_INPUT_MAX)
    throw new BoxError('INPUT_INVALID', `The input of a job has at most ${JOB_INPUT_MAX} bytes.`)
}

/** Throws SIGNATURE_INVALID, WIRE_MALFORMED. */
export function openJob(raw: Uint8Array): JobStatement {
  try {
    if (raw.length > JOB_BYTES_MAX) throw new TypeError(`of ${raw.length} bytes`)
    const { signature, statement } = Signed.decode(raw)
    const { version, terms, input, ...fields } = Statement.decode(statement)
    if (version !== VERSION) throw new TypeError(`of version ${version}`)
    const signer = zoneKey(fields.signer.slice())
    if (!verifyZoneSignature(signer, JOB_SIGNATURE, statement, signature))
      throw new BoxError('SIGNATURE_INVALID')
    return {
      signer,
      device: zoneKey(fields.device.slice()),
      number: safe(fields.number),
      expiresAt: safe(fields.expires),
      demand: readTerms(JSON.parse(decoder.decode(terms)), input.slice()),
    }
  } catch (error) {
    if (error instanceof BoxError && error.code === 'SIGNATURE_INVALID') throw error
    if (
      error instanceof WireError ||
      error instanceof TypeError ||
      error instanceof SyntaxError ||
      error instanceof BoxError
    )
      throw new BoxError('WIRE_MALFORMED', 'This is no job.', error)
    throw error
  }
}

function safe(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new TypeError('a number is too large')
  return Number(value)
}

const WORK_TERMS = ['do', 'line', 'limitSeconds', 'every', 'user']

function readTerms(said: unknown, input: Uint8Array): Work | Cancellation {
  if (said === null || typeof said !== 'object') throw new TypeError('no terms')
  const { do: what, line, limitSeconds, every, user, signer, job } = said as Record<string, unknown>
  if (what === 'cancel') {
    if (typeof signer !== 'string' || !Number.isSafeInteger(job)) throw new TypeError('no job')
    return { do: 'cancel', signer: zoneFromText(signer), job: job as number }
  }
  // A term that is not known here may forbid what would be done without it.
  const strange = Object.keys(said).find(name => !WORK_TERMS.includes(name))
  if (what !== 'run' || strange !== undefined) throw new TypeError('of a later version')
  if (typeof line !== 'string' || encoder.encode(line).length > LINE_MAX || line.includes('\0'))
    throw new TypeError('no command')
  if (!Number.isInteger(limitSeconds) || !inLimits(limitSeconds as number))
    throw new TypeError('no limit')
  if (every !== null) {
    if (typeof every !== 'string') throw new TypeError('no schedule')
    parseSchedule(every)
  }
  const work = { do: 'run', line, input, limitSeconds: limitSeconds as number, every } as const
  if (user === undefined) return work
  if (typeof user !== 'string' || !isUserName(user)) throw new TypeError('no user')
  return { ...work, user }
}

const inLimits = (seconds: number) => seconds >= 1 && seconds <= JOB_LIMIT_SECONDS_MAX
