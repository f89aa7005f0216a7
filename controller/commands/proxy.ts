/**
 * box proxy: standard input and output are the device's SSH connection, for OpenSSH's ProxyCommand.
 * Nothing else is ever written to standard output, and to standard error only why it failed.
 */

import type { Duplex, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asDuplex } from '../../src/mesh/duplex.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { dialHubs, learnHostKey, reachSsh } from '../device-shell.ts'
import { readSshKey } from '../ssh-key.ts'
import { AGENTS_USER } from '../ssh-stanza.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const SUFFIX = '.box'
const NEWLINE = 0x0a

export const proxy = command<{ name: string; user: string | undefined; timeout: number }>({
  usage: 'proxy <name>',
  examples: [
    ["ssh -o ProxyCommand='box proxy %h' kitchen.box", 'the stock ssh reaches a device'],
    ["ssh -o ProxyCommand='box proxy --user %r %h' ada@kitchen.box", 'as its user ada'],
    ['box proxy kitchen < script | tail', 'speaks SSH on both, for programs that do'],
  ],
  options: yargs =>
    yargs
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'which device; NAME.box is the same',
      })
      .option('user', {
        type: 'string',
        describe: 'as which user of the device; what ssh itself sends counts for nothing',
      })
      .option('timeout', TIMEOUT),
  run: async (context, { name, user: wanted, timeout }) => {
    const user = wanted === undefined || wanted === AGENTS_USER ? null : wanted
    const label = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name
    const device = context.fleet.device(label)
    dialHubs(context)
    const key = await readSshKey(context.state)
    const options = { user, timeoutMs: timeoutMs(timeout) }
    const session = await reachSsh(context, device, key, options)
    await join(context, asDuplex(session.channel, context.clock), learnHostKey(context, session))
  },
})

/** Until both directions have ended in good order. ssh ends us by a signal, which is no failure to tell. */
async function join(
  { stdio, signal }: Context,
  device: ReturnType<typeof asDuplex>,
  isLearned: Promise<void>,
): Promise<void> {
  try {
    await Promise.all([
      isLearned,
      pipeline(stdio.input, device, { signal }),
      begin(device, stdio.output, isLearned).then(() =>
        pipeline(device, stdio.output, { signal, end: false }),
      ),
    ])
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}

/**
 * The first line of the device, by which SSH begins, is handed on at once; what follows when OpenSSH will find the
 * host key in known_hosts.
 */
async function begin(device: Duplex, output: Writable, isLearned: Promise<void>): Promise<void> {
  for await (const chunk of device.iterator({ destroyOnReturn: false })) {
    const line = chunk.indexOf(NEWLINE) + 1
    if (line > 0) output.write(chunk.subarray(0, line))
    await isLearned
    if (line < chunk.length) output.write(chunk.subarray(line))
    return
  }
}
