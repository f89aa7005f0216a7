/** Rooms: which there are, and one of them with what was said, what is being said, and a line to say something. */

import { ask, stayTuned, tell } from './api.ts'
import { h, replace } from './dom.ts'
import { eventLine, Log, messageLine } from './log.ts'
import { heading, load, note, type Place, sayForm } from './views.ts'

interface Rooms {
  readonly rooms: readonly {
    readonly name: string
    readonly address: string
    readonly host: string
    readonly mode: string
  }[]
}

interface Said {
  readonly id: string
  readonly at: string
  readonly what: 'message' | 'enter' | 'leave' | 'remove' | 'invite' | 'name' | 'key'
  readonly author?: string
  readonly person?: string
  readonly text?: string
}

export function roomsView(place: Place): void {
  const [name] = place.words
  if (name === undefined || name === '') listView(place)
  else roomView(place, name)
}

function listView(place: Place): void {
  const { main, signal } = place
  const into = h('div')
  main.append(heading('Rooms'), into)
  const get = () => ask<Rooms>('/v1/rooms', { signal })
  load(into, place, { doing: 'Asking box up', get }, ({ rooms }) =>
    rooms.length === 0
      ? [
          h(
            'div',
            { class: 'empty' },
            h('h2', {}, 'You are in no room'),
            h('p', {}, 'A device that is always on can host one:'),
            h('pre', {}, 'box room create ops --on kitchen'),
            h('p', {}, 'Or you were invited, and got a line like this one:'),
            h('pre', {}, 'box room enter ops@…'),
          ),
        ]
      : [
          h(
            'ul',
            { class: 'rooms' },
            ...rooms.map(({ name, host, mode }) =>
              h(
                'li',
                { class: 'panel' },
                h('a', { href: `#/rooms/${encodeURIComponent(name)}` }, name),
                h('span', { class: 'quiet' }, ` ${mode}, hosted by ${host}`),
              ),
            ),
          ),
        ],
  )
}

function roomView({ main, signal }: Place, name: string): void {
  const path = `/v1/rooms/${encodeURIComponent(name)}`
  const log = new Log()
  const state = h('div', { role: 'status' }, h('p', { class: 'quiet' }, 'Looking for the host …'))
  const say = sayForm(name, text => tell(`${path}/messages`, { text }))
  main.append(
    heading(name, h('a', { class: 'button', href: '#/rooms' }, 'All rooms')),
    state,
    log.element,
    say,
  )
  say.querySelector('input')?.focus()
  const hear = (event: string, data: unknown) => {
    if (event === 'said') {
      const said = data as Said
      if (!log.has(said.id)) log.put(said.id, lineOf(said))
    } else if (event === 'over') replace(state, note('bad', (data as { message: string }).message))
    else replace(state, (data as { attached: boolean }).attached ? null : waiting())
    return event !== 'over'
  }
  const lost = (why: string) => replace(state, note('bad', why))
  void stayTuned(`${path}/events`, { hear, lost, signal })
}

const waiting = (): HTMLElement =>
  note(
    'warn',
    'The host is out of reach at the moment. What was said meanwhile comes when it is back.',
  )

const WORDS: Readonly<Record<string, (who: string, whom: string) => string>> = {
  enter: (_, whom) => `${whom} enters`,
  leave: (_, whom) => `${whom} leaves`,
  remove: (_, whom) => `${whom} is put out`,
  invite: (who, whom) => `${who} invites ${whom}`,
  name: (who, whom) => `${who} names ${whom}`,
  key: (_, whom) => `${whom} has a new key`,
}

const lineOf = ({ at, what, author = '?', person = '?', text = '' }: Said): HTMLElement =>
  what === 'message'
    ? messageLine(author, at, text)
    : eventLine(WORDS[what]?.(author, person) ?? what, at)
