/**
 * Shells that outlive their connection, as their owner sees them: an interactive shell is named when it is
 * opened, and kept by the device when the connection is lost, or when the agent there is started again. At a
 * terminal it is looked for at once; later it is found by `box ssh --resume`.
 */

import { pause } from '../src/base/clock.ts'
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
import { textOf } from './user-at.ts'

/** A box that lives says something every 10 s, even where its person types nothing. */
const SILENT_MS = 15_000
const LOOK_EVERY_MS = 2_000
/** By then an agent is back that was started again, or the hub; who waits longer wants to be told. */
const RETURN_MS = 45_000
const MINUTE_MS = 60_000

/** Reaches the same device once more. */
export type Again = () => Promise<DeviceShell>

/** A shell with a terminal; where its connection is lost for long, the error says how to come back. */
export async function lastingShell(
  context: Context,
  shell: DeviceShell,
  again: Again,
): Promise<number> {
  const id = newShellId(context.random)
  return await staying(context, shell, { id, variable: KEEP_VARIABLE, again })
}

/** Goes on with the shell `wanted`; where that is empty, with the one that was lost last. */
export async function resumedShell(
  context: Context,
  shell: DeviceShell,
  wanted: string,
  again: Again,
): Promise<number> {
  const { output, stdio } = context
  const { ssh } = shell
  const name = placeOf(shell)
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
  if (stdio.isTerminal)
    return await staying(context, shell, { id, variable: RESUME_VARIABLE, again })
  const variables = { [RESUME_VARIABLE]: id }
  const going = await watched(shell, id, started =>
    piped(context, ssh, null, { tty: true, variables, started }),
  )
  if (typeof going === 'number') return going
  throw going.error
}

interface Stay {
  readonly id: string
  /** How the device is told of it at first. */
  readonly variable: string
  readonly again: Again
}

/** At the terminal, over one connection after the other. */
async function staying(
  context: Context,
  first: DeviceShell,
  { id, variable, again }: Stay,
): Promise<number> {
  let shell = first
  let variables: Record<string, string> = { [variable]: id }
  for (;;) {
    const going = await shown(context, shell, { id, variables, isFirst: shell === first })
    if (typeof going === 'number') return going
    shell = await back(context, shell, { id, lost: going, again })
    variables = { [RESUME_VARIABLE]: id }
  }
}

async function shown(
  context: Context,
  shell: DeviceShell,
  { id, variables, isFirst }: { id: string; variables: Record<string, string>; isFirst: boolean },
): Promise<number | Lost> {
  const { ssh } = shell
  try {
    return await watched(shell, id, started =>
      onTerminal(context, ssh, null, { variables, started }),
    )
  } finally {
    // Who has opened the first one leaves it, too.
    if (!isFirst) await ssh.leave(context.clock)
  }
}

/** The device again, soon after the connection was lost. Fails with that loss, with SHELL_UNKNOWN, or NOT_PERMITTED. */
async function back(
  { clock, output, signal }: Context,
  { session }: DeviceShell,
  { id, lost, again }: { id: string; lost: Lost; again: Again },
): Promise<DeviceShell> {
  const { name } = session.device
  output.remark(
    `The connection to ${name} is lost. Looking for your shell; ^C leaves it there, for ${lost.minutes} min.`,
  )
  const progress = output.progress(`looking for ${name}`)
  const begun = clock.elapsed()
  try {
    for (;;) {
      try {
        return await withShell(await again(), id)
      } catch (error) {
        const isAway = error instanceof BoxError && error.family === 'unreachable'
        if (!isAway) throw error
        if (clock.elapsed() - begun > RETURN_MS) throw lost.error
      }
      await pause(clock, LOOK_EVERY_MS, signal)
      signal.throwIfAborted()
    }
  } finally {
    progress.end()
  }
}

/** Fails with SHELL_UNKNOWN where the device has not kept it. */
async function withShell(shell: DeviceShell, id: string): Promise<DeviceShell> {
  try {
    const { shells } = await ask(shell.ssh)
    if (shells.some(one => one.id === id)) return shell
    throw new BoxError('SHELL_UNKNOWN')
  } catch (error) {
    shell.ssh.destroy()
    throw error
  }
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
    signal.throwIfAborted()
  }
}

const noneKept = (open: readonly KeptShell[]): BoxError =>
  new BoxError(
    'SHELL_UNKNOWN',
    open[0] && `One is open elsewhere (${open[0].program}): --resume=${open[0].id} takes it over.`,
  )

const told = ({ state, program, silentMs }: KeptShell): string =>
  `${state === 'ended' ? 'has ended' : program}, lost ${age(silentMs)} ago`

/** As a person names it. */
const placeOf = ({ user, session }: DeviceShell): string =>
  textOf({ user, name: session.device.name })

async function ask(ssh: SshSession): Promise<KeptShells> {
  return parseShells(await ssh.subsystem(SHELLS_SUBSYSTEM))
}

/** The connection went, and the device keeps the shell. */
interface Lost {
  readonly minutes: number
  readonly error: BoxError
}

/** Finds out meanwhile what becomes of the shell where its connection is lost. Fails where it is not kept. */
async function watched(
  shell: DeviceShell,
  id: string,
  go: (started: () => void) => Promise<number>,
): Promise<number | Lost> {
  let keeping = Promise.resolve(0)
  const started = () => {
    keeping = ask(shell.ssh).then(
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
    const cure = `Your shell is kept for ${minutes} min: \`box ssh --resume ${placeOf(shell)}\` goes on with it.`
    return { minutes, error: new BoxError(error.code, cure, error) }
  }
}
