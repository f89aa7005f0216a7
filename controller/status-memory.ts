/** How each device was when it was last heard of, so that one that is away is shown as it was, and as stale. */

import type { ZoneKey } from '../src/base/ids.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { Device } from './fleet.ts'
import type { State } from './state.ts'
import type { Values } from './status-watch.ts'

export interface Remembered {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly values: Values
}

const VERSION = 1

/** How a device was. */
export const statusFile = (zone: ZoneKey): string => `status-${zoneToText(zone)}.json`

/** Null where it was never heard of; what is damaged counts as that, for it is heard of again soon. */
export function recallStatus(state: State, device: Device): Remembered | null {
  const text = state.readText(statusFile(device.zone))
  if (text === null) return null
  try {
    const { version, at, values } = JSON.parse(text)
    if (version !== VERSION || typeof at !== 'number') return null
    const entries = Object.entries(values as Record<string, string>)
    return { at, values: new Map(entries.map(([name, value]) => [name, fromText(value)])) }
  } catch {
    return null
  }
}

/** Fails with STATE_UNWRITABLE, STATE_LOCKED. */
export async function rememberStatus(
  state: State,
  device: Device,
  { at, values }: Remembered,
): Promise<void> {
  const texts = Object.fromEntries([...values].map(([name, value]) => [name, toText(value)]))
  const text = `${JSON.stringify({ version: VERSION, at, values: texts })}\n`
  await state.exclusively(() => state.writeText(statusFile(device.zone), text))
}

const toText = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')
const fromText = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'))
