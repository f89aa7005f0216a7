/** A program on a device, joined to our own input and output in one of three ways. */

import type { ReadStream, WriteStream } from 'node:tty'
import { concat } from '../src/base/bytes.ts'
import type { Context } from './context.ts'
import type { Run, SshSession } from './ssh-client.ts'
import { type Size, takeTerminal } from './terminal.ts'

type Variables = Readonly<Record<string, string>>

export interface StartOptions {
  /** What else the device's server is told. */
  readonly variables?: Variables
  /** Called when the device has begun with it. */
  readonly started?: () => void
}

/** As ssh(1) ends when the connection was given up. */
const EXIT_LEFT = 255
/** What a terminal is where there is none. */
const PLAIN_SIZE: Size = { rows: 24, columns: 80 }
const LINE_FEED = 10
/** More of what a program prints is dropped where it is collected. */
const COLLECTED_MAX = 1_048_576

/** The terminal is the program's until it ends, or `~.` is typed. Returns the exit code. */
export async function onTerminal(
  { stdio, signal }: Context,
  session: SshSession,
  line: string | null,
  { variables, started }: StartOptions = {},
): Promise<number> {
  const output = stdio.output as WriteStream
  const size = { rows: output.rows, columns: output.columns }
  const remote = await session.start(runOf(line, size, variables))
  started?.()
  return await new Promise<number>((resolve, reject) => {
    const terminal = takeTerminal(stdio.input as ReadStream, output, {
      typed: bytes => void remote.input.write(bytes),
      resized: size => remote.resize(size),
      left: () => breakOff(() => resolve(EXIT_LEFT)),
    })
    const end = (settle: () => void) => {
      terminal.release()
      settle()
    }
    /** In the middle of a line of the program, which will not end it any more. */
    const breakOff = (settle: () => void) => {
      if (lastByte !== null && lastByte !== LINE_FEED) output.write('\r\n')
      end(settle)
    }
    let lastByte: number | null = null
    remote.output.on('data', (chunk: Uint8Array) => {
      lastByte = chunk.at(-1) ?? lastByte
    })
    signal.addEventListener('abort', () => breakOff(() => reject(signal.reason)), { once: true })
    remote.output.pipe(output, { end: false })
    remote.ended.then(
      code => end(() => resolve(code)),
      error => breakOff(() => reject(error)),
    )
  })
}

/** Our input and output are the program's; its errors stay apart unless it has a terminal. */
export async function piped(
  { stdio, signal }: Context,
  session: SshSession,
  line: string | null,
  { tty, variables, started }: StartOptions & { readonly tty: boolean },
): Promise<number> {
  const remote = await session.start(runOf(line, tty ? PLAIN_SIZE : null, variables))
  started?.()
  stdio.input.pipe(remote.input)
  remote.output.pipe(stdio.output, { end: false })
  remote.errors.pipe(stdio.errors, { end: false })
  try {
    return await endOf(remote.ended, signal)
  } finally {
    stdio.input.unpipe(remote.input)
    stdio.input.pause()
  }
}

export interface Collected {
  readonly output: string
  readonly exitCode: number
  /** By clock.elapsed, when the first of it came; when it ended, where nothing came. */
  readonly firstAt: number
}

/** The program gets no input; what it prints is collected. */
export async function collected(
  { clock, signal }: Context,
  session: SshSession,
  line: string,
  { tty }: { tty: boolean },
): Promise<Collected> {
  const remote = await session.start(runOf(line, tty ? PLAIN_SIZE : null))
  const pieces: Uint8Array[] = []
  let size = 0
  let firstAt: number | null = null
  const take = (piece: Uint8Array) => {
    firstAt ??= clock.elapsed()
    if (size < COLLECTED_MAX) pieces.push(piece.slice(0, COLLECTED_MAX - size))
    size += piece.length
  }
  remote.output.on('data', take)
  remote.errors.on('data', take)
  if (!tty) remote.input.end()
  const exitCode = await endOf(remote.ended, signal)
  const output = new TextDecoder().decode(concat(...pieces))
  return { output, exitCode, firstAt: firstAt ?? clock.elapsed() }
}

const runOf = (line: string | null, size: Size | null, variables: Variables = {}): Run => ({
  line,
  terminal: size && { ...size, kind: process.env.TERM || 'dumb' },
  environment: {
    ...(Object.fromEntries(
      Object.entries(process.env).filter(([name]) => /^(LANG|LC_\w+)$/.test(name)),
    ) as Record<string, string>),
    ...variables,
  },
})

/** The end of the program, or of our patience. */
const endOf = (ended: Promise<number>, signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    ended.then(resolve, reject)
  })
