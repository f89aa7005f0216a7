/** Rooms: which there are, and one of them with what was said, what is being said, and a line to say something. */

import { ask, listen, Refused, reasonOf, tell } from './api.ts'
import { h, replace } from './dom.ts'
import { moment } from './text.ts'
import { heading, load, note, type Place } from './views.ts'

const AGAIN_MS = 2_000
/** Near enough to the end that what comes is wanted in sight. */
const NEAR_PX = 80

interface Rooms {
  readonly rooms: readonly {
    readonly name: string
    readonly address: string
    readonly host: string
  }[]
}

interface Said {
  readonly id: string
  readonly at: string
  readonly what: 'message' | 'enter' | 'leave' | 'remove' | 'invite' | 'name'
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
            ...rooms.map(({ name, host }) =>
              h(
                'li',
                { class: 'panel' },
                h('a', { href: `#/rooms/${encodeURIComponent(name)}` }, name),
                h('span', { class: 'quiet' }, ` hosted by ${host}`),
              ),
            ),
          ),
        ],
  )
}

function roomView({ main, signal }: Place, name: string): void {
  const path = `/v1/rooms/${encodeURIComponent(name)}`
  const log = h('div', { class: 'log', role: 'log', tabindex: 0, 'aria-label': 'What is said' })
  const state = h('div', { role: 'status' }, h('p', { class: 'quiet' }, 'Looking for the host …'))
  const said = h('div', { 'aria-live': 'polite' })
  const input = h('input', {
    'aria-label': `Say something in ${name}`,
    autocomplete: 'off',
    required: true,
    maxlength: 4_000,
  })
  const button = h('button', { class: 'primary' }, 'Say')
  const submit = (event: Event) => {
    event.preventDefault()
    const text = input.value
    if (text.trim() === '') return
    input.value = ''
    tell(`${path}/messages`, { text }).then(
      () => replace(said),
      error => {
        // It is not lost: whoever has typed it can send it again.
        if (input.value === '') input.value = text
        replace(said, note('bad', reasonOf(error)))
      },
    )
  }
  const back = h('a', { class: 'button', href: '#/rooms' }, 'All rooms')
  main.append(
    heading(name, back),
    state,
    log,
    said,
    h('form', { class: 'say', on: { submit } }, input, button),
  )
  const seen = new Set<string>()
  const show = (one: Said) => {
    if (seen.has(one.id)) return
    seen.add(one.id)
    const isNear = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_PX
    log.append(lineOf(one))
    if (isNear) log.scrollTop = log.scrollHeight
  }
  void follow(path, signal, state, show)
  input.focus()
}

async function follow(
  path: string,
  signal: AbortSignal,
  state: HTMLElement,
  show: (said: Said) => void,
): Promise<void> {
  let isOver = false
  while (!signal.aborted && !isOver) {
    try {
      await listen(
        `${path}/events`,
        (event, data) => {
          if (event === 'said') show(data as Said)
          else if (event === 'over') {
            isOver = true
            replace(state, note('bad', (data as { message: string }).message))
          } else replace(state, (data as { attached: boolean }).attached ? null : waiting())
        },
        { signal },
      )
    } catch (error) {
      if (signal.aborted) return
      isOver = error instanceof Refused
      replace(state, note('bad', reasonOf(error)))
    }
    await new Promise(resolve => setTimeout(resolve, AGAIN_MS))
  }
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
}

function lineOf({ at, what, author = '?', person = '?', text = '' }: Said): HTMLElement {
  const time = h('time', { datetime: at, class: 'quiet small' }, moment(at))
  if (what === 'message')
    return h('div', { class: 'line' }, h('strong', {}, author), ' ', time, h('p', {}, text))
  return h('div', { class: 'line quiet' }, WORDS[what]?.(author, person) ?? what, ' ', time)
}
