/** Asks devices what would change, without changing anything: box diff, and box push --dry-run. */

import { BoxError } from '../../src/base/errors.ts'
import type { MadeOut } from '../../src/box/bundle/make-out.ts'
import { readStatus } from '../../src/box/push-report.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { inParallel } from '../parallel.ts'
import { timeoutMs } from '../timeout.ts'
import { changeLines, changesOn, type ShownChange } from './changes.ts'
import { nextSequence, openPushTalk } from './delivery.ts'

/** Enough to keep one line busy. */
const PARALLEL = 16

/** Prints what would change on each; the exit code. */
export async function showChanges(
  context: Context,
  devices: readonly Device[],
  { timeout }: { readonly timeout: number },
  make: (device: Device, sequence: number) => MadeOut,
  { differences = false } = {},
): Promise<number> {
  const { output, signal } = context
  let worst = 0
  await inParallel(devices, PARALLEL, async device => {
    const { name } = device
    try {
      const changes = await previewOn(context, device, timeoutMs(timeout), make, differences)
      const lines = changes.flatMap(changeLines)
      const text = [`${name}: ${changes.length === 0 ? 'nothing would change' : ''}`, ...lines]
      output.result(text.join('\n').replace(': \n', ':\n'), { name, changes })
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      worst = Math.max(worst, output.problem(name, error))
    }
  })
  return worst
}

/** What would change on a device. Fails as openPushTalk, and as the device refuses it. */
export async function previewOn(
  context: Context,
  device: Device,
  timeoutMs: number,
  make: (device: Device, sequence: number) => MadeOut,
  differences: boolean,
): Promise<readonly ShownChange[]> {
  const talk = await openPushTalk(context, device, timeoutMs)
  try {
    const status = readStatus(await talk.ask('status', {}))
    const made = make(device, nextSequence(context.clock.now(), status))
    return await changesOn(talk, made, { differences })
  } finally {
    talk.close()
  }
}
