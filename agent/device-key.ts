/** The file of the device's zone key: made at the first start, replaced by `box rotate device` (device-keys.ts) or a reset. */

import { concat } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { Random } from '../src/base/random.ts'
import type { Store } from '../src/base/store.ts'
import { ZoneSecret, zoneType } from '../src/crypto/zone-key.ts'

/** In the store: u32 kind of zone, then 32 secret bytes. */
export const DEVICE_KEY = 'device-key'
const KIND_SIZE = 4
const SIZE = 36

/** The key of this state; a new one where there is none yet. Throws KEY_UNREADABLE. */
export function openDeviceKey(store: Store, random: Random): ZoneSecret {
  const bytes = store.get(DEVICE_KEY)
  if (!bytes) return makeKey(store, random)
  const type = bytes.length === SIZE ? zoneType(bytes) : null
  if (!type) throw new BoxError('KEY_UNREADABLE', `Its file is ${DEVICE_KEY}.`)
  return ZoneSecret.fromBytes(type, bytes.subarray(KIND_SIZE))
}

function makeKey(store: Store, random: Random): ZoneSecret {
  const secret = ZoneSecret.generate('EDKEY', random)
  keepDeviceKey(store, secret)
  return secret
}

/** In place of the one there is. Throws STATE_UNWRITABLE; then that stays. */
export const keepDeviceKey = (store: Store, secret: ZoneSecret): void =>
  store.set(DEVICE_KEY, concat(secret.zone.subarray(0, KIND_SIZE), secret.bytes))
