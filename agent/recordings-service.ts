/** Answers who may read recordings: the list of them, or the parts of one, as they lie on the disk. */

import { inflateRawSync } from 'node:zlib'
import { BoxError } from '../src/base/errors.ts'
import {
  CONTENT_BYTES_MAX,
  isRecordingId,
  PART_HEAD_SIZE,
  parseRecordingAbout,
  RECORDING_SUBSYSTEM,
  RECORDINGS_SUBSYSTEM,
  type RecordingAbout,
  type RecordingEntry,
  readPartHead,
} from '../src/box/recording.ts'
import type { Recorder } from './recorder.ts'

/** What is read of a recording, and sent, at once. */
const PIECE_BYTES = 32 * 1_024
/** There is no such recording, or it cannot be read. */
const EXIT_NOTHING = 1
/** All there is was said, and more will come. */
const EXIT_OPEN = 3

export const isRecordingsName = (subsystem: string): boolean =>
  subsystem === RECORDINGS_SUBSYSTEM || subsystem.startsWith(RECORDING_SUBSYSTEM)

/** Says all that the subsystem of this name has to say; resolves to its exit code. */
export async function serveRecordings(
  subsystem: string,
  recorder: Recorder | null,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<number> {
  try {
    if (!recorder) return subsystem === RECORDINGS_SUBSYSTEM ? 0 : EXIT_NOTHING
    if (subsystem === RECORDINGS_SUBSYSTEM) {
      for (const id of recorder.ids())
        await write(Buffer.from(`${JSON.stringify(entryOf(recorder, id))}\n`))
      return 0
    }
    return await send(recorder, subsystem.slice(RECORDING_SUBSYSTEM.length), write)
  } catch (error) {
    if (error instanceof BoxError) return EXIT_NOTHING
    throw error
  }
}

async function send(
  recorder: Recorder,
  id: string,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<number> {
  if (!isRecordingId(id) || !recorder.ids().includes(id)) return EXIT_NOTHING
  for (let from = 0; ; ) {
    const piece = recorder.read(id, from, PIECE_BYTES)
    if (piece.length === 0) return recorder.isOpen(id) ? EXIT_OPEN : 0
    await write(piece)
    from += piece.length
  }
}

/** Where recordings are. */
type Shelf = Pick<Recorder, 'read' | 'sizeOf' | 'isOpen'>

/** What stands on the disk; whoever reads the recording itself checks its signatures. */
export function entryOf(recorder: Shelf, id: string): RecordingEntry {
  let parts = 0
  let at = 0
  let endedAt = 0
  let isWhole = false
  for (;;) {
    const head = readPartHead(recorder.read(id, at, PART_HEAD_SIZE))
    if (!head || at + head.size > recorder.sizeOf(id)) break
    parts++
    at += head.size
    endedAt = head.at
    isWhole = head.isLast
  }
  const state = recorder.isOpen(id) ? 'open' : isWhole ? 'whole' : 'cut'
  return { id, state, parts, bytes: at, endedAt, about: aboutIn(recorder, id) }
}

/** Null where its beginning is damaged. */
function aboutIn(recorder: Pick<Shelf, 'read'>, id: string): RecordingAbout | null {
  const head = readPartHead(recorder.read(id, 0, PART_HEAD_SIZE))
  if (!head) return null
  const content = recorder.read(id, PART_HEAD_SIZE, head.size - PART_HEAD_SIZE)
  try {
    const lines = inflateRawSync(content, { maxOutputLength: CONTENT_BYTES_MAX }).toString()
    return parseRecordingAbout(lines.slice(0, lines.indexOf('\n')))
  } catch {
    return null
  }
}
