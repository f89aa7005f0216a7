/** One command on one device, without a terminal: what it prints is handed on as it comes. */

import type { Readable } from 'node:stream'
import type { Timer } from '../src/base/clock.ts'
import { BoxError, type ErrorCode } from '../src/base/errors.ts'
import type { Context } from './context.ts'
import { openShell } from './device-shell.ts'
import type { Device } from './fleet.ts'
import type { Running } from './remote-process.ts'
import type { SshSession } from './ssh-client.ts'

export interface RemoteCommand {
  /** For the device's shell. */
  readonly line: string
  /** All of its standard input; a stream is read as the device takes it. */
  readonly input: Uint8Array | Readable
  /** How long the device may take to be reached. */
  readonly timeoutMs: number
  /** Seconds that the command may take; null: any. */
  readonly limitS: number | null
  /** Only once another person has approved it; the waiting counts as well. */
  readonly approved?: boolean
  /** As which user of the device; absent, or null: as whoever its agent runs as. */
  readonly user?: string | null
}

/** An SSH connection to a device, for one command. */
export interface LentShell {
  readonly ssh: SshSession
  /** What the device said at the login, where nobody has been told yet. */
  readonly greetings: readonly string[]
  /** It is needed no more; over one that is not whole nothing is begun any more. */
  giveBack(isWhole: boolean): void
}

/** A way to a device. Fails as `openShell`. */
export type Lend = (
  context: Context,
  device: Device,
  options: { readonly timeoutMs: number; readonly user: string | null },
) => Promise<LentShell>

/** One of its own, which ends with it. */
const ownShell: Lend = async (context, device, options) => {
  const { ssh } = await openShell(context, device, options)
  return { ssh, greetings: [], giveBack: () => ssh.destroy() }
}

/** What became of it. Expected failures are in it. */
export interface CommandEnd {
  readonly exit_code: number | null
  readonly error: { readonly code: ErrorCode; readonly message: string } | null
  readonly ms: number
  /** Whether it may have begun. */
  readonly begun: boolean
}

/** Told what the command prints; where it returns a promise, the device is held back until then. */
export type Heard = (from: 'out' | 'err', piece: Uint8Array) => Promise<void> | void

/** Runs it. Fails only with the reason of the context's signal. */
export async function runCommand(
  context: Context,
  device: Device,
  { line, input, timeoutMs, limitS, user = null, approved = false }: RemoteCommand,
  heard: Heard,
  lend: Lend = ownShell,
): Promise<CommandEnd> {
  const { clock, signal } = context
  const begun = clock.elapsed()
  let exitCode: number | null = null
  let error: CommandEnd['error'] = null
  let isOver = false
  let isBegun = false
  let timer: Timer | null = null
  try {
    const { ssh, giveBack } = await lend(context, device, { timeoutMs, user })
    let end = () => {}
    const cutOff = new Promise<never>((_, reject) => {
      end = () => reject(new BoxError('CHANNEL_CLOSED'))
    })
    signal.addEventListener('abort', end, { once: true })
    if (limitS !== null)
      timer = clock.after(limitS * 1_000, () => {
        isOver = true
        end()
      })
    try {
      // Whoever wanted it may have gone while the device was reached: that calls no listener any more.
      signal.throwIfAborted()
      isBegun = true
      const isShort = input instanceof Uint8Array && !approved
      const starting = isShort ? ssh.command(line, input) : withInput(ssh, line, input, approved)
      // Also one that begins only now: others may go on to use the connection.
      cutOff.catch(() => starting.then(remote => remote.close())).catch(() => {})
      const remote = await Promise.race([starting, cutOff])
      const passed = [
        passOn(remote.output, piece => heard('out', piece)),
        passOn(remote.errors, piece => heard('err', piece)),
      ]
      const code = await Promise.race([remote.ended, cutOff])
      // Its end may overtake what whoever listens has not taken yet.
      await Promise.race([Promise.all(passed), cutOff])
      exitCode = code
    } finally {
      timer?.cancel()
      signal.removeEventListener('abort', end)
      giveBack(exitCode !== null || !isBegun)
    }
  } catch (cause) {
    signal.throwIfAborted()
    if (!(cause instanceof BoxError)) throw cause
    const reason = isOver
      ? new BoxError('PEER_TIMEOUT', `The command was ended after ${limitS} s.`)
      : cause
    error = { code: reason.code, message: reason.message }
  }
  return { exit_code: exitCode, error, ms: Math.round(clock.elapsed() - begun), begun: isBegun }
}

async function withInput(
  ssh: SshSession,
  line: string,
  input: Uint8Array | Readable,
  approved: boolean,
): Promise<Running> {
  const remote = await ssh.start({ line, terminal: null, approved })
  if (input instanceof Uint8Array) remote.input.end(input)
  else input.pipe(remote.input)
  return remote
}

/** Resolves when all of it has been handed on. */
function passOn(from: Readable, heard: (piece: Uint8Array) => Promise<void> | void): Promise<void> {
  from.on('data', (piece: Uint8Array) => {
    const taken = heard(piece)
    if (!taken) return
    from.pause()
    const goOn = () => void from.resume()
    void taken.then(goOn, goOn)
  })
  return new Promise(resolve => {
    for (const end of ['end', 'close']) from.once(end, () => resolve())
  })
}
