/** Letting somebody in on a device: who, what they may, and how far; and the same of a grant that there is, in words. */

import { tell } from './api.ts'
import { h } from './dom.ts'
import { labelled, working } from './views.ts'

export interface Reach {
  readonly scope: Readonly<Record<string, readonly string[] | null>>
  readonly recorded: boolean
  readonly approved: boolean
}

const RIGHTS = ['status', 'shell', 'exec', 'files', 'forward', 'push', 'watch', 'admin'] as const

/** Of each list of a scope: how it is told, and how it is asked for. */
const LISTS = {
  users: { words: 'as', label: 'Only as these users of the device', example: 'www' },
  commands: {
    ...{ words: 'runs', label: 'exec: only these commands; a * at the end stands for plain words' },
    example: 'systemctl status *',
  },
  paths: { words: 'below', label: 'files: only below these directories', example: '/srv' },
  targets: {
    ...{ words: 'to', label: 'forward: only to these HOST:PORT; listen:PORT to be listened on' },
    example: '127.0.0.1:80',
  },
} as const

/** What narrows a grant and what it demands, a line each; none where it is whole. */
export const reachWords = ({ scope, recorded, approved }: Reach): readonly string[] => [
  ...Object.entries(scope).flatMap(([name, values]) => {
    const words = (LISTS as Record<string, { readonly words: string }>)[name]?.words ?? name
    return values === null ? [] : [`${words} ${values.join(', ') || 'nothing'}`]
  }),
  ...(recorded ? ['recorded'] : []),
  ...(approved ? ['with approval'] : []),
]

/** Calls `done` when somebody was let in. */
export function grantForm(path: string, said: HTMLElement, done: () => void): HTMLElement {
  const input = (has: object) => h('input', { autocomplete: 'off', spellcheck: 'false', ...has })
  const person = input({
    required: true,
    pattern: '000G[0-9A-Za-z]{54}',
    title: 'as box id shows it to that person',
  })
  const called = input({ required: true, maxlength: 64 })
  const until = h('input', { type: 'date' })
  const boxes = RIGHTS.map(right => h('input', { type: 'checkbox', value: right }))
  const reach = reachFields()
  const button = h('button', { class: 'primary' }, 'Let in')
  const submit = (event: Event) => {
    event.preventDefault()
    const rights = boxes.filter(({ checked }) => checked).map(({ value }) => value)
    void working(button, said, async () => {
      await tell(`${path}/grants`, {
        ...{ person: person.value, as: called.value, rights, ...reach.value() },
        ...(until.value !== '' && { until: endOf(until.value) }),
      })
      done()
      return `${called.value} may ${rights.join(', ')}.`
    })
  }
  return h(
    'form',
    { class: 'panel form', on: { submit } },
    h('h2', {}, 'Let somebody in'),
    labelled('Their key, as box id shows it to them', person),
    labelled('What to call them', called),
    h(
      'fieldset',
      {},
      h('legend', {}, 'They may'),
      ...RIGHTS.map((right, i) => h('label', { class: 'check' }, boxes[i]!, right)),
    ),
    reach.element,
    labelled('Until the end of (empty: until you end it)', until),
    h('div', { class: 'actions' }, button),
  )
}

/** How far it goes: seldom wanted, and so not in the way. */
function reachFields() {
  const fields = Object.entries(LISTS).map(([name, { label: text, example }]) => {
    const field = h('textarea', {
      ...{ rows: 2, spellcheck: 'false', class: 'mono', placeholder: example },
    })
    return { name, field, element: labelled(`${text}, one a line`, field) }
  })
  const recorded = h('input', { type: 'checkbox' })
  const approved = h('input', { type: 'checkbox' })
  const value = () => ({
    ...Object.fromEntries(
      fields
        .map(({ name, field }) => [name, linesOf(field.value)] as const)
        .filter(([, lines]) => lines.length > 0),
    ),
    ...(recorded.checked && { recorded: true }),
    ...(approved.checked && { approved: true }),
  })
  const element = h(
    'details',
    {},
    h('summary', {}, 'How far that goes'),
    h(
      'div',
      { class: 'form' },
      ...fields.map(({ element }) => element),
      h('label', { class: 'check' }, recorded, 'What they do is recorded on the device'),
      h('label', { class: 'check' }, approved, 'Another person must approve it each time'),
    ),
  )
  return { element, value }
}

/** The end of a day as it is where the page is, in the form that the API has for times. */
function endOf(day: string): string {
  const next = new Date(`${day}T00:00:00`)
  next.setDate(next.getDate() + 1)
  return next.toISOString().replace(/\.\d+Z$/, 'Z')
}

const linesOf = (text: string): readonly string[] =>
  text
    .split('\n')
    .map(line => line.trim())
    .filter(line => line !== '')
