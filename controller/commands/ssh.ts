/** box ssh: a shell on a device, or one command there, with its exit code. */

import { BoxError } from '../../src/base/errors.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { type DeviceShell, openShell } from '../device-shell.ts'
import { collected, onTerminal, piped } from '../remote-program.ts'
import { commandLine } from '../shell-words.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

interface Arguments {
  readonly name: string
  readonly tty: boolean
  readonly plain: boolean
  readonly fresh: boolean
  readonly timeout: number
}

export const ssh = command<Arguments>({
  usage: 'ssh <name>',
  examples: [
    ['box ssh kitchen', 'opens a shell; ~. at the beginning of a line ends it, whatever happens'],
    ['box ssh kitchen -- uptime', 'runs a command, and ends with its exit code'],
    ["box ssh kitchen -- 'dmesg | tail'", 'one word is a line for the shell'],
    ['box ssh kitchen --json -- id', 'what it printed, how it was reached, how long that took'],
  ],
  options: yargs =>
    yargs
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'which device',
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
  run: async (context, { name, tty, plain, fresh, timeout, '--': words = [] }) => {
    const { output, fleet, stdio } = context
    const device = fleet.device(name)
    const line = words.length > 0 ? commandLine(words) : null
    if (output.json && line === null)
      throw new BoxError('INPUT_INVALID', 'With --json, give a command after "--".')
    if (tty && plain) throw new BoxError('INPUT_INVALID', 'Give either --tty or --plain.')
    const progress = output.progress(`looking for ${name}`)
    const options = { forget: fresh, timeoutMs: timeoutMs(timeout) }
    const shell = await openShell(context, device, options).finally(progress.end)
    try {
      if (output.json) return await reported(context, shell, line!, tty)
      return stdio.isTerminal && !plain && (tty || line === null)
        ? await onTerminal(context, shell.ssh, line)
        : await piped(context, shell.ssh, line, { tty })
    } finally {
      shell.ssh.destroy()
    }
  },
})

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
