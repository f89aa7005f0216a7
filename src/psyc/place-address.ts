/**
 * Where a place is: a PLACE record in the zone of its host (gnunet-social's record, with place key, origin and
 * relays). Whoever finds it knows the host's zone already, which is what it will have to prove.
 */

import { type PeerId, peerId, type ZoneKey } from '../base/ids.ts'
import { type Expiry, RECORD_TYPE, type ResourceRecord, type ZoneRecord } from '../gns/record.ts'
import { placeRecord, readPlace } from '../gns/record-data.ts'
import { WireError } from '../wire/layout.ts'
import type { TreeNode } from './edge.ts'

export interface PlaceAddress {
  readonly place: Uint8Array
  readonly host: TreeNode
}

/** The record for the zone of the host. */
export const recordOfPlace = (place: Uint8Array, origin: PeerId, expiry: Expiry): ZoneRecord =>
  placeRecord({ key: place, origin, relays: [] }, expiry)

/** The place that records of `zone` name, or null. A record that is malformed is passed over. */
export function placeOfRecords(
  zone: ZoneKey,
  records: readonly Pick<ResourceRecord, 'type' | 'data'>[],
): PlaceAddress | null {
  for (const { type, data } of records) {
    if (type !== RECORD_TYPE.PLACE) continue
    try {
      const { key, origin } = readPlace(data)
      return { place: key.slice(), host: { peer: peerId(origin.slice()), zone } }
    } catch (error) {
      if (!(error instanceof WireError)) throw error
    }
  }
  return null
}
