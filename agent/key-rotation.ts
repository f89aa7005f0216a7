/**
 * A new zone key of the device, where an owner asks for it, and the end of those before when their time is over.
 * What is open stays open; from here on the device answers by both names (device-keys.ts).
 */

import type { Clock, Timer } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import type { Log } from '../src/base/log.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { AuditNotes } from './audit-notes.ts'
import type { DeviceKeys } from './device-keys.ts'

/** A key that was given up may answer for so much longer. */
const LOOK_EVERY_MS = 12 * 3_600_000

export interface KeyRotationOptions {
  readonly device: DeviceKeys
  readonly audit: Pick<AuditNotes, 'note'>
  readonly clock: Clock
  readonly log: Log
  /** Told when the device answers by other keys than before. */
  readonly changed: () => void
}

export class KeyRotation {
  private readonly options: KeyRotationOptions
  private timer: Timer

  constructor(options: KeyRotationOptions) {
    this.options = options
    this.timer = this.later()
  }

  /** Makes the key; what leads from the one before to it, signed by both. Throws as DeviceKeys. */
  rotate(by: ZoneKey, theirs: number): Uint8Array {
    const { device, audit } = this.options
    try {
      const { before, after, signed } = device.rotate(theirs)
      const detail = `device key: ${zoneToText(after)} in place of ${zoneToText(before)}`
      audit.note({ zone: by, what: 'rotate', detail, result: 'done' })
      this.change()
      return signed
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      audit.note({
        zone: by,
        what: 'rotate',
        detail: 'device key',
        result: `refused: ${error.code}`,
      })
      throw error
    }
  }

  close(): void {
    this.timer.cancel()
  }

  /** The key is another one, whatever hinders us now: a start anew does the rest. */
  private change(): void {
    try {
      this.options.changed()
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      const { code, detail } = error
      this.options.log.note('error', 'keys', 'not served', { code, why: detail })
    }
  }

  private later(): Timer {
    return this.options.clock.after(LOOK_EVERY_MS, () => {
      this.change()
      this.timer = this.later()
    })
  }
}
