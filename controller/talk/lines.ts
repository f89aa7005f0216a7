/** What was said between two people, as lines for people and as values for programs; as in rooms (room/lines.ts). */

import { BoxError } from '../../src/base/errors.ts'
import { readSuccessionChain } from '../../src/box/succession.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { type Introduction, readIntroduction } from '../../src/social/introduction.ts'
import type { Saying } from '../../src/social/saying.ts'
import { offerLine, offerValue, tame, timeText } from '../room/lines.ts'
import type { Contact } from './contact-book.ts'
import { sayingIn } from './intake.ts'
import type { Said } from './talk-state.ts'

/** For people; `me` is what we call ourselves. */
export function talkLine({ by, number, packet }: Said, { name }: Contact, me: string): string {
  const time = timeText(number)
  const who = by === 'me' ? me : name
  const saying = sayingIn(packet)
  switch (saying.is) {
    case 'text':
      return `${time} ${who}: ${tame(saying.text)}`
    case 'file':
      return `${time} -- ${who} ${offerLine(saying.offer)}`
    case 'introduction': {
      const about = introductionIn(saying)
      const whom = about ? `${tame(about.name)} (${zoneToText(about.zone)})` : 'somebody'
      return `${time} -- ${who} introduces ${whom}`
    }
    case 'succession': {
      const key = lastKeyIn(saying)
      return `${time} -- ${who} has a new key${key ? ` (${key})` : ''}, signed by the one before`
    }
    default:
      return `${time} -- ${who} says something that this version cannot show`
  }
}

/** For programs. */
export function talkValue({ by, number, packet }: Said, { name, zone }: Contact): object {
  const saying = sayingIn(packet)
  const about = introductionIn(saying)
  return {
    ...{ contact: name, zone: zoneToText(zone), by, number, at: new Date(number).toISOString() },
    what: saying.is === 'text' ? 'message' : saying.is,
    ...(saying.is === 'file' && offerValue(saying.offer)),
    ...(saying.is === 'text' && { text: saying.text }),
    ...(about && { person: about.name, person_zone: zoneToText(about.zone) }),
    ...(saying.is === 'succession' && { person_zone: lastKeyIn(saying) ?? '' }),
  }
}

function introductionIn(saying: Saying): Introduction | null {
  if (saying.is !== 'introduction') return null
  try {
    return readIntroduction(saying.signed)
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  }
}

function lastKeyIn({ chain }: Extract<Saying, { is: 'succession' }>): string | null {
  try {
    const last = readSuccessionChain(chain, null).at(-1)
    return last ? zoneToText(last.after) : null
  } catch (error) {
    if (error instanceof BoxError) return null
    throw error
  }
}
