import { keepDeviceKey } from '../../agent/device-key.ts'
import { DeviceKeys } from '../../agent/device-keys.ts'
import type { Clock } from '../../src/base/clock.ts'
import { memoryStore, type Store } from '../../src/base/store.ts'
import type { ZoneSecret } from '../../src/crypto/zone-key.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { seededRandom } from '../sim/random.ts'

/** The keys of a device that has this one, and had none before; what `rotate` makes is the same each time. */
export function keysOf(
  secret: ZoneSecret,
  { store = memoryStore(), clock = systemClock }: { store?: Store; clock?: Clock } = {},
): DeviceKeys {
  keepDeviceKey(store, secret)
  return new DeviceKeys({ store, clock, random: seededRandom(secret.bytes[0]!) })
}
