/**
 * How a `box` hands a command to a running `box up`, which has connections to devices: an errand. Each is a connection
 * of its own to a Unix socket in the state directory, so that one that is not read holds nobody else back.
 *
 *     the errand                    what is to be run, on which device, as whom
 *       heard, or refused           of which nothing comes then
 *       greetings, ready            the device is there
 *     a piece of standard input     with it, and never before it, the command begins
 *       more                        the next piece may come, until one is the last
 *       what is printed, the end    unchanged; who asked ends the connection, once all of it is read
 *
 * Neither side believes what it reads; what makes no sense ends the connection, with a BoxError or WireError.
 */

import { BoxError, ERRORS, type ErrorCode } from '../../src/base/errors.ts'
import type { ZoneKey } from '../../src/base/ids.ts'
import { isUserName } from '../../src/box/ssh-announcement.ts'
import { zoneFromText, zoneToText } from '../../src/gns/name.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { wordReaders } from '../../src/wire/json-words.ts'
import { message, rest } from '../../src/wire/layout.ts'

/** Raised where one side would not understand the other any more: then nothing is handed over. */
export const ERRAND_VERSION = 1
/** What is said, and each piece of bytes, fits a message of 64 KiB with its header. */
const WORDS_MAX = 60_000
export const PIECE_MAX = 60_000
/** Of a sentence for people. */
const TEXT_MAX = 2_000
const EXIT_CODE_MAX = 0xffff_ffff

const ErrandWords = message('BOX_ERRAND_WORDS', 0xbdf0, { json: rest })
/** A piece of standard input, after which there are others. */
const ErrandInput = message('BOX_ERRAND_INPUT', 0xbdf1, { bytes: rest })
/** The last piece of standard input, which may be empty. */
const ErrandLastInput = message('BOX_ERRAND_LAST_INPUT', 0xbdf2, { bytes: rest })
/** What the command prints on its standard output. */
const ErrandOutput = message('BOX_ERRAND_OUTPUT', 0xbdf3, { bytes: rest })
/** What the command prints on its standard error. */
const ErrandErrors = message('BOX_ERRAND_ERRORS', 0xbdf4, { bytes: rest })

/** What is to be done. */
export interface Errand {
  /** Of the device. */
  readonly zone: ZoneKey
  /** For its shell. */
  readonly line: string
  /** As which of its users; null: as whoever its agent runs as. */
  readonly user: string | null
  /** How long it may take to be reached. */
  readonly timeoutMs: number
  /** Seconds that the command may take; null: any. */
  readonly limitS: number | null
  /** Only once another person has approved it. */
  readonly approved: boolean
}

/** What a `box up` says of it. */
export type Answer =
  | { readonly say: 'heard' }
  | { readonly say: 'refused'; readonly why: string }
  /** What the device says to everybody who logs in. */
  | { readonly say: 'greeting'; readonly text: string }
  | { readonly say: 'ready' }
  | { readonly say: 'more' }
  | {
      readonly say: 'end'
      readonly exitCode: number | null
      readonly error: { readonly code: ErrorCode; readonly message: string } | null
    }

export type Heard =
  | { readonly words: Uint8Array }
  | { readonly input: Uint8Array; readonly isLast: boolean }
  | { readonly from: 'out' | 'err'; readonly piece: Uint8Array }

const encoder = new TextEncoder()

/** Throws LIMIT_EXCEEDED where the command line is too long for it. */
export function errandMessage({ zone, ...errand }: Errand): Uint8Array {
  return wordsMessage({ errand: ERRAND_VERSION, zone: zoneToText(zone), ...errand })
}

/** What there is to say of it; longer sentences are cut where they are read. Throws LIMIT_EXCEEDED. */
export const answerMessage = (answer: Answer): Uint8Array => wordsMessage(answer)

function wordsMessage(words: object): Uint8Array {
  const json = encoder.encode(JSON.stringify(words))
  if (json.length > WORDS_MAX) throw new BoxError('LIMIT_EXCEEDED')
  return ErrandWords.encode({ json })
}

/** At most PIECE_MAX of it. */
export const inputMessage = (bytes: Uint8Array, { isLast }: { readonly isLast: boolean }) =>
  (isLast ? ErrandLastInput : ErrandInput).encode({ bytes })

/** What was printed, as messages. */
export function printedMessages(from: 'out' | 'err', printed: Uint8Array): Uint8Array[] {
  const layout = from === 'out' ? ErrandOutput : ErrandErrors
  const messages: Uint8Array[] = []
  for (let at = 0; at < printed.length; at += PIECE_MAX)
    messages.push(layout.encode({ bytes: printed.subarray(at, at + PIECE_MAX) }))
  return messages
}

/** What comes on a connection, put together. Of no further use after it has thrown. */
export class ErrandReader {
  private readonly splitter = new MessageSplitter()

  /** In order; views. Throws STATE_UNEXPECTED, WireError. */
  push(chunk: Uint8Array): Heard[] {
    return this.splitter.push(chunk).map(raw => {
      switch ((raw[2]! << 8) | raw[3]!) {
        case ErrandWords.type:
          return { words: ErrandWords.decode(raw).json }
        case ErrandInput.type:
          return { input: ErrandInput.decode(raw).bytes, isLast: false }
        case ErrandLastInput.type:
          return { input: ErrandLastInput.decode(raw).bytes, isLast: true }
        case ErrandOutput.type:
          return { from: 'out', piece: ErrandOutput.decode(raw).bytes }
        case ErrandErrors.type:
          return { from: 'err', piece: ErrandErrors.decode(raw).bytes }
        default:
          throw unexpected()
      }
    })
  }
}

/** Throws STATE_UNEXPECTED, also where it is of another version. */
export function readErrand(json: Uint8Array): Errand {
  const words = parsed(json)
  if (words.errand !== ERRAND_VERSION) throw unexpected()
  const { user, limitS } = words
  return {
    zone: zoneOf(words.zone),
    line: textOf(words.line, WORDS_MAX),
    user: user === null ? null : userOf(user),
    timeoutMs: positiveOf(words.timeoutMs),
    limitS: limitS === null ? null : positiveOf(limitS),
    approved: words.approved === true,
  }
}

/** Throws STATE_UNEXPECTED. */
export function readAnswer(json: Uint8Array): Answer {
  const words = parsed(json)
  const { say } = words
  switch (say) {
    case 'heard':
    case 'ready':
    case 'more':
      return { say }
    case 'refused':
      return { say, why: shownOf(words.why) }
    case 'greeting':
      return { say, text: shownOf(words.text) }
    case 'end':
      return { say, exitCode: exitCodeOf(words.exitCode), error: errorOf(words.error) }
    default:
      throw unexpected()
  }
}

export const unexpected = (): BoxError =>
  new BoxError('STATE_UNEXPECTED', 'The box up that runs here is of another version.')

const { parsed, wordsOf } = wordReaders(unexpected)

function textOf(value: unknown, max: number): string {
  if (typeof value === 'string' && value.length <= max) return value
  throw unexpected()
}

const shownOf = (value: unknown): string => textOf(value, WORDS_MAX).slice(0, TEXT_MAX)

function userOf(value: unknown): string {
  if (typeof value === 'string' && isUserName(value)) return value
  throw unexpected()
}

function zoneOf(value: unknown): ZoneKey {
  try {
    return zoneFromText(textOf(value, TEXT_MAX))
  } catch {
    throw unexpected()
  }
}

function positiveOf(value: unknown): number {
  if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value
  throw unexpected()
}

function exitCodeOf(value: unknown): number | null {
  if (value === null) return null
  if (Number.isInteger(value) && positiveOf((value as number) + 1) <= EXIT_CODE_MAX + 1)
    return value as number
  throw unexpected()
}

function errorOf(value: unknown): { code: ErrorCode; message: string } | null {
  if (value === null) return null
  const { code, message } = wordsOf(value)
  if (typeof code !== 'string' || !Object.hasOwn(ERRORS, code)) throw unexpected()
  return { code: code as ErrorCode, message: shownOf(message) }
}
