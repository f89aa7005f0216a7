/** The shape of answers about files that people hand out, beside those of schemas.ts. */

import { object, orNull } from './schemas.ts'

const text = { type: 'string' } as const
const texts = { type: 'array', items: text } as const
const textOrNull = { type: ['string', 'null'] } as const
const integer = { type: 'integer' } as const
const offered = { file: text, name: text, size: integer }

/** `here`: how many bytes of it are on this machine. `path`: where; null where that is nowhere. */
export const OFFERS = object({
  files: {
    type: 'array',
    items: object({
      ...offered,
      ...{ by: text, by_zone: textOrNull, in: text, where: text },
      ...{ at: { ...text, format: 'date-time' }, state: text },
      ...{ here: integer, path: textOrNull, fetched_by: orNull(texts) },
      relay: orNull(object({ has: text, zone: text, until: { ...text, format: 'date-time' } })),
    }),
  },
})
/** `offer`: where what says so is: with them, with a relay of theirs, or here; in a room it is said. */
export const OFFERED = object({
  ...{ ...offered, to: text, in: text },
  offer: { ...text, enum: ['said', 'heard', 'left', 'waits'] },
})
/** `at_relay`: a relay that has it could not be told to delete it. */
export const TAKEN_BACK = object({ file: text, name: text, at_relay: { type: 'boolean' } })
