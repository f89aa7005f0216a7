/** box-agent mesh: is the peer of a device, in a process that may be less than the device is. */

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { MESH_CHOICES } from '../../src/mesh/mesh.ts'
import { lockState } from '../../src/sys/state-lock.ts'
import { command } from '../command.ts'
import { readConfig } from '../config.ts'
import { DEVICE_KEY } from '../device-key.ts'
import { agentLog, given, list } from './run.ts'

const SOCKET = 'mesh.sock'

export const mesh = command({
  name: 'mesh',
  describe: 'have the peer of a device, for a `box-agent run` that has everything else',
  examples: [
    [
      'box-agent mesh --state /var/lib/box-mesh --socket /run/box-mesh/mesh.sock',
      'as a user without rights, in a sandbox',
    ],
    [
      'box-agent run --mesh-socket /run/box-mesh/mesh.sock',
      'the device, as root: its key, its owners and its shells stay here',
    ],
  ],
  options: {
    socket: {
      type: 'string',
      describe: 'where the peer is lent (mesh.sock in RUNTIME_DIRECTORY, or with the state)',
    },
    mesh: {
      type: 'string',
      choices: MESH_CHOICES,
      describe: 'have a peer of our own (embedded), or use the GNUnet installed here',
    },
    'gnunet-conf': { type: 'string', describe: 'the configuration file of that GNUnet' },
    hub: {
      type: 'boolean',
      describe: 'accept connections (on port 2086 unless told otherwise) and relay for others',
    },
    listen: list('accept connections at ADDRESS:PORT'),
    advertise: list('tell others that we can be dialled at ADDRESS:PORT'),
    'hub-url': list('keep a link to this hub; those of the device are told by it'),
    log: {
      type: 'string',
      choices: ['debug', 'info', 'warn', 'error'],
      describe: 'what to write to standard error (or set BOX_LOG; info unless told otherwise)',
    },
  },
  run: async (surroundings, args) => {
    const { directory } = surroundings
    if (existsSync(join(directory, DEVICE_KEY)))
      throw new BoxError(
        'CONFIG_INVALID',
        `${directory} holds a device's key: give the mesh a directory of its own, --state.`,
      )
    const { hub, listen, advertise } = args
    const typed = { mesh: args.mesh, hub, listen, advertise, hubs: args['hub-url'] }
    const config = readConfig(directory, given({ ...typed, gnunetConf: args['gnunet-conf'] }))
    if (config.meshSocket !== null)
      throw new BoxError('CONFIG_INVALID', 'Who lends a mesh does not borrow one: no meshSocket.')
    const runtime = process.env.RUNTIME_DIRECTORY?.split(':')[0]
    const socket = args.socket ?? join(runtime || directory, SOCKET)
    const lock = lockState(directory)
    try {
      const { lendForLife } = await import('../mesh-life.ts')
      const log = agentLog(args.log ?? process.env.BOX_LOG ?? 'info', args.json)
      await lendForLife(surroundings, { config, socket, log })
    } finally {
      lock.release()
    }
  },
})
