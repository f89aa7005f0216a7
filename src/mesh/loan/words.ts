/**
 * How a process that has a peer and those that use it talk: each loan is a connection of its own over a Unix
 * socket. First a request as JSON, and its answer; where that opened a channel, what follows in both directions
 * are its messages. Proofs and encryption stay where they are: with whoever borrows, and at the other end.
 *
 * Neither side believes what it reads: a lender that has fallen into other hands may say anything, and so may
 * whoever has got at the socket. What makes no sense ends the connection, with a BoxError or WireError.
 */

import { concat } from '../../base/bytes.ts'
import { BoxError, ERRORS, type ErrorCode } from '../../base/errors.ts'
import { hashCode, peerId, portId } from '../../base/ids.ts'
import { base32Length, decodeBase32, encodeBase32 } from '../../wire/base32.ts'
import { MessageSplitter } from '../../wire/framing.ts'
import { isWords, type Words, wordReaders } from '../../wire/json-words.ts'
import { message, rest } from '../../wire/layout.ts'
import type { DhtBlock, DhtQuery, DhtResult, MeshStatus, Trouble, TunnelStatus } from '../mesh.ts'

/** Raised where one side would not understand the other any more. */
export const LOAN_VERSION = 2
/** A part of what is said fits a message of 64 KiB with its header. */
const PART_SIZE = 60_000
/** The status of a hub with some thousand neighbours and tunnels. */
const WORDS_SIZE_MAX = 4 * 1_024 * 1_024
const TEXT_MAX = 1_024
const REPLICATION_MAX = 16
const U32_MAX = 0xffff_ffff
const KINDS = ['service', 'stale-tunnel', 'lost-path', 'identity-changed'] as const
const TUNNEL_STATES = ['searching', 'connecting', 'keying', 'up'] as const

/** Something said about the loan, as JSON: all of it, or its end. */
export const LoanWords = message('BOX_LOAN_WORDS', 0xbde0, { json: rest })
/** A message of the channel that was lent, whole. */
export const LoanMessage = message('BOX_LOAN_MESSAGE', 0xbde1, { raw: rest })
/** What comes before the end, where one message does not hold all. */
export const LoanPart = message('BOX_LOAN_PART', 0xbde2, { json: rest })

export type Heard = { readonly words: Words } | { readonly message: Uint8Array }

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const typeOf = (raw: Uint8Array): number => (raw[2]! << 8) | raw[3]!

/** One or more messages. */
export function wordsOf(value: object): Uint8Array {
  const json = encoder.encode(JSON.stringify(value))
  const parts: Uint8Array[] = []
  let at = 0
  for (; json.length - at > PART_SIZE; at += PART_SIZE)
    parts.push(LoanPart.encode({ json: json.subarray(at, at + PART_SIZE) }))
  return joined([...parts, LoanWords.encode({ json: json.subarray(at) })])
}

/** Of one message. Throws STATE_UNEXPECTED, WireError. */
export const readWords = (raw: Uint8Array): Words => parsed(LoanWords.decode(raw).json)

/** What comes on a connection, put together. Of no further use after it has thrown. */
export class LoanReader {
  private readonly splitter = new MessageSplitter()
  private parts: Uint8Array[] = []
  private size = 0

  /** In order; messages of a channel are views. Throws STATE_UNEXPECTED, LIMIT_EXCEEDED, WireError. */
  push(chunk: Uint8Array): Heard[] {
    return this.splitter.push(chunk).flatMap(raw => this.take(raw))
  }

  private take(raw: Uint8Array): Heard[] {
    switch (typeOf(raw)) {
      case LoanMessage.type:
        return [{ message: LoanMessage.decode(raw).raw }]
      case LoanPart.type:
        this.keep(LoanPart.decode(raw).json)
        return []
      case LoanWords.type: {
        this.keep(LoanWords.decode(raw).json)
        const words = parsed(joined(this.parts))
        this.parts = []
        this.size = 0
        return [{ words }]
      }
      default:
        throw unexpected()
    }
  }

  private keep(part: Uint8Array): void {
    this.size += part.length
    if (this.size > WORDS_SIZE_MAX) throw new BoxError('LIMIT_EXCEEDED')
    this.parts.push(part.slice())
  }
}

function parsed(json: Uint8Array): Words {
  try {
    const value: unknown = JSON.parse(decoder.decode(json))
    if (isWords(value)) return value
  } catch {
    // Told below.
  }
  throw unexpected()
}

const joined = (parts: readonly Uint8Array[]): Uint8Array =>
  parts.length === 1 ? parts[0]! : concat(...parts)

export const unexpected = (): BoxError =>
  new BoxError('STATE_UNEXPECTED', 'Whoever lends the mesh is of another version.')

/** What is said within what is said, and whole numbers. Throw STATE_UNEXPECTED. */
const readers = wordReaders(unexpected)
const { listOf } = readers
export const { wordsOf: wordsIn, wholeOf } = readers

/** An error as it was; what is none of ours is the end of the engine. */
export function errorOf(code: unknown, detail: unknown): BoxError {
  const isOurs = typeof code === 'string' && Object.hasOwn(ERRORS, code)
  return new BoxError(
    isOurs ? (code as ErrorCode) : 'ENGINE_CLOSED',
    typeof detail === 'string' ? textOf(detail) : undefined,
  )
}

/** All of these throw BoxError where it is not as it should be. */
export function stringOf(value: unknown): string {
  if (typeof value === 'string') return value
  throw unexpected()
}
export const peerOf = (value: unknown) => peerId(decodeBase32(stringOf(value), 32))
export const portOf = (value: unknown) => portId(decodeBase32(stringOf(value), 64))
const bytesOf = (value: unknown): Uint8Array => {
  const text = stringOf(value)
  const length = Math.floor((text.length * 5) / 8)
  if (base32Length(length) !== text.length) throw unexpected()
  return decodeBase32(text, length)
}

/** It may be shown to people: without anything that terminals obey. */
const textOf = (value: unknown): string =>
  stringOf(value).slice(0, TEXT_MAX).replaceAll(/\p{C}/gu, ' ')

export const queryWords = ({ type, key, replication, options }: DhtQuery): object => ({
  ...{ type, replication, options },
  key: encodeBase32(key),
})
export const queryOf = ({ type, key, replication, options }: Words): DhtQuery => ({
  type: wholeOf(type, U32_MAX),
  key: hashCode(decodeBase32(stringOf(key), 64)),
  replication: wholeOf(replication, REPLICATION_MAX),
  options: wholeOf(options, U32_MAX),
})

export const blockWords = ({ data, expiresAt, ...query }: DhtBlock): object => ({
  ...queryWords(query),
  ...{ data: encodeBase32(data), expiresAt },
})
export const blockOf = (words: Words): DhtBlock => ({
  ...queryOf(words),
  data: bytesOf(words.data),
  expiresAt: wholeOf(words.expiresAt, Number.MAX_SAFE_INTEGER),
})

export const resultWords = ({ putPath, getPath, ...block }: DhtResult): object => ({
  ...blockWords(block),
  ...{ putPath: pathWords(putPath), getPath: pathWords(getPath) },
})
export const resultOf = (words: Words): DhtResult => ({
  ...blockOf(words),
  ...{ putPath: pathOf(words.putPath), getPath: pathOf(words.getPath) },
})

export const pathWords = (path: readonly Uint8Array[]): readonly string[] => path.map(encodeBase32)
export const pathOf = (value: unknown) => listOf(value).map(peerOf)
export const pathsOf = (value: unknown) => listOf(value).map(pathOf)

const oneOf = <T extends string>(choices: readonly T[], value: unknown): T => {
  const found = choices.find(choice => choice === value)
  if (found !== undefined) return found
  throw unexpected()
}

export const statusWords = ({ neighbours, tunnels, troubles, ...rest }: MeshStatus): object => ({
  ...rest,
  neighbours: neighbours.map(({ peer, address, state }) => ({
    ...{ peer: encodeBase32(peer), address, state },
  })),
  tunnels: tunnels.map(({ peer, state, channels, paths }) => ({
    ...{ peer: encodeBase32(peer), state, channels },
    paths: paths.map(pathWords),
  })),
  troubles: troubles?.map(({ peer, kind, detail, cure }) => ({
    ...{ kind, detail, cure },
    peer: peer && encodeBase32(peer),
  })),
})

export function statusOf(words: Words): MeshStatus {
  const { engine, about, troubles } = words
  return {
    engine: oneOf(['embedded', 'gnunet'], engine),
    neighbours: listOf(words.neighbours).map(one => {
      const { peer, address, state } = wordsIn(one)
      const standing = oneOf(['connecting', 'up'], state)
      return { peer: peerOf(peer), address: textOf(address), state: standing }
    }),
    tunnels: listOf(words.tunnels).map(one => tunnelOf(wordsIn(one))),
    counters: countersOf(wordsIn(words.counters)),
    ...(about === undefined ? {} : { about: textOf(about) }),
    ...(troubles === undefined
      ? {}
      : { troubles: listOf(troubles).map(one => troubleOf(wordsIn(one))) }),
  }
}

const tunnelOf = ({ peer, state, channels, paths }: Words): TunnelStatus => ({
  peer: peerOf(peer),
  state: oneOf(TUNNEL_STATES, state),
  channels: wholeOf(channels, U32_MAX),
  paths: pathsOf(paths),
})

const troubleOf = ({ kind, peer, detail, cure }: Words): Trouble => ({
  kind: oneOf(KINDS, kind),
  peer: peer === null ? null : peerOf(peer),
  detail: textOf(detail),
  cure: textOf(cure),
})

const countersOf = (words: Words): Record<string, number> =>
  Object.fromEntries(
    Object.entries(words).map(([name, count]) => [
      textOf(name),
      wholeOf(count, Number.MAX_SAFE_INTEGER),
    ]),
  )
