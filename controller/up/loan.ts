/**
 * How a running `box up` and other `box` commands talk: each loan is a connection of its own over a Unix
 * socket that only the owner can open. First a request as JSON, and its answer; where that opened a channel,
 * what follows in both directions are its messages. Proofs and encryption stay where they are: in the command
 * and in the device.
 */

import { BoxError, ERRORS, type ErrorCode } from '../../src/base/errors.ts'
import { hashCode, peerId, portId } from '../../src/base/ids.ts'
import type { DhtBlock, DhtQuery, DhtResult, MeshStatus } from '../../src/mesh/mesh.ts'
import { decodeBase32, encodeBase32 } from '../../src/wire/base32.ts'
import { message, rest } from '../../src/wire/layout.ts'

/** Something said about the loan, as JSON. */
export const LoanWords = message('BOX_LOAN_WORDS', 0xbde0, { json: rest })
/** A message of the channel that was lent, whole. */
export const LoanMessage = message('BOX_LOAN_MESSAGE', 0xbde1, { raw: rest })

export type Words = Readonly<Record<string, unknown>>

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export const wordsOf = (value: object): Uint8Array =>
  LoanWords.encode({ json: encoder.encode(JSON.stringify(value)) })

/** Throws STATE_UNEXPECTED. */
export function readWords(raw: Uint8Array): Words {
  try {
    const value: unknown = JSON.parse(decoder.decode(LoanWords.decode(raw).json))
    if (value !== null && typeof value === 'object') return value as Words
  } catch {
    // Told below.
  }
  throw new BoxError('STATE_UNEXPECTED', 'The box that is up is of another version.')
}

export const isWords = (raw: Uint8Array): boolean => ((raw[2]! << 8) | raw[3]!) === LoanWords.type

/** An error as it was; what is none of ours is the end of the engine. */
export function errorOf(code: unknown, detail: unknown): BoxError {
  const isOurs = typeof code === 'string' && Object.hasOwn(ERRORS, code)
  return new BoxError(
    isOurs ? (code as ErrorCode) : 'ENGINE_CLOSED',
    typeof detail === 'string' ? detail : undefined,
  )
}

/** Throws RangeError, or what decodeBase32 throws, where it is not as `bytesText` writes it. */
export const peerOf = (text: unknown) => peerId(decodeBase32(`${text}`, 32))
export const portOf = (text: unknown) => portId(bytesOf(text))
export const bytesText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')
export const bytesOf = (text: unknown): Uint8Array =>
  new Uint8Array(Buffer.from(`${text}`, 'base64'))

export const queryWords = ({ key, ...rest }: DhtQuery): object => ({ ...rest, key: bytesText(key) })
export const queryOf = ({ type, key, replication, options }: Words): DhtQuery => ({
  ...{ type: Number(type), replication: Number(replication), options: Number(options) },
  key: hashCode(bytesOf(key)),
})

export const blockWords = ({ data, expiresAt, ...query }: DhtBlock): object => ({
  ...queryWords(query),
  ...{ data: bytesText(data), expiresAt },
})
export const blockOf = (words: Words): DhtBlock => ({
  ...queryOf(words),
  ...{ data: bytesOf(words.data), expiresAt: Number(words.expiresAt) },
})

export const resultWords = ({ putPath, getPath, ...block }: DhtResult): object => ({
  ...blockWords(block),
  ...{ putPath: putPath.map(encodeBase32), getPath: getPath.map(encodeBase32) },
})
export const resultOf = (words: Words): DhtResult => ({
  ...blockOf(words),
  ...{ putPath: pathOf(words.putPath), getPath: pathOf(words.getPath) },
})

export const pathOf = (value: unknown) => (Array.isArray(value) ? value.map(peerOf) : [])

/** Who is next to the peer that is lent. Its tunnels and counters are its own matter. */
export const statusWords = ({ engine, neighbours }: MeshStatus): object => ({
  engine,
  neighbours: neighbours.map(({ peer, address, state }) => ({
    ...{ peer: encodeBase32(peer), address, state },
  })),
})
export function statusOf({ engine, neighbours }: Words): MeshStatus {
  const all = Array.isArray(neighbours) ? (neighbours as Words[]) : []
  return {
    engine: engine === 'gnunet' ? 'gnunet' : 'embedded',
    neighbours: all.map(({ peer, address, state }) => ({
      ...{ peer: peerOf(peer), address: `${address}` },
      state: state === 'up' ? 'up' : 'connecting',
    })),
    tunnels: [],
    counters: {},
  }
}
