/** box rotate: a new key in place of an old one, without pairing anything again. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { renewEgo } from '../ego-rotation.ts'
import type { Device } from '../fleet.ts'
import { PUBLISH_PATIENCE_MS, publishZone } from '../names.ts'
import { selected } from '../push/selection.ts'
import { rotateDevice, rotateHost } from '../rotation.ts'
import { renewSshKey } from '../ssh-key.ts'
import { tellAll } from '../telling.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const KEYS = ['ego', 'ssh', 'host', 'device'] as const

interface Arguments {
  readonly key: (typeof KEYS)[number]
  readonly selector: string | undefined
  readonly timeout: number
}

export const rotate = command<Arguments>({
  usage: 'rotate <key> [selector]',
  examples: [
    ['box rotate ego', 'a new identity; devices, contacts and rooms take it for the old one'],
    ['box rotate ssh', 'a new key for ssh to log in with; no device has to know'],
    ['box rotate host @all', 'new SSH host keys on all devices'],
    ['box rotate device kitchen', 'a new identity for a device, without pairing it again'],
  ],
  options: yargs =>
    yargs
      .positional('key', {
        choices: KEYS,
        demandOption: true,
        describe:
          'your identity, the key your ssh logs in with, the host keys of devices, or their own',
      })
      .positional('selector', {
        type: 'string',
        describe: 'host, device: a name, @tag, or @all for every device',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        'After `rotate ego` make a new backup: the old one holds the old key. A device that is off learns of the new key\n' +
          'when it is reached, or from your zone; a contact from you, from a letter at their relay, or from your zone, within\n' +
          '90 days. After `rotate device` others have 90 days in which they hear of the new key when they look for the device.\n' +
          'Exit code: 75 where somebody has not heard of it yet.',
      ),
  run: async (context, { key, selector, timeout }) => {
    const isOfDevices = key === 'host' || key === 'device'
    if (isOfDevices !== (selector !== undefined))
      throw new BoxError(
        'INPUT_INVALID',
        'Say which devices with `host` or `device`, and only there.',
      )
    const options = { timeoutMs: timeoutMs(timeout) }
    switch (key) {
      case 'ssh':
        return await rotateSsh(context)
      case 'ego':
        return await renewEgo(context, options)
      case 'host':
        return await rotateHosts(context, selected(context, selector!), options)
      case 'device':
        return await rotateDevices(context, selected(context, selector!), options)
    }
  },
})

async function rotateSsh({ state, random, output }: Context): Promise<number> {
  await renewSshKey(state, random)
  output.result('ssh logs in with a new key from now on.', { key: 'ssh' })
  return 0
}

async function rotateHosts(
  context: Context,
  devices: readonly Device[],
  options: { readonly timeoutMs: number },
): Promise<number> {
  return await tellAll(context, devices, 'has a new host key', device =>
    rotateHost(context, device, options),
  )
}

async function rotateDevices(
  context: Context,
  devices: readonly Device[],
  options: { readonly timeoutMs: number },
): Promise<number> {
  const code = await tellAll(context, devices, 'has a new key', device =>
    rotateDevice(context, device, options),
  )
  await publishZone(context, { waitMs: PUBLISH_PATIENCE_MS })
  return code
}
