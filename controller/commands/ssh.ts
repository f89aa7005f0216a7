/** box ssh: a shell on a device, or one command there, with its exit code. */

import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type DeviceShell, openShell } from '../device-shell.ts'
import { collected, onTerminal, piped } from '../remote-program.ts'
import { type Again, lastingShell, listShells, resumedShell } from '../shell-return.ts'
import { commandLine } from '../shell-words.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import { userAt } from '../user-at.ts'

interface Arguments {
  readonly name?: string | undefined
  /** Alone it takes what follows for its value: then that is the name. */
  readonly resume?: string | undefined
  readonly tty: boolean
  readonly plain: boolean
  readonly fresh: boolean
  readonly timeout: number
}

export const ssh = command<Arguments>({
  usage: 'ssh [name]',
  examples: [
    ['box ssh kitchen', 'opens a shell; ~. at the beginning of a line ends it, whatever happens'],
    ['box ssh ada@kitchen', 'a shell of the user ada there, where you may be that user'],
    ['box ssh kitchen -- uptime', 'runs a command, and ends with its exit code'],
    ["box ssh kitchen -- 'dmesg | tail'", 'one word is a line for the shell'],
    ['box ssh --resume kitchen', 'goes on with the shell whose connection was lost last'],
    ['box ssh --resume=4tq0w9zr kitchen', 'goes on with that one of several'],
    ['box ssh --resume kitchen --json', 'lists the shells that the device keeps for you'],
    ['box ssh kitchen --json -- id', 'what it printed, how it was reached, how long that took'],
  ],
  options: yargs =>
    yargs
      .positional('name', {
        type: 'string',
        describe: 'which device; USER@NAME: as which of its users',
      })
      .option('resume', {
        type: 'string',
        describe: 'go on with a shell that the device has kept: the last one, or =ID',
      })
      .option('tty', {
        type: 'boolean',
        alias: 't',
        default: false,
        describe: 'give a command a terminal, as a shell has one',
      })
      .option('plain', {
        type: 'boolean',
        alias: 'T',
        default: false,
        describe: 'no terminal, not even for a shell',
      })
      .option('fresh', {
        type: 'boolean',
        default: false,
        describe: 'ask GNS where the device is, whatever is known from before',
      })
      .option('timeout', TIMEOUT),
  run: async (context, args) => {
    const { output, fleet } = context
    const { name, resume } = named(args)
    const { user } = userAt(name)
    const called = () => fleet.device(userAt(name).name)
    const device = called()
    const line = lineOf(args, resume, output.json)
    const progress = output.progress(`looking for ${device.name}`)
    const options = { user, forget: args.fresh, timeoutMs: timeoutMs(args.timeout) }
    const opensShell = isAtShell(context, { ...args, line, resume })
    const shell = await openShell(context, device, { ...options, opensShell }).finally(progress.end)
    try {
      const again = () => openShell(context, called(), options)
      return await opened(context, shell, { ...args, resume, line, again })
    } finally {
      await shell.ssh.leave(context.clock)
    }
  },
})

/** `--resume kitchen` is `--resume` and `kitchen`. Throws INPUT_INVALID. */
function named({ name, resume }: Arguments): { name: string; resume: string | null } {
  if (name !== undefined) return { name, resume: resume ?? null }
  if (resume) return { name: resume, resume: '' }
  throw new BoxError('INPUT_INVALID', 'Say on which device: box ssh NAME.')
}

/** The command line; null for a shell. Throws INPUT_INVALID. */
function lineOf(
  { tty, plain, '--': words = [] }: Arguments & { readonly '--'?: readonly string[] },
  resume: string | null,
  json: boolean,
): string | null {
  const line = words.length > 0 ? commandLine(words) : null
  if (resume !== null && (line !== null || plain))
    throw new BoxError('INPUT_INVALID', 'With --resume, give neither a command nor --plain.')
  if (json && line === null && resume === null)
    throw new BoxError('INPUT_INVALID', 'With --json, give a command after "--".')
  if (tty && plain) throw new BoxError('INPUT_INVALID', 'Give either --tty or --plain.')
  return line
}

/** Whether it is to be a shell that outlives its connection. */
const isAtShell = (
  { output, stdio }: Context,
  { line, plain, resume }: Pick<Opened, 'line' | 'plain' | 'resume'>,
): boolean => stdio.isTerminal && !plain && line === null && resume === null && !output.json

interface Opened extends Pick<Arguments, 'tty' | 'plain'> {
  readonly resume: string | null
  readonly line: string | null
  readonly again: Again
}

async function opened(
  context: Context,
  shell: DeviceShell,
  { resume, line, tty, plain, again }: Opened,
): Promise<number> {
  const { output, stdio } = context
  if (resume !== null && output.json) return await listShells(context, shell)
  if (resume !== null) return await resumedShell(context, shell, resume, again)
  if (output.json) return await reported(context, shell, line!, tty)
  const onTheirs = stdio.isTerminal && !plain && (tty || line === null)
  if (!onTheirs) return await piped(context, shell.ssh, line, { tty })
  return line === null
    ? await lastingShell(context, shell, again)
    : await onTerminal(context, shell.ssh, line)
}

/** Everything about one command in one object. */
async function reported(
  context: Context,
  { session, ssh }: DeviceShell,
  line: string,
  tty: boolean,
): Promise<number> {
  const { output, exitCode, firstAt } = await collected(context, ssh, line, { tty })
  context.output.result(output, {
    name: session.device.name,
    device_zone: zoneToText(session.device.zone),
    path: session.path.map(peer => encodeBase32(peer)),
    resolve_ms: session.resolveMs === null ? null : Math.round(session.resolveMs),
    channel_ms: Math.round(session.channelMs),
    shell_ms: Math.round(firstAt - session.foundAt),
    tty,
    output,
    exit_code: exitCode,
  })
  return exitCode
}
