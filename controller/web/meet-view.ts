/** Taking somebody in: by a code that one shows and the other types, or by a key. */

import { ask, reasonOf, tell, tellLines } from './api.ts'
import { h, replace } from './dom.ts'
import { heading, labelled, load, note, type Place, working } from './views.ts'

const ZONE = /^000G[0-9A-Z]{54}$/i

interface Added {
  readonly name: string
  readonly check_words: readonly string[] | null
}

type Line =
  | { readonly code: string; readonly minutes: number }
  | Added
  | { readonly error: { readonly message: string } }

export function meetView(place: Place): void {
  place.main.append(
    heading('Add somebody', h('a', { class: 'button', href: '#/talk' }, 'All contacts')),
    showing(place),
    typing(place),
    own(place),
  )
}

const welcome = ({ name, check_words: words }: Added): HTMLElement[] => [
  note(
    'good',
    `${name} is your contact.`,
    words && ' Both of you see the same words: ',
    words && h('strong', {}, words.join(' ')),
  ),
  h('a', { class: 'button', href: `#/talk/${encodeURIComponent(name)}` }, `Talk to ${name}`),
]

/** A code of ours, for as long as this view is open. */
function showing({ signal }: Place): HTMLElement {
  const into = h('div', { 'aria-live': 'polite' })
  const button = h('button', { type: 'button', class: 'primary' }, 'Show a code')
  const show = (line: Line) => {
    if ('code' in line) replace(into, ...codeOf(line))
    else if ('error' in line) replace(into, note('bad', line.error.message))
    else replace(into, ...welcome(line))
  }
  button.addEventListener('click', async () => {
    button.disabled = true
    replace(into, h('p', { class: 'quiet' }, 'Making a code …'))
    try {
      await tellLines<Line>('/v1/contact-codes', {}, show, { signal })
    } catch (error) {
      if (!signal.aborted) replace(into, note('bad', reasonOf(error)))
    } finally {
      button.disabled = false
    }
  })
  return h(
    'section',
    { class: 'panel form' },
    h('h2', {}, 'Both of you are there: show a code'),
    h('p', {}, 'They type it, and both of you see the same four words.'),
    h('div', { class: 'actions' }, button),
    into,
  )
}

const codeOf = ({ code, minutes }: Extract<Line, { code: string }>): HTMLElement[] => [
  h('p', { class: 'code mono break' }, code),
  copyOf(code),
  h(
    'p',
    { class: 'quiet' },
    `Good once, for ${minutes} minutes, while this page shows it. They type it on their own page, or: box contact add CODE --as NAME`,
  ),
]

const copyOf = (text: string): HTMLElement => {
  const button = h('button', { type: 'button' }, 'Copy')
  button.addEventListener('click', async () => {
    await navigator.clipboard.writeText(text)
    button.textContent = 'Copied'
  })
  return button
}

/** A code or a key of theirs. */
function typing(_place: Place): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const input = (has: object) =>
    h('input', { required: true, autocomplete: 'off', spellcheck: 'false', ...has })
  const given = input({ class: 'mono' })
  const name = input({ maxlength: 63 })
  const button = h('button', { class: 'primary' }, 'Take in')
  const submit = (event: Event) => {
    event.preventDefault()
    void working(button, said, async () => {
      replace(said, h('p', { class: 'quiet' }, 'Looking for them …'))
      const text = given.value.trim()
      const what = ZONE.test(text) ? { key: text.toUpperCase() } : { code: text }
      const added = await tell<Added>('/v1/contacts', { as: name.value.trim(), ...what })
      replace(said, ...welcome(added))
      return null
    })
  }
  return h(
    'form',
    { class: 'panel form', on: { submit } },
    h('h2', {}, 'They have shown you a code, or sent you their key'),
    labelled('Code or key', given),
    labelled('What to call them', name),
    h('div', { class: 'actions' }, button),
    said,
  )
}

/** What others need who take us in by our key. */
function own(place: Place): HTMLElement {
  const into = h('div')
  const get = () => ask<{ id: string }>('/v1/about', { signal: place.signal })
  load(into, place, { doing: 'Asking box up', get }, ({ id }) => [
    h('p', { class: 'mono break' }, id),
    copyOf(id),
  ])
  return h(
    'section',
    { class: 'panel form' },
    h('h2', {}, 'Your key'),
    h(
      'p',
      {},
      'Whoever takes you in by it, and whom you take in by theirs, can talk to you. Nobody has compared words then.',
    ),
    into,
  )
}
