/**
 * What a place is like, fixed when it is made; above all whether what is said in a place can be shown to others as said there (provable), or not (deniable). Its state says so (`_mode`); a place whose state says nothing is provable, as all once were.
 */

import type { Saying } from './channel.ts'
import type { Modifier } from './packet.ts'
import { modifier } from './packet.ts'
import type { State } from './state.ts'

export type PlaceMode = 'provable' | 'deniable'

export interface PlaceRules {
  /** Nothing that is said here can be shown to be of the place, some hours later. From the beginning to the end. */
  readonly isDeniable?: boolean
  /** Whether newcomers may read what was said before they came. */
  readonly isHistoryOpen: boolean
  /** Whether members hear who comes and goes (`_list_members` and notices). */
  readonly announcesMembers: boolean
}

const NAME = '_mode'

export const modeModifier = (mode: PlaceMode): Modifier => modifier('=', NAME, mode)

/** Null where the state says something that this version does not know. */
export function modeIn(state: State): PlaceMode | null {
  const value = state.get(NAME)
  if (!value) return 'provable'
  const text = new TextDecoder().decode(value)
  return text === 'provable' || text === 'deniable' ? text : null
}

/** What forgets the state does not forget the mode. */
export const keepingMode = (saying: Saying, mode: PlaceMode): Saying =>
  saying.reset ? { ...saying, entity: [modeModifier(mode), ...(saying.entity ?? [])] } : saying
