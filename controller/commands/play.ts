/**
 * box play: what a recorded session showed, at the pace at which it did; or the same as an asciicast file. Nothing
 * of it is shown that the device has not signed.
 */

import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { type CastEvent, castHeader, isRecordingId } from '../../src/box/recording.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { SequenceReader } from '../../src/wire/terminal-sequences.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import { zonesOf } from '../fleet.ts'
import { openRecordingOf, type PlayedRecording, type RecordingProof } from '../recording.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

interface Arguments {
  readonly name: string
  readonly id: string
  readonly speed: number
  readonly idle: number | undefined
  readonly cast: string | undefined
  readonly timeout: number
}

const OWNER_FILE = 0o600

export const play = command<Arguments>({
  usage: 'play <name> <id>',
  examples: [
    ['box play kitchen 06fzv8k2m0a4g', 'shows the session as it went; ^C ends it'],
    [
      'box play kitchen 06fzv8k2m0a4g --speed 4 --idle 1',
      'faster, and with no pause over a second',
    ],
    ['box play kitchen 06fzv8k2m0a4g --cast it.cast', 'a file that `asciinema play` understands'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('id', {
        type: 'string',
        demandOption: true,
        describe: 'which recording: see box recordings',
      })
      .option('speed', { type: 'number', default: 1, describe: 'so many times as fast' })
      .option('idle', {
        type: 'number',
        describe: 'make longer pauses than this last so many seconds',
      })
      .option('cast', {
        type: 'string',
        describe: 'write it into this file as asciicast (version 2); - is standard output',
      })
      .option('timeout', TIMEOUT),
  run: async (context, args) => {
    const { fleet, output } = context
    const { name, speed, idle } = args
    const id = args.id.toLowerCase()
    if (!isRecordingId(id))
      throw new BoxError('INPUT_INVALID', `"${args.id}" is no recording: see box recordings.`)
    if (!(speed > 0) || (idle !== undefined && !(idle >= 0)))
      throw new BoxError('INPUT_INVALID', '--speed and --idle take numbers above 0.')
    const progress = output.progress(`looking for ${name}`)
    const options = { timeoutMs: timeoutMs(args.timeout) }
    const { ssh } = await openShell(context, fleet.device(name), options).finally(progress.end)
    const end = () => ssh.destroy()
    context.signal.addEventListener('abort', end, { once: true })
    try {
      const recording = await openRecordingOf(ssh, zonesOf(fleet.device(name)), id)
      await told(context, args, recording)
    } catch (error) {
      context.signal.throwIfAborted()
      throw error
    } finally {
      ssh.destroy()
    }
  },
})

async function told(context: Context, args: Arguments, recording: PlayedRecording): Promise<void> {
  const { output } = context
  const { about } = recording
  if (args.cast !== undefined) {
    const proof = await writeCast(context, args.cast, recording)
    if (args.cast !== '-') say(context, proof)
    return
  }
  const command = about.detail && `: ${about.detail}`
  output.remark(
    `${about.what} of ${about.who} on ${about.device}, ${new Date(about.startedAt).toISOString()}${command}`,
  )
  say(context, await shown(context, args, recording))
}

const say = ({ output }: Context, { isOpen, parts, head }: RecordingProof) =>
  output.remark(
    `${isOpen ? 'The session goes on. So far' : 'This is all of it,'} signed by the device: ${parts} parts, ${head}.`,
  )

/** As JSON lines, or on the screen at its pace; at once where nobody looks. */
async function shown(
  { output, stdio, clock, signal }: Context,
  { speed, idle = Number.POSITIVE_INFINITY }: Arguments,
  { events }: PlayedRecording,
): Promise<RecordingProof> {
  const reader = new SequenceReader()
  const encoder = new TextEncoder()
  let at = 0
  try {
    for (;;) {
      const next = await events.next()
      if (next.done) return next.value
      const [second, kind, data] = next.value
      if (output.json) {
        output.result('', { at: second, kind, data })
        continue
      }
      const waitS = Math.min(Math.max(0, second - at), idle) / speed
      at = second
      if (stdio.isTerminal && waitS > 0) await pause(clock, waitS * 1_000, signal)
      signal.throwIfAborted()
      if (kind === 'o') stdio.output.write(reader.pass(encoder.encode(data)))
      if (kind === 'm') output.remark(data)
    }
  } finally {
    if (stdio.isTerminal && !output.json) stdio.output.write(reader.undo())
  }
}

/** The file is there when all of it is, and not before. */
async function writeCast(
  { stdio, random }: Context,
  path: string,
  { about, events }: PlayedRecording,
): Promise<RecordingProof> {
  const header = `${JSON.stringify(castHeader(about))}\n`
  const line = (event: CastEvent) => `${JSON.stringify(event)}\n`
  if (path === '-') {
    stdio.output.write(header)
    return await all(events, event => void stdio.output.write(line(event)))
  }
  const aside = `${path}.${encodeBase32(random.bytes(5))}`
  try {
    const file = openSync(aside, 'wx', OWNER_FILE)
    try {
      writeSync(file, header)
      const proof = await all(events, event => void writeSync(file, line(event)))
      renameSync(aside, path)
      return proof
    } finally {
      closeSync(file)
    }
  } catch (error) {
    rmSync(aside, { force: true })
    if (error instanceof BoxError || !(error as NodeJS.ErrnoException).code) throw error
    throw new BoxError('FILE_UNUSABLE', `${path}: ${(error as NodeJS.ErrnoException).code}.`, error)
  }
}

async function all(
  events: PlayedRecording['events'],
  take: (event: CastEvent) => void,
): Promise<RecordingProof> {
  for (;;) {
    const next = await events.next()
    if (next.done) return next.value
    take(next.value)
  }
}
