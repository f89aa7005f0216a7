/** What every view is given, and the parts that several of them show. */

import { reasonOf } from './api.ts'
import { type Children, h, replace } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { moment } from './text.ts'

export interface Place {
  /** Where the view is; it is empty. */
  readonly main: HTMLElement
  /** The words of the address behind the name of the view. */
  readonly words: readonly string[]
  readonly fleet: Fleet
  /** Aborted when another view takes its place. */
  readonly signal: AbortSignal
}

export type View = (place: Place) => void

/** The heading of a view, which says where one is when it is entered. */
export function heading(title: string, ...beside: Children): HTMLElement {
  document.title = `${title} – secushare BOX`
  return h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, title), ...beside)
}

export const note = (kind: 'bad' | 'warn' | 'good' | 'quiet', ...children: Children): HTMLElement =>
  h('p', { class: `note ${kind}`, role: kind === 'bad' ? 'alert' : 'status' }, ...children)

/** Shows what is asked for; meanwhile that it is; and what went wrong, with a way to try again. */
export function load<T>(
  into: HTMLElement,
  { signal }: Pick<Place, 'signal'>,
  { doing, get }: { readonly doing: string; readonly get: () => Promise<T> },
  show: (value: T) => Children,
): void {
  const begin = async () => {
    replace(into, h('p', { class: 'quiet', role: 'status' }, `${doing} …`))
    into.setAttribute('aria-busy', 'true')
    try {
      const value = await get()
      if (!signal.aborted) replace(into, ...show(value))
    } catch (error) {
      if (signal.aborted) return
      const again = h('button', { type: 'button', on: { click: () => void begin() } }, 'Try again')
      replace(into, note('bad', reasonOf(error)), again)
    } finally {
      into.removeAttribute('aria-busy')
    }
  }
  void begin()
}

/** Holds the button while it works, and says how it ended; null: that is said already. */
export async function working(
  button: HTMLButtonElement,
  said: HTMLElement,
  work: () => Promise<string | null>,
): Promise<void> {
  button.disabled = true
  try {
    const text = await work()
    if (text !== null) replace(said, text === '' ? null : note('good', text))
  } catch (error) {
    replace(said, note('bad', reasonOf(error)))
  } finally {
    button.disabled = false
  }
}

/** A line to say something in; what could not be said stays in it. `beside` stands behind its button. */
export function sayForm(
  where: string,
  say: (text: string) => Promise<unknown>,
  beside: HTMLElement,
): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const input = h('input', {
    ...{ 'aria-label': `Say something in ${where}`, autocomplete: 'off', required: true },
    maxlength: 4_000,
  })
  const submit = (event: Event) => {
    event.preventDefault()
    const text = input.value
    if (text.trim() === '') return
    input.value = ''
    say(text).then(
      () => replace(said),
      error => {
        // It is not lost: whoever has typed it can send it again.
        if (input.value === '') input.value = text
        replace(said, note('bad', reasonOf(error)))
      },
    )
  }
  const button = h('button', { class: 'primary' }, 'Say')
  return h('div', {}, said, h('form', { class: 'say', on: { submit } }, input, button, beside))
}

/** A field with what it is for. */
export const labelled = (text: string, field: HTMLElement): HTMLElement =>
  h('label', {}, h('span', {}, text), field)

/** One thing that is told, and done at once. */
export function oneField(
  label: string,
  verb: string,
  said: HTMLElement,
  done: (text: string) => Promise<string>,
): HTMLElement {
  const input = h('input', { required: true, autocomplete: 'off', maxlength: 63 })
  const button = h('button', {}, verb)
  const submit = (event: Event) => {
    event.preventDefault()
    void working(button, said, () => done(input.value.trim()))
  }
  return h('form', { class: 'inline', on: { submit } }, labelled(label, input), button)
}

/** A table that can be scrolled by keyboard where it is wider than its place. */
export const table = (
  label: string,
  headings: readonly string[],
  rows: readonly (readonly (string | Node)[])[],
): HTMLElement =>
  h(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label },
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...headings.map(text => h('th', { scope: 'col' }, text)))),
      h('tbody', {}, ...rows.map(cells => h('tr', {}, ...cells.map(cell => h('td', {}, cell))))),
    ),
  )

/** In a table: never broken into lines of a word each. */
export const when = (iso: string): HTMLElement => h('time', { datetime: iso }, moment(iso))

/** Where one came from, for whoever goes by keyboard or has no other way. */
export const backTo = (name: string): HTMLElement =>
  h('a', { class: 'button', href: `#/device/${encodeURIComponent(name)}` }, 'Back')

export const deviceLink = (name: string): HTMLElement =>
  h('a', { href: `#/device/${encodeURIComponent(name)}` }, name)
