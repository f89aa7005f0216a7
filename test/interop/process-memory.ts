/** Looks for texts in the memory of other processes, and in what was written or sent, in the encodings they may have there. */

import { closeSync, openSync, readFileSync, readSync } from 'node:fs'
import { encodeBase32 } from '../../src/wire/base32.ts'

const CHUNK = 1_048_576
const PAGE = 4_096
/** Longer than any needle: what lies across two chunks is found too. */
const OVERLAP = 1_024

/** The text as it may lie there: as bytes, wide, in hex, and in base 64 and 32 wherever it begins in these. */
export function needlesOf(text: string): readonly Buffer[] {
  const bytes = Buffer.from(text)
  const hex = bytes.toString('hex')
  // Without the characters at the ends, which depend on the neighbours.
  const base64 = [0, 1, 2].map(shift =>
    Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .slice(shift === 0 ? 0 : 4, -4),
  )
  const base32 = [0, 1, 2, 3, 4].map(shift => encodeBase32(bytes.subarray(shift)).slice(0, -2))
  return [
    ...[bytes, Buffer.from(text, 'utf16le'), Buffer.from([...bytes].toReversed())],
    ...[hex, hex.toUpperCase(), ...base64, ...base32].map(one => Buffer.from(one)),
  ]
}

export const contains = (content: Buffer, needles: readonly Buffer[]): boolean =>
  needles.some(needle => content.includes(needle))

/** Whether one of them lies anywhere in the memory of a process that can be written to. Needs root. */
export async function memoryContains(pid: number, needles: readonly Buffer[]): Promise<boolean> {
  const file = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const region of writableRegions(pid))
      if (await regionContains(file, region, needles)) return true
    return false
  } finally {
    closeSync(file)
  }
}

interface Region {
  readonly from: number
  readonly to: number
}

function writableRegions(pid: number): Region[] {
  return readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap(line => {
      const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line) ?? []
      return from && to ? [{ from: Number.parseInt(from, 16), to: Number.parseInt(to, 16) }] : []
    })
}

async function regionContains(
  file: number,
  { from, to }: Region,
  needles: readonly Buffer[],
): Promise<boolean> {
  const buffer = Buffer.alloc(CHUNK)
  for (let at = from; at < to; ) {
    const size = Math.min(CHUNK, to - at)
    const read = readSome(file, buffer, size, at)
    if (contains(buffer.subarray(0, read), needles)) return true
    // What ends early, ends at a page that cannot be read.
    // Others in this process, a proxy say, go on meanwhile.
    await new Promise(resolve => setImmediate(resolve))
    at += read === size ? Math.max(size - OVERLAP, PAGE) : read + PAGE
  }
  return false
}

/** Nothing where a page was never touched, or is gone since. */
function readSome(file: number, buffer: Buffer, size: number, at: number): number {
  try {
    return readSync(file, buffer, 0, size, at)
  } catch {
    return 0
  }
}
