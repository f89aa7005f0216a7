/**
 * What is said to a relay about a file for somebody who is away, over the dialogue of push-talk.ts on the port `mail`: see
 * there. Its parts are sealed (src/social/file-part.ts); the relay knows the drop, a tag that only the two can tell
 * anything from, how many parts there are and how many bytes they have in all.
 */

import { BoxError } from '../base/errors.ts'
import { CELL_SIZES } from '../psyc/padding.ts'
import { FILE_BYTES_MAX } from '../social/file-tree.ts'
import type { Json } from './push-talk.ts'

/** Of each part but the last, which may be of a smaller size. */
export const RELAYED_PART_SIZE = CELL_SIZES[CELL_SIZES.length - 1]!
/** More than the largest file has. */
const COUNT_MAX = 2 * Math.ceil(FILE_BYTES_MAX / RELAYED_PART_SIZE)
/** 128 bits in base 32: it is the name of a file at the relay. */
const TAG = /^[0-9a-hjkmnp-tv-z]{26}$/

export interface RelayedFile {
  readonly tag: string
  /** Parts, and the bytes that they have together. */
  readonly count: number
  readonly size: number
}

/** What lies at a relay. */
export interface Lying {
  /** Parts, from the first one on. */
  readonly has: number
  /** All that there are to be; 0 where nothing is known of it. */
  readonly count: number
  /** Milliseconds since 1970: the relay keeps it no longer. */
  readonly until: number
}

/** How many bytes the part of this index has. */
export const relayedPartSize = (
  { count, size }: Pick<RelayedFile, 'count' | 'size'>,
  index: number,
): number => (index < count - 1 ? RELAYED_PART_SIZE : size - (count - 1) * RELAYED_PART_SIZE)

/** Throws PUSH_REFUSED. */
export function readTag({ tag }: Json): string {
  if (typeof tag === 'string' && TAG.test(tag)) return tag
  throw new BoxError('PUSH_REFUSED', 'A tag is missing.')
}

/** Throws PUSH_REFUSED. */
export function readFrom({ from }: Json): number {
  if (isCount(from)) return from
  throw new BoxError('PUSH_REFUSED', 'The number of a part is missing.')
}

/** Throws PUSH_REFUSED where there can be no such file. */
export function readRelayedFile(body: Json): RelayedFile {
  const { count, size } = body
  const tag = readTag(body)
  if (!isCount(count) || count === 0 || !Number.isSafeInteger(size))
    throw new BoxError('PUSH_REFUSED', 'How many parts there are is missing.')
  const file = { tag, count, size: size as number }
  const last = relayedPartSize(file, count - 1)
  if (!(CELL_SIZES as readonly number[]).includes(last))
    throw new BoxError('PUSH_REFUSED', 'A part has one of few sizes.')
  return file
}

/** What a relay answers. Throws STATE_UNEXPECTED. */
export function readLying({ has, count, until }: Json): Lying {
  if (!isCount(has) || !isCount(count) || has > count || !isCount(until, Number.MAX_SAFE_INTEGER))
    throw new BoxError('STATE_UNEXPECTED', 'The relay does not say what it has.')
  return { has, count, until }
}

const isCount = (value: unknown, max = COUNT_MAX): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max
