/** box-agent run: is the device, until told to end. */

import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import type { Log } from '../../src/base/log.ts'
import { MESH_CHOICES } from '../../src/mesh/mesh.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { isLevel, lineLog, stderrWriter } from '../../src/sys/log.ts'
import { lockState } from '../../src/sys/state-lock.ts'
import { command } from '../command.ts'
import { readConfig, type Settings } from '../config.ts'

export const list = (describe: string) => ({ type: 'string', array: true, describe }) as const

export const run = command({
  name: 'run',
  describe: 'be the device: reachable by its owners, wherever it is',
  examples: [
    ['box-agent run --hub-url gnunet://hello/…', 'a device behind NAT, reachable through that hub'],
    ['box-agent run --hub', 'a hub, on a machine with a public address'],
  ],
  options: {
    mesh: {
      type: 'string',
      choices: MESH_CHOICES,
      describe:
        'be a peer of our own (embedded), use the GNUnet installed here, or that if one answers',
    },
    'mesh-socket': {
      type: 'string',
      describe:
        'use the peer of `box-agent mesh`, which listens on this socket (or set BOX_MESH_SOCKET)',
    },
    'gnunet-conf': { type: 'string', describe: 'the configuration file of that GNUnet' },
    hub: {
      type: 'boolean',
      describe: 'accept connections (on port 2086 unless told otherwise) and relay for others',
    },
    listen: list('accept connections at ADDRESS:PORT'),
    advertise: list('tell others that we can be dialled at ADDRESS:PORT'),
    'hub-url': list('keep a link to this hub, given by its HELLO URL'),
    name: { type: 'string', describe: 'how this machine calls itself' },
    shell: { type: 'string', describe: 'the shell of sessions' },
    metrics: {
      type: 'string',
      describe: 'let the Prometheus of this machine read metrics at ADDRESS:PORT, path /metrics',
    },
    log: {
      type: 'string',
      choices: ['debug', 'info', 'warn', 'error'],
      describe: 'what to write to standard error (or set BOX_LOG; info unless told otherwise)',
    },
  },
  run: async (surroundings, args) => {
    const { directory } = surroundings
    const { mesh, hub, listen, advertise, name, shell, metrics } = args
    const settings = { mesh, hub, listen, advertise, name, shell, metrics }
    const hubs = args['hub-url']
    const named = { hubs, gnunetConf: args['gnunet-conf'], meshSocket: args['mesh-socket'] }
    const offered = {
      meshSocket: offeredMesh(process.env.BOX_MESH_SOCKET),
      probes: process.env.BOX_PROBES || undefined,
    }
    const config = readConfig(directory, given({ ...settings, ...named }), offered)
    const lock = lockState(directory)
    const log = agentLog(args.log ?? process.env.BOX_LOG ?? 'info', args.json)
    try {
      // Loaded here: the other commands need none of it.
      const { live } = await import('../life.ts')
      while (await live(surroundings, config, log)) log.note('info', 'agent', 'reset')
    } finally {
      lock.release()
    }
  },
})

/** Not for a service that a drop-in has made another user's: it keeps being one process, and reachable. */
function offeredMesh(path: string | undefined): string | undefined {
  if (!path) return undefined
  try {
    accessSync(dirname(path), constants.X_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return undefined
  }
  return path
}

/** What was really typed. */
export const given = (settings: Settings): Settings =>
  Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))

/** Throws INPUT_INVALID. */
export function agentLog(level: string, json: boolean): Log {
  if (!isLevel(level)) throw new BoxError('INPUT_INVALID', `"${level}" is no level of the log.`)
  const format = json ? 'json' : 'text'
  return lineLog({ level, format, clock: systemClock, write: stderrWriter() })
}
