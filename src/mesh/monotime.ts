/**
 * A clock for signatures that must never repeat or go back: not over a restart, not when the machine's
 * clock is set back. GNUnet compares these times (CADET's has_monotime) and refuses what is not newer.
 */

import type { Clock } from '../base/clock.ts'
import { BoxError } from '../base/errors.ts'
import type { Store } from '../base/store.ts'

/** Under this name the store keeps a time that was not given out yet. */
const NAME = 'monotime'
/** So much is reserved at once: written once an hour while in use, and lost at most at a restart. */
const RESERVE_MICROS = 3_600_000_000n

export class Monotime {
  private readonly clock: Clock
  private readonly store: Store
  private last: bigint
  private reserved: bigint

  constructor(store: Store, clock: Clock) {
    this.clock = clock
    this.store = store
    this.reserved = read(store.get(NAME))
    this.last = this.reserved
  }

  /** Microseconds since 1970 by this clock; greater than any before. */
  now(): bigint {
    const clock = BigInt(Math.max(0, Math.round(this.clock.now() * 1_000)))
    this.last = clock > this.last ? clock : this.last + 1n
    if (this.last >= this.reserved) {
      this.reserved = this.last + RESERVE_MICROS
      this.reserve()
    }
    return this.last
  }

  /** Where the disk is full, the promise holds without the restart: better than to be silent until then. */
  private reserve(): void {
    try {
      this.store.set(NAME, write(this.reserved))
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
    }
  }
}

/** What cannot be read counts as none: the machine's clock is ahead of it anyway, most of the time. */
function read(value: Uint8Array | null): bigint {
  if (value?.length !== 8) return 0n
  return new DataView(value.buffer, value.byteOffset, 8).getBigUint64(0)
}

function write(micros: bigint): Uint8Array {
  const value = new Uint8Array(8)
  new DataView(value.buffer).setBigUint64(0, micros)
  return value
}
