/**
 * How an agent talks with the keeper of its shells, over a Unix socket in its state directory. One connection, the
 * line, carries orders and the list of what is held; each shell that is looked after has another one for its bytes,
 * so that one that is not read holds nobody else back.
 *
 * The two may be of different versions, for the keeper outlives an upgrade: the line begins with the versions of
 * this protocol that the agent speaks, and what follows is of the one that the keeper chose. Neither side believes
 * what it reads; what makes no sense ends the connection, with a BoxError or WireError.
 */

import { BoxError } from '../../src/base/errors.ts'
import { MessageSplitter } from '../../src/wire/framing.ts'
import { type Words, wordReaders } from '../../src/wire/json-words.ts'
import { message, rest } from '../../src/wire/layout.ts'
import type { Exit } from '../program.ts'
import type { TerminalRequest } from '../pty.ts'

/** Those this version speaks, the best first. Words that are new raise it; the old ones go on being understood. */
export const KEEPER_VERSIONS: readonly number[] = [1]
/** One message of 64 KiB with its header. */
const BYTES_MAX = 60_000
const WORDS_MAX = 60_000
/** Who opened a shell, in the agent's own words. */
export const LABEL_MAX = 1_024
const TEXT_MAX = 32_768
const ARGUMENTS_MAX = 64
const VARIABLES_MAX = 256
const GROUPS_MAX = 1_024
const VERSIONS_MAX = 16
const ID_MAX = 0xffff_fffe

const KeeperWords = message('BOX_KEEPER_WORDS', 0xbde8, { json: rest })
const KeeperBytes = message('BOX_KEEPER_BYTES', 0xbde9, { bytes: rest })

/** What begins a connection. */
export type FirstOrder =
  | { readonly do: 'line'; readonly versions: readonly number[]; readonly keepMs: number }
  | { readonly do: 'open'; readonly program: TerminalRequest; readonly label: string }
  | { readonly do: 'attach'; readonly shell: number }

/** What comes on the line. */
export type LineOrder =
  | {
      readonly do: 'resize'
      readonly shell: number
      readonly columns: number
      readonly rows: number
    }
  | { readonly do: 'signal'; readonly shell: number; readonly name: string }
  /** Whether anybody looks at it. */
  | { readonly do: 'seen'; readonly shell: number; readonly isSeen: boolean }
  /** Hangs it up, or forgets it where it has ended. */
  | { readonly do: 'end'; readonly shell: number }

/** What an agent says. */
export type Order = FirstOrder | LineOrder

/** A shell that the keeper holds. */
export interface Held {
  readonly shell: number
  readonly pid: number
  readonly label: string
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** For how long nobody has looked. */
  readonly silentMs: number
  /** Since when, where somebody looked until the agent went without a word; null where it said so before. */
  readonly cutOffAt: number | null
}

/** What a keeper says. */
export type Answer =
  | { readonly say: 'line'; readonly version: number; readonly holds: readonly Held[] }
  | { readonly say: 'refused'; readonly why: string; readonly versions: readonly number[] }
  | { readonly say: 'shell'; readonly shell: number; readonly pid: number }
  /** After the last byte; `at` in milliseconds since 1970. */
  | { readonly say: 'exit'; readonly exit: Exit; readonly at: number }

export type Heard = { readonly words: Uint8Array } | { readonly bytes: Uint8Array }

const encoder = new TextEncoder()

/** Throws LIMIT_EXCEEDED where it is too much for one message. */
export function wordsMessage(words: Order | Answer): Uint8Array {
  const json = encoder.encode(JSON.stringify(words))
  if (json.length > WORDS_MAX) throw new BoxError('LIMIT_EXCEEDED')
  return KeeperWords.encode({ json })
}

/** What is typed or printed, as messages. */
export function bytesMessages(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += BYTES_MAX)
    messages.push(KeeperBytes.encode({ bytes: bytes.subarray(at, at + BYTES_MAX) }))
  return messages
}

/** What comes on a connection, put together. Of no further use after it has thrown. */
export class KeeperReader {
  private readonly splitter = new MessageSplitter()

  /** In order; copies. Throws STATE_UNEXPECTED, WireError. */
  push(chunk: Uint8Array): Heard[] {
    return this.splitter.push(chunk).map(raw => {
      switch ((raw[2]! << 8) | raw[3]!) {
        case KeeperWords.type:
          return { words: KeeperWords.decode(raw).json.slice() }
        case KeeperBytes.type:
          return { bytes: KeeperBytes.decode(raw).bytes.slice() }
        default:
          throw unexpected()
      }
    })
  }
}

/** Throws STATE_UNEXPECTED. */
export function readOrder(json: Uint8Array): Order {
  const words = parsed(json)
  const { do: order } = words
  switch (order) {
    case 'line':
      return { do: order, versions: versionsOf(words.versions), keepMs: wholeOf(words.keepMs) }
    case 'open':
      return { do: order, program: programOf(words.program), label: labelOf(words.label) }
    case 'attach':
    case 'end':
      return { do: order, shell: wholeOf(words.shell) }
    case 'resize': {
      const [columns, rows] = [wholeOf(words.columns), wholeOf(words.rows)]
      return { do: order, shell: wholeOf(words.shell), columns, rows }
    }
    case 'signal':
      return { do: order, shell: wholeOf(words.shell), name: signalOf(words.name) }
    case 'seen':
      return { do: order, shell: wholeOf(words.shell), isSeen: words.isSeen === true }
    default:
      throw unexpected()
  }
}

/** Throws STATE_UNEXPECTED. */
export function readAnswer(json: Uint8Array): Answer {
  const words = parsed(json)
  const { say } = words
  switch (say) {
    case 'line':
      return { say, version: wholeOf(words.version), holds: listOf(words.holds).map(heldOf) }
    case 'refused':
      return { say, why: shownOf(words.why), versions: versionsOf(words.versions) }
    case 'shell':
      return { say, shell: wholeOf(words.shell), pid: wholeOf(words.pid) }
    case 'exit':
      return { say, exit: exitOf(words.exit), at: wholeOf(words.at) }
    default:
      throw unexpected()
  }
}

export const unexpected = (): BoxError =>
  new BoxError('STATE_UNEXPECTED', 'The keeper of shells is of another version.')

const { parsed, wordsOf, listOf, wholeOf } = wordReaders(unexpected)

function textOf(value: unknown, max = TEXT_MAX): string {
  // A system call would take what is before a NUL.
  if (typeof value === 'string' && value.length <= max && !value.includes('\0')) return value
  throw unexpected()
}

const labelOf = (value: unknown): string => textOf(value, LABEL_MAX)
/** For the log: nothing that a terminal obeys. */
const shownOf = (value: unknown): string => textOf(value).slice(0, 200).replaceAll(/\p{C}/gu, ' ')
const versionsOf = (value: unknown): readonly number[] =>
  listOf(value, VERSIONS_MAX).map(one => wholeOf(one))

function signalOf(value: unknown): string {
  const name = textOf(value, 16)
  if (!/^[A-Z][A-Z0-9]*$/.test(name)) throw unexpected()
  return name
}

function exitOf(value: unknown): Exit {
  const { code, signal } = wordsOf(value)
  return signal === undefined ? { code: wholeOf(code, 255) } : { signal: signalOf(signal) }
}

function programOf(value: unknown): TerminalRequest {
  const { file, args, env, cwd, columns, rows, as } = wordsOf(value)
  const variables = Object.entries(wordsOf(env))
  if (variables.length > VARIABLES_MAX) throw unexpected()
  return {
    file: textOf(file),
    args: listOf(args, ARGUMENTS_MAX).map(one => textOf(one)),
    env: Object.fromEntries(variables.map(([name, one]) => [textOf(name), textOf(one)])),
    cwd: textOf(cwd),
    columns: wholeOf(columns),
    rows: wholeOf(rows),
    as: as === null ? null : accountOf(wordsOf(as)),
  }
}

const accountOf = ({ uid, gid, groups }: Words): TerminalRequest['as'] => ({
  uid: wholeOf(uid, ID_MAX),
  gid: wholeOf(gid, ID_MAX),
  groups: listOf(groups, GROUPS_MAX).map(one => wholeOf(one, ID_MAX)),
})

function heldOf(value: unknown): Held {
  const { shell, pid, label, startedAt, silentMs, cutOffAt } = wordsOf(value)
  return {
    ...{ shell: wholeOf(shell), pid: wholeOf(pid), label: labelOf(label) },
    ...{ startedAt: wholeOf(startedAt), silentMs: wholeOf(silentMs) },
    cutOffAt: cutOffAt === null ? null : wholeOf(cutOffAt),
  }
}
