/**
 * Who is in a place, as its state says it: `_list_members` has their zones in the order in which they came,
 * `_dict_nicks` what they are called here.
 */

import type { ZoneKey } from '../base/ids.ts'
import { encodeBase32 } from '../wire/base32.ts'
import { WireError } from '../wire/layout.ts'
import { parseDict, parseList, renderDict } from './list.ts'
import { type Modifier, modifier } from './packet.ts'
import type { State } from './state.ts'

export interface ListedMember {
  /** The zone as text. */
  readonly nym: string
  /** '' where there is none. */
  readonly nick: string
}

const EMPTY = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** What is said when somebody comes (`+`) or goes (`-`). */
export function memberChange(operator: '+' | '-', zone: ZoneKey, nick: string): Modifier[] {
  const nym = encodeBase32(zone)
  return [
    modifier(':', '_nym', nym),
    ...(nick === '' ? [] : [modifier(':', '_nick', nick)]),
    modifier(operator, '_list_members', `|${nym.length} ${nym}`),
    ...(nick === '' && operator === '+' ? [] : [nickChange(operator, nym, nick)]),
  ]
}

/** What is said when somebody has another key: the same person, and the same name. */
export const memberSuccession = (before: ZoneKey, after: ZoneKey, nick: string): Modifier[] => [
  ...memberChange('-', before, nick).filter(({ operator }) => operator !== ':'),
  ...memberChange('+', after, nick),
  modifier(':', '_nym_before', encodeBase32(before)),
]

/** What is said when somebody is called otherwise; `-`: nothing any more. */
export const nickChange = (operator: '+' | '-', nym: string, nick: string): Modifier =>
  modifier(
    operator,
    '_dict_nicks',
    renderDict({
      type: null,
      entries: [{ key: encoder.encode(nym), type: null, value: encoder.encode(nick) }],
    }),
  )

/** Who is listed; nobody where that cannot be read. */
export function membersIn(state: State): ListedMember[] {
  try {
    const { elements } = parseList(state.get('_list_members') ?? EMPTY)
    const { entries } = parseDict(state.get('_dict_nicks') ?? EMPTY)
    const nicks = new Map(entries.map(({ key, value }) => [textOf(key), textOf(value)]))
    return elements.map(({ value }) => {
      const nym = textOf(value)
      return { nym, nick: nicks.get(nym) ?? '' }
    })
  } catch (error) {
    if (error instanceof WireError) return []
    throw error
  }
}

const textOf = (bytes: Uint8Array | null): string => (bytes ? decoder.decode(bytes) : '')
