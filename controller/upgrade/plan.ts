/** What an upgrade would do to a device, asked of the device; nothing is changed. */

import { BoxError } from '../../src/base/errors.ts'
import { compareVersions } from '../../src/box/executable-release.ts'
import type { UpgradeState } from '../../src/box/upgrade-report.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { suiting, upgradeState } from './delivery.ts'
import type { Releases } from './releases.ts'

/** `state` is null where the device did not tell it. */
export type Planned =
  | {
      readonly is: 'upgrade' | 'downgrade' | 'unchanged'
      readonly state: UpgradeState
      readonly to: string
    }
  | {
      readonly is: 'offline' | 'refused'
      readonly state: UpgradeState | null
      readonly error: BoxError
    }

/** Expected failures are in what comes back. */
export async function planUpgrade(
  context: Context,
  device: Device,
  releases: Releases,
  timeoutMs: number,
): Promise<Planned> {
  let state: UpgradeState | null = null
  try {
    state = await upgradeState(context, device, timeoutMs)
    const { version: to } = suiting(releases, state).manifest
    const order = compareVersions(to, state.version)
    if (order === 0) return { is: 'unchanged', state, to }
    return { is: order < 0 ? 'downgrade' : 'upgrade', state, to }
  } catch (error) {
    context.signal.throwIfAborted()
    if (!(error instanceof BoxError)) throw error
    const isOff = error.family === 'unreachable' || error.family === 'unknown'
    return { is: isOff ? 'offline' : 'refused', state, error }
  }
}

/** The same for programs. */
export const plannedValue = (name: string, planned: Planned) => ({
  name,
  does: planned.is,
  machine: planned.state?.machine ?? null,
  version: planned.state?.version ?? null,
  to: 'to' in planned ? planned.to : null,
  gave_way: 'to' in planned && planned.state.failed === planned.to,
  error: 'error' in planned ? { code: planned.error.code, message: planned.error.message } : null,
})
