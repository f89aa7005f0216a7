/**
 * A recording as it comes from its device: every part is checked before anything of it is believed (see
 * src/box/recording.ts).
 */

import { inflateRawSync } from 'node:zlib'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import {
  type CastEvent,
  CONTENT_BYTES_MAX,
  parseCastEvent,
  parseRecordingAbout,
  parseRecordingEntry,
  RECORDING_SUBSYSTEM,
  RECORDINGS_SUBSYSTEM,
  type RecordingAbout,
  type RecordingEntry,
  RecordingReader,
  recordingTime,
} from '../src/box/recording.ts'
import type { SshSession } from './ssh-client.ts'
import { subsystemLines } from './subsystem-lines.ts'

/** With which the device ends what it sends of a recording that goes on. */
const EXIT_OPEN = 3

export interface PlayedRecording {
  readonly about: RecordingAbout
  /** All of them, in their order. Fails with SIGNATURE_INVALID where the recording is broken or its end is missing. */
  readonly events: AsyncGenerator<CastEvent, RecordingProof>
}

/** What the signatures have shown. */
export interface RecordingProof {
  /** Whether the session goes on, so that the end cannot be there. */
  readonly isOpen: boolean
  readonly parts: number
  /** Stands in the device's audit journal, too. */
  readonly head: string
}

/** All recordings that the device says it has, the oldest first. Fails as SshSession.hear, STATE_UNEXPECTED. */
export async function recordingsOn(ssh: SshSession): Promise<readonly RecordingEntry[]> {
  const entries: RecordingEntry[] = []
  for await (const line of subsystemLines(ssh, RECORDINGS_SUBSYSTEM))
    entries.push(parseRecordingEntry(line))
  return entries
}

/** As programs read it. */
export function recordingValue({ id, state, parts, bytes, endedAt, about }: RecordingEntry) {
  return {
    ...{ id, state, parts, bytes },
    started_at: new Date(about?.startedAt ?? recordingTime(id)).toISOString(),
    ended_at: new Date(endedAt).toISOString(),
    ...{ who: about?.who ?? null, zone: about?.zone ?? null },
    ...{ what: about?.what ?? null, detail: about?.detail ?? null },
  }
}

/** Begins to read one, of whoever has, or had, one of these zones. Fails with RECORDING_UNKNOWN, SIGNATURE_INVALID, and as SshSession.hear. */
export async function openRecordingOf(
  ssh: SshSession,
  devices: readonly ZoneKey[],
  id: string,
): Promise<PlayedRecording> {
  const lines = linesOf(ssh, devices, id)
  const first = await lines.next()
  if (first.done) throw new BoxError('RECORDING_UNKNOWN')
  return { about: parseRecordingAbout(first.value), events: eventsOf(lines) }
}

async function* eventsOf(
  lines: AsyncGenerator<string, RecordingProof>,
): AsyncGenerator<CastEvent, RecordingProof> {
  for (;;) {
    const next = await lines.next()
    if (next.done) return next.value
    yield parseCastEvent(next.value)
  }
}

async function* linesOf(
  ssh: SshSession,
  devices: readonly ZoneKey[],
  id: string,
): AsyncGenerator<string, RecordingProof> {
  const reader = new RecordingReader(devices, id)
  const pieces = ssh.hear(`${RECORDING_SUBSYSTEM}${id}`)
  for (;;) {
    const next = await pieces.next()
    if (next.done) {
      const isOpen = next.value === EXIT_OPEN
      if (reader.parts > 0 && !reader.isWhole && !isOpen)
        throw new BoxError(
          'SIGNATURE_INVALID',
          'The end of the recording is missing: the device was stopped, or somebody has cut it off.',
        )
      return { isOpen, parts: reader.parts, head: reader.head }
    }
    for (const { content } of reader.take(next.value)) yield* textLines(content)
  }
}

/** Throws STATE_UNEXPECTED. */
function textLines(content: Uint8Array): string[] {
  try {
    const text = inflateRawSync(content, { maxOutputLength: CONTENT_BYTES_MAX }).toString()
    return text.split('\n').filter(line => line !== '')
  } catch (cause) {
    throw new BoxError('STATE_UNEXPECTED', 'A part of the recording cannot be unpacked.', cause)
  }
}
