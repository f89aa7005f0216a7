/**
 * Names of the GNU Name System: labels, whole names, and zones written as text (zTLD).
 * RFC 9498 sections 4.1 (zTLD), 5 (labels) and 7.1 (start zones). What is returned is normalised:
 * NFC and lower case, so that two names are the same where their texts are.
 */

import { BoxError } from '../base/errors.ts'
import { type ZoneKey, zoneKey } from '../base/ids.ts'
import { zoneType } from '../crypto/zone-key.ts'
import { decodeBase32, encodeBase32 } from '../wire/base32.ts'

/** The label of the records that belong to the zone itself. */
export const APEX = '@'
/** Octets of a label (RFC 9498 section 5: as in the DNS). */
export const LABEL_SIZE_MAX = 63
/** Octets of a whole name, separators included (RFC 9498 section 5: as in the DNS). */
export const NAME_SIZE_MAX = 253

const ZONE_SIZE = 36
/** 36 octets at five bits a character. */
const ZONE_TEXT_LENGTH = 58

/** A name taken apart. Which zone it begins in is for the resolver to say, unless it ends in a zTLD. */
export interface Name {
  /** As written, leftmost first, without the zTLD; empty for a zTLD alone, which means its apex. */
  readonly labels: readonly string[]
  /** The zone of the zTLD the name ends in; null where it ends in a word. */
  readonly zone: ZoneKey | null
}

const utf8 = new TextEncoder()

/** Takes a name apart: `kitchen.home`, `kitchen.000G…`, `@.home`. Throws NAME_INVALID. */
export function parseName(text: string): Name {
  if (utf8.encode(text.normalize('NFC')).length > NAME_SIZE_MAX)
    throw new BoxError('NAME_INVALID', `It is longer than ${NAME_SIZE_MAX} bytes.`)
  const parts = text.split('.')
  const zone = zoneOf(parts.at(-1)!)
  const labels = (zone ? parts.slice(0, -1) : parts).map((part, at) => {
    const label = normaliseLabel(part)
    if (label === APEX && at > 0)
      throw new BoxError('NAME_INVALID', '"@" may only stand at the left.')
    return label
  })
  if (labels[0] === APEX) labels.shift()
  if (labels.length === 0 && !zone)
    throw new BoxError('NAME_INVALID', '"@" needs a zone to its right.')
  return { labels, zone }
}

/** The name as text; parseName takes it back. */
export function formatName({ labels, zone }: Name): string {
  return [...labels, ...(zone ? [zoneToText(zone)] : [])].join('.')
}

/** The label in the form under which it is published. Throws NAME_INVALID. */
export function normaliseLabel(text: string): string {
  const label = text.normalize('NFC').toLowerCase().normalize('NFC')
  const size = utf8.encode(label).length
  if (size === 0) throw new BoxError('NAME_INVALID', 'It has an empty label.')
  if (size > LABEL_SIZE_MAX)
    throw new BoxError('NAME_INVALID', `A label is longer than ${LABEL_SIZE_MAX} bytes.`)
  if (/[\p{Cc}\p{Surrogate}\s.]/u.test(label) || label === '+')
    throw new BoxError('NAME_INVALID', 'A label has a character that may not stand there.')
  return label
}

/** The zone as its zTLD: 58 characters. */
export const zoneToText = (zone: ZoneKey): string => encodeBase32(zone)

/** The zone of a zTLD. Throws NAME_INVALID. */
export function zoneFromText(text: string): ZoneKey {
  const zone = zoneOf(text)
  if (!zone) throw new BoxError('NAME_INVALID', 'It is not the text of a zone key.')
  return zone
}

/** The zone a label is the zTLD of; null where it is an ordinary label. */
function zoneOf(label: string): ZoneKey | null {
  if (label.length !== ZONE_TEXT_LENGTH) return null
  try {
    const zone = zoneKey(decodeBase32(label, ZONE_SIZE))
    return zoneType(zone) ? zone : null
  } catch {
    return null
  }
}
