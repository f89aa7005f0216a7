/** What may stand together under a label (RFC 9498 sections 5.1 to 5.3; gnsrecord_misc.c). */

import { BoxError } from '../base/errors.ts'
import { APEX } from './name.ts'
import {
  isDelegation,
  isShadow,
  isSupplemental,
  RECORD_FLAG,
  RECORD_TYPE,
  rdataSize,
  type ZoneRecord,
} from './record.ts'
import { readDelegation } from './record-data.ts'

/**
 * Octets of a record set, padding included: the largest power of two that fits a block
 * (GNUNET_GNSRECORD_MAX_BLOCK_SIZE is 63 KiB, and so is what the DHT carries).
 */
export const RDATA_SIZE_MAX = 32_768

const REDIRECTS: readonly number[] = [RECORD_TYPE.REDIRECT, RECORD_TYPE.CNAME]
const CRITICAL: readonly number[] = [
  RECORD_TYPE.PKEY,
  RECORD_TYPE.EDKEY,
  RECORD_TYPE.REDIRECT,
  RECORD_TYPE.GNS2DNS,
]
const TYPE_DS = 43

/** Whether the record says to look elsewhere under another name. */
export const isRedirect = ({ type }: { readonly type: number }): boolean => REDIRECTS.includes(type)

/** Whether the record says to look elsewhere; nothing else may stand beside it. */
export const leadsElsewhere = (record: { readonly type: number }): boolean =>
  isDelegation(record) || isRedirect(record) || record.type === RECORD_TYPE.GNS2DNS

/** The set as it is kept: critical types marked so. Throws INPUT_INVALID where the records exclude each other. */
export function checkedSet(label: string, records: readonly ZoneRecord[]): readonly ZoneRecord[] {
  const refuse = (why: string): never => {
    throw new BoxError('INPUT_INVALID', why)
  }
  const main = records.filter(record => !isSupplemental(record))
  const leads = main.filter(leadsElsewhere)
  if (leads.length > 0) {
    const [{ type }] = leads as [ZoneRecord]
    const beside = type === RECORD_TYPE.GNS2DNS ? [type, TYPE_DS] : [type]
    if (label === APEX)
      refuse('A delegation or redirection cannot stand at "@", where the zone itself is.')
    for (const record of main) if (isDelegation(record)) mustBeZone(record)
    if (!main.every(record => beside.includes(record.type)))
      refuse('A delegation or redirection must be the only record of its label.')
    const open = main.filter(record => !isShadow(record))
    if (type !== RECORD_TYPE.GNS2DNS && open.length > 1)
      refuse('A label can lead to one place only.')
  }
  for (const { expiry } of records) {
    const ms = 'atMs' in expiry ? expiry.atMs : expiry.afterMs
    if (!(ms > 0)) refuse('A record needs a time to last.')
  }
  if (rdataSize(records) > RDATA_SIZE_MAX)
    refuse(`The records of a label are limited to ${RDATA_SIZE_MAX} bytes.`)
  return records.map(record =>
    CRITICAL.includes(record.type)
      ? { ...record, flags: record.flags | RECORD_FLAG.critical }
      : record,
  )
}

function mustBeZone({ type, data }: ZoneRecord): void {
  try {
    readDelegation(type, data)
  } catch (cause) {
    throw new BoxError('INPUT_INVALID', 'A delegation needs a zone key of 32 bytes.', cause)
  }
}
