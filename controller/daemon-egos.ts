/** The egos and zones of the GNUnet installation: by which names it knows them, and its keys as ours. */

import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { ZoneSecret, zoneType } from '../src/crypto/zone-key.ts'
import { zoneFromText } from '../src/gns/name.ts'
import { decodeStored, zoneKeyForDaemon } from '../src/gns/namestore-keeper.ts'
import type { GnunetNames } from '../src/mesh/gnunet-names.ts'
import type { MoreNames } from './names.ts'

const TYPE_SIZE = 4

/** The ego of this name. Fails as GnunetNames.egos, and with NAME_UNKNOWN, KEY_UNREADABLE. */
export async function daemonEgo(names: GnunetNames, wanted: string): Promise<ZoneSecret> {
  const ego = (await names.egos()).find(({ name }) => name === wanted.toLowerCase())
  if (ego) return secretOf(ego.key)
  throw new BoxError('NAME_UNKNOWN', `GNUnet has no ego "${wanted}": see gnunet-identity -d.`)
}

/** What GNUnet itself would take a suffix for, its egos first, then its configuration; and what it has in our zone. */
export async function daemonNames(
  names: GnunetNames | undefined,
  ego: ZoneSecret | null,
): Promise<MoreNames | undefined> {
  if (!names) return undefined
  // Without its user services there are no egos, and names resolve all the same.
  const egos = await names.egos().catch(() => [])
  const zones = new Map<string, ZoneKey>()
  for (const [suffix, text] of names.tlds)
    try {
      zones.set(suffix, zoneFromText(text))
    } catch {
      // GNUnet may know kinds of zones that we do not.
    }
  for (const { name, key } of egos) if (zoneType(key)) zones.set(name, secretOf(key).zone)
  const own = ego ? await names.allRecords(zoneKeyForDaemon(ego)).catch(() => []) : []
  return {
    zones: suffix => zones.get(suffix) ?? null,
    records: own.map(({ label, count, bytes }) => ({ label, records: decodeStored(count, bytes) })),
  }
}

function secretOf(key: Uint8Array): ZoneSecret {
  const type = zoneType(key)
  if (!type) throw new BoxError('KEY_UNREADABLE', 'GNUnet has a key of a kind that is not known.')
  return ZoneSecret.fromBytes(type, key.slice(TYPE_SIZE))
}
