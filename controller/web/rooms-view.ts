/** Rooms: which there are, and one of them with what was said, what is being said, and a line to say something. */

import { ask, Refused, reasonOf, stayTuned, tell } from './api.ts'
import { h, replace } from './dom.ts'
import { eventLine, Log, messageLine } from './log.ts'
import { Offers, type SaidOffer } from './offers.ts'
import { count } from './text.ts'
import { heading, load, note, type Place, sayForm, working } from './views.ts'

interface Rooms {
  readonly rooms: readonly {
    readonly name: string
    readonly address: string
    readonly host: string
    readonly mode: string
  }[]
}

interface Said extends SaidOffer {
  readonly id: string
  readonly what: 'message' | 'file' | 'enter' | 'leave' | 'remove' | 'invite' | 'name' | 'key'
  readonly author?: string
  readonly person?: string
  readonly text?: string
}

interface Failure {
  readonly code: string
  readonly message: string
}

interface History {
  readonly messages: readonly Said[]
  readonly failure: Failure | null
}

interface Members {
  readonly members: readonly { readonly name: string; readonly zone: string }[]
  readonly failure: Failure | null
}

/** How the API says that its host is not there. */
const OUT_OF_REACH = 504
/** So many more lines at a time. */
const EARLIER = 200
/** As the API takes it. */
const LAST_MAX = 9_999

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

function roomView(place: Place, name: string): void {
  const { main, signal } = place
  const path = `/v1/rooms/${encodeURIComponent(name)}`
  const log = new Log()
  const state = h('div', { role: 'status' }, h('p', { class: 'quiet' }, 'Looking for the host …'))
  const offers = new Offers({ path, where: name, log, signal })
  const say = sayForm(name, text => tell(`${path}/messages`, { text }), offers.attaching())
  const line = (said: Said) => lineOf(said, offers)
  main.append(
    heading(name, h('a', { class: 'button', href: '#/rooms' }, 'All rooms')),
    ...[state, earlierPart(path, { log, line, signal }), log.element, offers.element, say],
    ...[membersPart(path, place), leavePart(path, name)],
  )
  say.querySelector('input')?.focus()
  const hear = (event: string, data: unknown) => {
    if (event === 'said') {
      const said = data as Said
      if (!log.has(said.id)) log.put(said.id, line(said))
    } else if (event === 'over') replace(state, note('bad', (data as { message: string }).message))
    else replace(state, (data as { attached: boolean }).attached ? null : waiting())
    return event !== 'over'
  }
  const lost = (why: string) => replace(state, note('bad', why))
  void stayTuned(`${path}/events`, { hear, lost, signal })
}

interface Lines {
  readonly log: Log
  readonly line: (said: Said) => HTMLElement
  readonly signal: AbortSignal
}

/** What was said before that which is shown. */
function earlierPart(path: string, { log, line, signal }: Lines): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const button = h('button', { type: 'button' }, 'Earlier')
  button.addEventListener('click', () => {
    void working(button, said, async () => {
      const last = Math.min(log.size + EARLIER, LAST_MAX)
      const { messages, failure } = await ask<History>(`${path}/history?last=${last}`, { signal })
      const found = log.putBefore(messages.map(one => [one.id, () => line(one)] as const))
      if (failure) throw new Refused(0, failure.code, failure.message)
      return found > 0 ? `${count(found, 'line')} from before.` : 'There is nothing from before.'
    })
  })
  return h('div', { class: 'actions tools' }, button, said)
}

/** Asked for when it is opened: it is not always wanted, and the host may be away. */
function membersPart(path: string, place: Place): HTMLElement {
  const list = h('div')
  const part = h('details', { class: 'panel' }, h('summary', {}, 'Who is in it'), list)
  const get = () => ask<Members>(`${path}/members`, { signal: place.signal })
  part.addEventListener('toggle', () => {
    if (!part.open) return
    load(list, place, { doing: 'Asking the host', get }, ({ members, failure }) => [
      failure && note('warn', failure.message, ' This is what is known here.'),
      h(
        'ul',
        { class: 'members' },
        ...members.map(({ name, zone }) => h('li', { title: zone }, name)),
      ),
    ])
  })
  return part
}

/** Where the host is out of reach, it is asked whether to give it up all the same. */
function leavePart(path: string, name: string): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const button = h('button', { type: 'button', class: 'danger' }, 'Leave')
  button.addEventListener('click', () => {
    const means = 'What was said there is forgotten here, and to come back takes an invitation.'
    if (!confirm(`Leave ${name}? ${means}`)) return
    void working(button, said, async () => {
      try {
        await tell(`${path}/leave`, {})
      } catch (error) {
        const isAway = error instanceof Refused && error.status === OUT_OF_REACH
        const ask = () =>
          `${reasonOf(error)} Forget ${name} all the same? Its members still see you in it.`
        if (!isAway || !confirm(ask())) throw error
        await tell(`${path}/leave`, { forget: true })
      }
      location.hash = '#/rooms'
      return null
    })
  })
  return h(
    'details',
    { class: 'panel' },
    h('summary', {}, 'Leave the room'),
    h('div', { class: 'actions' }, button),
    said,
  )
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

function lineOf(said: Said, offers: Offers): HTMLElement {
  const { at, what, author = '?', person = '?', text = '' } = said
  if (what === 'file') return offers.line(author, said, null)
  if (what === 'message') return messageLine(author, at, text)
  return eventLine(WORDS[what]?.(author, person) ?? what, at)
}
