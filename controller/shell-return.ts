/**
 * Shells that outlive their connection, as their owner sees them: an interactive shell is named when it is
 * opened, kept by the device when the connection is lost, and found again by `box ssh --resume`.
 */

import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import {
  isShellId,
  KEEP_VARIABLE,
  type KeptShell,
  type KeptShells,
  newShellId,
  parseShells,
  RESUME_VARIABLE,
  SHELLS_SUBSYSTEM,
} from '../src/box/kept-shells.ts'
import type { Context } from './context.ts'
import type { DeviceShell } from './device-shell.ts'
import { onTerminal, piped } from './remote-program.ts'
import type { SshSession } from './ssh-client.ts'
import { age } from './status-report.ts'

/** A box that lives says something every 10 s, even where its person types nothing. */
const SILENT_MS = 15_000
const LOOK_EVERY_MS = 2_000
const MINUTE_MS = 60_000

/** A shell with a terminal; where its connection is lost, the error says how to come back. */
export async function lastingShell(context: Context, shell: DeviceShell): Promise<number> {
  const id = newShellId(context.random)
  const variables = { [KEEP_VARIABLE]: id }
  return await watched(shell, id, started =>
    onTerminal(context, shell.ssh, null, { variables, started }),
  )
}

/** Goes on with the shell `wanted`; where that is empty, with the one that was lost last. */
export async function resumedShell(
  context: Context,
  shell: DeviceShell,
  wanted: string,
): Promise<number> {
  const { output, stdio } = context
  const { ssh, session } = shell
  const { name } = session.device
  if (wanted !== '' && !isShellId(wanted))
    throw new BoxError(
      'INPUT_INVALID',
      `"${wanted}" names no shell: --resume alone takes the last.`,
    )
  const progress = output.progress('looking for your shell')
  const found = await free(context, ssh, wanted).finally(progress.end)
  const { id } = found[0]!
  if (found.length > 1)
    output.remark(
      `${found.length} shells are kept on ${name}; this is the last one. The others:\n` +
        found
          .slice(1)
          .map(other => `  box ssh --resume=${other.id} ${name}  (${told(other)})`)
          .join('\n'),
    )
  const variables = { [RESUME_VARIABLE]: id }
  return await watched(shell, id, started =>
    stdio.isTerminal
      ? onTerminal(context, ssh, null, { variables, started })
      : piped(context, ssh, null, { tty: true, variables, started }),
  )
}

/** With --json: all of them, as the device tells. */
export async function listShells(
  { output }: Context,
  { ssh, session }: DeviceShell,
): Promise<number> {
  const { keepMs, shells } = await ask(ssh)
  output.result('', {
    name: session.device.name,
    keep_minutes: Math.round(keepMs / MINUTE_MS),
    shells: shells.map(({ id, state, program, startedAt, silentMs }) => ({
      ...{ id, state, program },
      started_at: new Date(startedAt).toISOString(),
      silent_ms: silentMs,
    })),
  })
  return 0
}

/** The shells that can be gone on with, the one that was lost last first. Fails with SHELL_UNKNOWN. */
async function free(
  { clock, signal }: Context,
  ssh: SshSession,
  wanted: string,
): Promise<readonly KeptShell[]> {
  const begun = clock.elapsed()
  for (;;) {
    const { shells } = await ask(ssh)
    const named = shells.filter(({ id }) => id === wanted)
    if (named.length > 0) return named
    if (wanted !== '') throw new BoxError('SHELL_UNKNOWN')
    const found = shells
      .filter(({ state, silentMs }) => state !== 'open' || silentMs > SILENT_MS)
      .toSorted((a, b) => a.silentMs - b.silentMs)
    if (found.length > 0) return found
    // The connection of an open one may be dead, and the device not know it yet.
    const looked = clock.elapsed() - begun
    if (!shells.some(({ silentMs }) => silentMs >= looked)) throw noneKept(shells)
    await pause(clock, LOOK_EVERY_MS, signal)
  }
}

const noneKept = (open: readonly KeptShell[]): BoxError =>
  new BoxError(
    'SHELL_UNKNOWN',
    open[0] && `One is open elsewhere (${open[0].program}): --resume=${open[0].id} takes it over.`,
  )

const told = ({ state, program, silentMs }: KeptShell): string =>
  `${state === 'ended' ? 'has ended' : program}, lost ${age(silentMs)} ago`

async function ask(ssh: SshSession): Promise<KeptShells> {
  return parseShells(await ssh.subsystem(SHELLS_SUBSYSTEM))
}

/** Finds out meanwhile what becomes of the shell where its connection is lost. */
async function watched(
  { ssh, session }: DeviceShell,
  id: string,
  go: (started: () => void) => Promise<number>,
): Promise<number> {
  let keeping = Promise.resolve(0)
  const started = () => {
    keeping = ask(ssh).then(
      ({ keepMs, shells }) => (shells.some(shell => shell.id === id) ? keepMs : 0),
      () => 0, // An older device, or one that was lost before it could say.
    )
  }
  try {
    return await go(started)
  } catch (error) {
    const isLost = error instanceof BoxError && error.family === 'unreachable'
    const keepMs = isLost ? await keeping : 0
    if (!isLost || keepMs === 0) throw error
    const minutes = Math.round(keepMs / MINUTE_MS)
    throw new BoxError(
      error.code,
      `Your shell is kept for ${minutes} min: \`box ssh --resume ${session.device.name}\` goes on with it.`,
      error,
    )
  }
}

const pause = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = () => {
      timer.cancel()
      reject(signal.reason)
    }
    const timer = clock.after(ms, () => {
      signal.removeEventListener('abort', abort)
      resolve()
    })
    signal.addEventListener('abort', abort, { once: true })
  })
