/** PLACE records: where a place is. */

import { expect, test } from 'vitest'
import { peerId } from '../../src/base/ids.ts'
import { zoneKeyOf } from '../../src/crypto/zone-key.ts'
import { placeOfRecords, recordOfPlace } from '../../src/psyc/place-address.ts'

const zone = zoneKeyOf('EDKEY', new Uint8Array(32).fill(3))
const place = new Uint8Array(32).fill(1)
const origin = peerId(new Uint8Array(32).fill(2))

test('a record leads to the place and to its host, in whose zone it was found', () => {
  const record = recordOfPlace(place, origin, { afterMs: 3_600_000 })
  expect(record.data).toEqual(
    new Uint8Array([...place, ...origin, 0, 0, 0, 0]), // gnunet-social: key, origin, no relays.
  )
  expect(placeOfRecords(zone, [record])).toEqual({ place, host: { peer: origin, zone } })
})

test('other records, and those that are damaged, are passed over', () => {
  const record = recordOfPlace(place, origin, { afterMs: 1 })
  expect(placeOfRecords(zone, [{ ...record, type: 1 }])).toBe(null)
  expect(placeOfRecords(zone, [{ ...record, data: record.data.subarray(1) }, record])).not.toBe(
    null,
  )
  expect(placeOfRecords(zone, [{ ...record, data: new Uint8Array(3) }])).toBe(null)
})
