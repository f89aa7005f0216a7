/**
 * What an owner says in their own zone to all devices at once: which keys are revoked, and which key came after
 * theirs. TXT records at one label; each is signed by itself, so it does not matter who has published it.
 */

import { BoxError } from '../base/errors.ts'
import { type Expiry, RECORD_TYPE, type RecordData, type ZoneRecord } from '../gns/record.ts'
import { readTxt, txtRecord } from '../gns/record-data.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'
import { WireError } from '../wire/layout.ts'

export const NOTICES_LABEL = 'box-notices'
/** A block of GNS holds 63 KB; whoever revokes more keys than this makes new ones for the rest. */
export const NOTICES_MAX = 64
const NOTICE_BYTES_MAX = 2_048

const MARKS = { revocation: 'box1-revoked', succession: 'box1-after' } as const

export interface OwnerNotice {
  readonly is: keyof typeof MARKS
  /** A statement of revocation.ts, or a chain of succession.ts. */
  readonly signed: Uint8Array
}

export const noticeRecords = (
  notices: readonly OwnerNotice[],
  expiry: Expiry,
): readonly ZoneRecord[] =>
  notices
    .slice(-NOTICES_MAX)
    .map(({ is, signed }) => txtRecord(`${MARKS[is]} ${encodeBase32(signed)}`, expiry))

/** What is none is left out: a newer owner may say more. */
export function readNotices(records: readonly RecordData[]): readonly OwnerNotice[] {
  const texts = records.filter(({ type }) => type === RECORD_TYPE.TXT).slice(0, NOTICES_MAX)
  return texts.flatMap(({ data }) => {
    try {
      const [mark, encoded = ''] = readTxt(data).split(' ')
      const is = (Object.keys(MARKS) as (keyof typeof MARKS)[]).find(name => MARKS[name] === mark)
      const signed = is && decodeBase32(encoded, Math.floor((encoded.length * 5) / 8))
      return is && signed && signed.length <= NOTICE_BYTES_MAX ? [{ is, signed }] : []
    } catch (error) {
      if (error instanceof WireError || error instanceof BoxError) return []
      throw error
    }
  })
}
