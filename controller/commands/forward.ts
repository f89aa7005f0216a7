/** box forward: connections from here to where a device reaches, and from there to here, until ^C. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { openShell } from '../device-shell.ts'
import type { Device } from '../fleet.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import { parseSocks, parseTunnel, type TcpEnd, type Tunnel, Tunnels } from '../tunnels.ts'
import { userAt } from '../user-at.ts'

/** A line that was lost is tried again so soon, then half as often each time. */
const AGAIN_MIN_MS = 1_000
const AGAIN_MAX_MS = 30_000

interface Arguments {
  readonly name: string
  readonly local: readonly string[]
  readonly remote: readonly string[]
  readonly dynamic: readonly string[]
  readonly timeout: number
}

const list = (alias: string, describe: string) =>
  ({ type: 'string', array: true, nargs: 1, alias, default: [] as string[], describe }) as const

export const forward = command<Arguments>({
  usage: 'forward <name>',
  examples: [
    [
      'box forward kitchen -L 8080:printer:80',
      'http://localhost:8080 is the printer beside kitchen',
    ],
    ['box forward kitchen -R 3000:localhost:3000', 'port 3000 of kitchen leads to port 3000 here'],
    ['box forward kitchen -D 1080', 'a SOCKS proxy that goes out at kitchen'],
  ],
  options: yargs =>
    yargs
      .positional('name', {
        type: 'string',
        demandOption: true,
        describe: 'which device; USER@NAME',
      })
      .option('local', list('L', '[bind:]port:host:port, from here to there'))
      .option('remote', list('R', 'port:host:port, from the loopback of the device to here'))
      .option('dynamic', list('D', '[bind:]port of a SOCKS 5 proxy'))
      .option('timeout', TIMEOUT),
  run: async (context, { name, local, remote, dynamic, timeout }) => {
    const tunnels = [
      ...local.map(text => parseTunnel('local', text)),
      ...remote.map(text => parseTunnel('remote', text)),
      ...dynamic.map(parseSocks),
    ]
    if (tunnels.length === 0)
      throw new BoxError('INPUT_INVALID', 'Say what to forward: -L, -R or -D.')
    const { user, name: called } = userAt(name)
    const device = context.fleet.device(called)
    const open = new Tunnels()
    try {
      const ports = new Map<Tunnel, number>()
      for (const tunnel of tunnels) ports.set(tunnel, await open.listen(tunnel))
      await carry(context, device, { open, tunnels, ports, user, timeoutMs: timeoutMs(timeout) })
    } finally {
      open.close()
    }
  },
})

interface Carried {
  readonly open: Tunnels
  readonly tunnels: readonly Tunnel[]
  readonly ports: Map<Tunnel, number>
  readonly user: string | null
  readonly timeoutMs: number
}

/** Until interrupted. The first session must succeed; a later one is tried until it does. */
async function carry(context: Context, device: Device, carried: Carried): Promise<never> {
  const { output, clock, signal } = context
  let pauseMs = AGAIN_MIN_MS
  for (let isFirst = true; ; ) {
    try {
      await once(context, device, carried, isFirst)
      isFirst = false
      pauseMs = AGAIN_MIN_MS
      output.remark(`The connection to ${device.name} was lost; it is made again.`)
    } catch (error) {
      signal.throwIfAborted()
      if (isFirst || !(error instanceof BoxError) || error.family !== 'unreachable') throw error
    }
    await new Promise<void>(resolve => {
      clock.after(pauseMs, resolve)
      signal.addEventListener('abort', () => resolve(), { once: true })
    })
    signal.throwIfAborted()
    pauseMs = Math.min(2 * pauseMs, AGAIN_MAX_MS)
  }
}

/** One session, to its end. */
async function once(
  context: Context,
  device: Device,
  { open, tunnels, ports, user, timeoutMs }: Carried,
  tells: boolean,
): Promise<void> {
  const { output, signal } = context
  const progress = output.progress(`looking for ${device.name}`)
  const { ssh } = await openShell(context, device, { user, timeoutMs }).finally(progress.end)
  const end = () => ssh.destroy()
  signal.addEventListener('abort', end, { once: true })
  try {
    await open.use(ssh, tunnels, (tunnel, port) => void ports.set(tunnel, port))
    if (tells)
      for (const tunnel of tunnels) {
        const port = ports.get(tunnel)!
        output.result(sentence(tunnel, port, device.name), { ...tunnel, port })
      }
    await ssh.closed
  } finally {
    signal.removeEventListener('abort', end)
    ssh.destroy()
  }
  signal.throwIfAborted()
}

function sentence(tunnel: Tunnel, port: number, name: string): string {
  const here = `${tunnel.from.host || 'localhost'}:${port}`
  switch (tunnel.is) {
    case 'local':
      return `${here} leads to ${text(tunnel.to)}, as ${name} sees it.`
    case 'remote':
      return `localhost:${port} on ${name} leads to ${text(tunnel.to)}, as seen from here.`
    case 'socks':
      return `${here} is a SOCKS proxy that goes out at ${name}.`
  }
}

const text = ({ host, port }: TcpEnd) => `${host}:${port}`
