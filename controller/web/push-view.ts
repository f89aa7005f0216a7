/** Configuration: what a bundle would change, bringing it to devices, how that goes; and the way back on each. */

import { ask, tell } from './api.ts'
import { h, replace, setText } from './dom.ts'
import { followSteps, type Step, type Told } from './steps.ts'
import { count } from './text.ts'
import {
  backTo,
  deviceLink,
  heading,
  load,
  note,
  type Place,
  table,
  when,
  working,
} from './views.ts'

const LAST = 'box-bundle'

interface Plan {
  readonly devices: readonly {
    readonly name: string
    readonly error: { readonly message: string } | null
    readonly changes: readonly {
      readonly path: string
      readonly what: string
      readonly lines: readonly string[]
    }[]
  }[]
}

interface PushStep extends Step {
  readonly generation?: number | null
  readonly reason?: string | null
}

interface Generations {
  readonly generations: readonly {
    readonly number: number
    readonly name: string
    readonly at: string
    readonly files: number
    readonly holds: boolean
  }[]
  readonly unconfirmed: string | null
}

const field = (label: string, id: string, has: object): [HTMLElement, HTMLInputElement] => {
  const input = h('input', { id, required: true, autocomplete: 'off', spellcheck: 'false', ...has })
  return [h('label', { for: id }, h('span', {}, label), input), input]
}

export function pushView(place: Place): void {
  const { main, words } = place
  const [name] = words
  const [where, selector] = field('To: a name, @tag, or @all', 'selector', { value: name ?? '' })
  const [what, bundle] = field('Bundle: a directory on the machine of box up', 'bundle', {
    ...{ placeholder: '/home/you/firewall', pattern: '/.+', title: 'a path from the root' },
    value: localStorage.getItem(LAST) ?? '',
  })
  const plan = h('button', { type: 'submit' }, 'Show what would change')
  const push = h('button', { type: 'button', class: 'primary', hidden: true }, 'Push')
  const out = h('div', { 'aria-live': 'polite' })
  const past = h('section', { class: 'panel', hidden: name === undefined })
  const showPast = () => name !== undefined && showGenerations(past, name, place)
  const body = () => ({ selector: selector.value, bundle: bundle.value })
  const submit = (event: Event) => {
    event.preventDefault()
    localStorage.setItem(LAST, bundle.value)
    void working(plan, out, async () => {
      replace(out, h('p', { class: 'quiet' }, 'Asking the devices …'))
      push.hidden = true
      const asked = body()
      const { devices } = await tell<Plan>('/v1/plan', asked)
      if (JSON.stringify(asked) !== JSON.stringify(body())) return ''
      replace(out, ...planOf({ devices }))
      const changed = devices.filter(({ changes }) => changes.length > 0).length
      push.hidden = changed === 0
      setText(push, `Push to ${count(devices.length, 'device')}`)
      return null
    })
  }
  push.addEventListener('click', () => {
    push.hidden = true
    void follow(out, '/v1/push', body()).then(showPast)
  })
  for (const input of [selector, bundle])
    input.addEventListener('input', () => {
      push.hidden = true
    })
  const form = h(
    'form',
    { class: 'panel form', on: { submit } },
    where,
    what,
    h('div', { class: 'actions' }, plan, push),
  )
  main.append(
    name === undefined ? heading('Push') : heading(`Push: ${name}`, backTo(name)),
    form,
    out,
    past,
  )
  showPast()
}

const MARKS: Readonly<Record<string, string>> = {
  new: '+',
  changed: '~',
  removed: '−',
  access: '~',
}

function planOf({ devices }: Plan): HTMLElement[] {
  return devices.map(({ name, error, changes }) =>
    h(
      'section',
      { class: 'panel' },
      h('h2', {}, deviceLink(name)),
      error && note('bad', error.message),
      !error && changes.length === 0 && h('p', { class: 'quiet' }, 'Nothing would change.'),
      ...changes.flatMap(({ path, what, lines }) => [
        h(
          'h3',
          { class: 'mono' },
          `${MARKS[what] ?? '?'} ${path}${what === 'access' ? ' (mode or owner)' : ''}`,
        ),
        lines.length > 0 && diffOf(path, lines),
      ]),
    ),
  )
}

const diffOf = (path: string, lines: readonly string[]): HTMLElement =>
  h(
    'pre',
    { tabindex: 0, role: 'region', 'aria-label': `Differences in ${path}` },
    ...lines.map(line =>
      h(
        'span',
        { class: line.startsWith('+') ? 'added' : line.startsWith('-') ? 'taken' : '' },
        `${line}\n`,
      ),
    ),
  )

const RESULTS: Readonly<Record<string, readonly ['good' | 'warn' | 'bad' | 'quiet', string]>> = {
  confirmed: ['good', 'confirmed'],
  unchanged: ['good', 'had it already'],
  put_back: ['bad', 'put everything back'],
  offline: ['warn', 'is off; it gets it when it is back'],
  refused: ['bad', 'refused'],
  lost: ['bad', 'was lost sight of'],
  not_tried: ['quiet', 'not tried'],
}

const follow = (out: HTMLElement, path: string, body: object): Promise<boolean> =>
  followSteps(out, { path, body, first: 'It goes on also where you leave this page.' }, told)

const told: Told<PushStep> = ({ result, generation, reason, error }) => {
  const [kind, words] = RESULTS[result!] ?? ['warn', result!]
  const number = generation === null || generation === undefined ? '' : `, generation ${generation}`
  const why = reason ?? error?.message
  return [kind, `${words}${number}${why ? `. ${why}` : ''}`]
}

function showGenerations(into: HTMLElement, name: string, place: Place): void {
  const path = `/v1/devices/${encodeURIComponent(name)}`
  const list = h('div')
  const out = h('div', { 'aria-live': 'polite' })
  const get = () => ask<Generations>(`${path}/generations`, { signal: place.signal })
  const again = () =>
    load(list, place, { doing: `Asking ${name}`, get }, ({ generations, unconfirmed }) => [
      unconfirmed !== null && note('warn', `“${unconfirmed}” was pushed and is not confirmed yet.`),
      table(
        'Generations',
        ['', 'Bundle', 'When', 'Files', ''],
        generations.toReversed().map(rowOf),
      ),
    ])
  const rowOf = ({
    number,
    name: bundle,
    at,
    files,
    holds,
  }: Generations['generations'][number]) => {
    const click = () => void follow(out, `${path}/rollback`, { generation: number }).then(again)
    return [
      `${number}`,
      number === 0 ? 'before the first push' : bundle || 'as before the first push',
      number === 0 ? '' : when(at),
      `${files}`,
      holds
        ? h('strong', {}, 'holds')
        : h(
            'button',
            { type: 'button', 'aria-label': `Go back to generation ${number}`, on: { click } },
            'Go back',
          ),
    ]
  }
  replace(into, h('h2', {}, 'What it has been through'), out, list)
  again()
}
