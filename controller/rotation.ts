/** New keys for a device, in place of those that it has, without pairing it again. For commands and the API alike. */

import { BoxError } from '../src/base/errors.ts'
import { askRotateHostKey, askRotateKey } from '../src/box/control.ts'
import type { Context } from './context.ts'
import { reach } from './device-session.ts'
import { followDevice } from './device-succession.ts'
import type { Device } from './fleet.ts'

type Options = { readonly timeoutMs: number }

/** The key that it shows to SSH clients. Fails as `reach`, and with NOT_PERMITTED. */
export async function rotateHost(
  context: Context,
  device: Device,
  { timeoutMs }: Options,
): Promise<void> {
  const { clock, signal } = context
  const session = await reach(context, device, { service: 'control', timeoutMs })
  await askRotateHostKey(session, { clock, signal })
}

/**
 * The key of its zone: taken into the fleet at once; where the answer is lost, the device says it again. Our own zone
 * is to be published after it. Fails as `rotateHost`, and with LIMIT_EXCEEDED, STATE_UNEXPECTED.
 */
export async function rotateDevice(
  context: Context,
  device: Device,
  { timeoutMs }: Options,
): Promise<void> {
  const { clock, signal } = context
  const session = await reach(context, device, { service: 'control', timeoutMs })
  const chain = await askRotateKey(session, { clock, signal })
  if (!(await followDevice(context, context.fleet.device(device.name), chain)))
    throw new BoxError('STATE_UNEXPECTED', 'What it says of its new key does not follow.')
}
