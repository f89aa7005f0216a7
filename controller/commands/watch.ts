/**
 * box watch: the shell of somebody else on a device, live, to be looked at and nothing else. Its person reads who
 * comes and goes. What would have our terminal answer, or change something outside the screen, is left out.
 */

import type { ReadStream, WriteStream } from 'node:tty'
import { BoxError } from '../../src/base/errors.ts'
import { parseCastEvent } from '../../src/box/recording.ts'
import {
  type OpenShell,
  parseOpenShell,
  WATCH_ONE_SUBSYSTEM,
  WATCH_SUBSYSTEM,
} from '../../src/box/watching.ts'
import { SequenceReader } from '../../src/wire/terminal-sequences.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import { table } from '../output.ts'
import type { SshSession } from '../ssh-client.ts'
import { age } from '../status-report.ts'
import { subsystemLines } from '../subsystem-lines.ts'
import { takeTerminal } from '../terminal.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

interface Arguments {
  readonly name: string
  readonly shell: number | undefined
  readonly timeout: number
}

const CONTROL_C = 3
const LETTER_Q = 0x71

export const watch = command<Arguments>({
  usage: 'watch <name> [shell]',
  examples: [
    [
      'box watch kitchen',
      'the only shell that is open there, live; q or ^C ends it, for you alone',
    ],
    ['box watch kitchen 3', 'one of several'],
    ['box watch kitchen --json', 'lists the shells that are open'],
  ],
  options: yargs =>
    yargs
      .positional('name', { type: 'string', demandOption: true, describe: 'which device' })
      .positional('shell', { type: 'number', describe: 'which of its open shells, by its number' })
      .option('timeout', TIMEOUT)
      .epilogue(
        'It takes the right watch on the device. Whose shell it is reads there that you watch it.',
      ),
  run: async (context, { name, shell, timeout }) => {
    const { fleet, output, signal } = context
    const progress = output.progress(`looking for ${name}`)
    const options = { timeoutMs: timeoutMs(timeout) }
    const { ssh } = await openShell(context, fleet.device(name), options).finally(progress.end)
    const end = () => ssh.destroy()
    signal.addEventListener('abort', end, { once: true })
    try {
      const open = await openShells(ssh)
      if (output.json && shell === undefined) return list(context, open)
      const number = shell ?? onlyOne(context, open)
      return output.json
        ? await asLines(context, ssh, number)
        : await onScreen(context, ssh, number, end)
    } catch (error) {
      signal.throwIfAborted()
      throw error
    } finally {
      ssh.destroy()
    }
  },
})

async function openShells(ssh: SshSession): Promise<readonly OpenShell[]> {
  const open: OpenShell[] = []
  for await (const line of subsystemLines(ssh, WATCH_SUBSYSTEM)) open.push(parseOpenShell(line))
  return open
}

function list({ output }: Context, open: readonly OpenShell[]): undefined {
  for (const { startedAt, ...shell } of open)
    output.result('', { ...shell, started_at: new Date(startedAt).toISOString() })
}

/** Throws SHELL_UNKNOWN where there is none, or several. */
function onlyOne({ output, clock }: Context, open: readonly OpenShell[]): number {
  if (open.length === 1) return open[0]!.number
  const now = clock.now()
  for (const line of table(
    open.map(({ number, who, program, startedAt }) => [
      ...[`${number}`, who, program, `for ${age(Math.max(0, now - startedAt))}`],
    ]),
  ))
    output.remark(line)
  throw new BoxError(
    'SHELL_UNKNOWN',
    open.length === 0 ? 'None is open there.' : 'Several are open: say which, by its number.',
  )
}

/** The first line, and all that follow. Fails with SHELL_UNKNOWN. */
async function begin(ssh: SshSession, number: number) {
  const lines = subsystemLines(ssh, `${WATCH_ONE_SUBSYSTEM}${number}`)
  const first = await lines.next()
  if (first.done)
    throw new BoxError('SHELL_UNKNOWN', 'It is not open, or watched by as many as may.')
  return { shell: parseOpenShell(first.value), lines }
}

async function asLines({ output }: Context, ssh: SshSession, number: number): Promise<number> {
  const { lines } = await begin(ssh, number)
  for await (const line of lines) {
    const [at, kind, data] = parseCastEvent(line)
    output.result('', { at, kind, data })
  }
  return 0
}

/** Keys go nowhere; `leave` ends it. */
async function onScreen(
  { output, stdio }: Context,
  ssh: SshSession,
  number: number,
  leave: () => void,
): Promise<number> {
  const { shell, lines } = await begin(ssh, number)
  output.remark(`The shell of ${shell.who}, ${shell.columns}x${shell.rows}. q or ^C ends this.`)
  const reader = new SequenceReader()
  const encoder = new TextEncoder()
  let hasLeft = false
  const quit = () => {
    hasLeft = true
    leave()
  }
  const terminal = stdio.isTerminal
    ? takeTerminal(stdio.input as ReadStream, stdio.output as WriteStream, {
        typed: keys => void (keys.some(isQuitting) && quit()),
        resized: () => {},
        left: quit,
      })
    : null
  try {
    for await (const line of lines) {
      const [, kind, data] = parseCastEvent(line)
      if (kind === 'o') stdio.output.write(reader.pass(encoder.encode(data)))
      if (kind === 'r' && terminal) stdio.output.write(resizing(data))
    }
  } catch (error) {
    if (!hasLeft) throw error
  } finally {
    if (terminal) stdio.output.write(reader.undo())
    terminal?.release()
    if (terminal) output.remark('')
  }
  if (!hasLeft) output.remark('The shell is over.')
  return 0
}

const isQuitting = (key: number) => key === CONTROL_C || key === LETTER_Q

/** Asks a terminal to be of this size, which not all heed. */
function resizing(size: string): string {
  const [, columns, rows] = /^(\d{1,4})x(\d{1,4})$/.exec(size) ?? []
  return columns ? `\u001b[8;${rows};${columns}t` : ''
}
