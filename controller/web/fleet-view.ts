/** All devices in a table: searched, live, each with what wants somebody to look. */

import {
  alertsOf,
  type Device,
  diskShare,
  fits,
  heat,
  memoryShare,
  STATE_WORDS,
  stateOf,
} from './device.ts'
import { h, oncePerFrame, replace, setClass, setText } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { age, count, percent } from './text.ts'
import { deviceLink, heading, type Place } from './views.ts'

const COLUMNS = [
  'Device',
  'State',
  'Load',
  'Memory',
  'Disk',
  'Heat',
  'Up',
  'Pushed',
  'Seen',
] as const
const TICK_MS = 1_000
const NEEDLE = 'box-search'

interface Row {
  readonly element: HTMLTableRowElement
  readonly cells: readonly HTMLElement[]
  readonly state: HTMLElement
  readonly alerts: HTMLElement
  readonly tags: HTMLElement
}

export function fleetView({ main, fleet, signal }: Place): void {
  const rows = new Map<string, Row>()
  const body = h('tbody')
  const summary = h('p', { class: 'quiet', role: 'status' })
  const search = h('input', {
    ...{ type: 'search', id: 'search', placeholder: 'name, @tag, is:away, is:alert' },
    ...{ autocomplete: 'off', spellcheck: 'false', value: sessionStorage.getItem(NEEDLE) ?? '' },
  })
  const empty = h('div', { class: 'empty' })
  const grid = h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Devices' })
  const tags = h('div', { class: 'chips', role: 'group', 'aria-label': 'Tags' })
  grid.append(h('table', { class: 'fleet' }, headOf(), body))
  main.append(
    heading(
      'Devices',
      h('label', { class: 'search', for: 'search' }, h('span', {}, 'Search'), search),
    ),
    tags,
    summary,
    grid,
    empty,
  )
  const changed = new Set<string>()
  let isAll = true
  const draw = () => {
    if (isAll) {
      order(fleet, rows, body, search.value)
      const shown = body.childElementCount
      grid.hidden = shown === 0
      drawEmpty(empty, fleet, shown)
    } else for (const name of changed) drawRow(rows.get(name)!, fleet.devices.get(name)!, fleet)
    drawTags(tags, fleet, search.value, choose)
    changed.clear()
    isAll = false
    setText(summary, summaryOf(fleet, body.childElementCount))
  }
  const soon = oncePerFrame(() => signal.aborted || draw())
  const again = () => {
    isAll = true
    soon()
  }
  const choose = (text: string) => {
    search.value = text
    sessionStorage.setItem(NEEDLE, text)
    again()
  }
  search.addEventListener('input', () => choose(search.value))
  fleet.watch(name => {
    // A search may let it in now, or not any more.
    if (name === null || search.value !== '' || !rows.has(name)) isAll = true
    else changed.add(name)
    soon()
  }, signal)
  const tick = setInterval(() => {
    for (const [name, row] of rows) {
      const device = fleet.devices.get(name)
      if (device) drawTimes(row, device, fleet)
    }
  }, TICK_MS)
  signal.addEventListener('abort', () => clearInterval(tick), { once: true })
  draw()
}

const headOf = (): HTMLElement =>
  h(
    'thead',
    {},
    h('tr', {}, ...COLUMNS.map(text => h('th', { scope: 'col', class: classOf(text) }, text))),
  )

const classOf = (column: string): string => `c-${column.toLowerCase()}`

/** Rows that are there already are moved only where they stand elsewhere. */
function order(fleet: Fleet, rows: Map<string, Row>, body: HTMLElement, search: string): void {
  const wanted = [...fleet.devices.values()]
    .filter(device => fits(device, search))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const name of rows.keys()) if (!fleet.devices.has(name)) rows.delete(name)
  let at = body.firstElementChild
  for (const device of wanted) {
    const row = rows.get(device.name) ?? rowOf(device.name)
    rows.set(device.name, row)
    drawRow(row, device, fleet)
    if (row.element === at) at = at.nextElementSibling
    else body.insertBefore(row.element, at)
  }
  while (at) {
    const next = at.nextElementSibling
    at.remove()
    at = next
  }
}

function rowOf(name: string): Row {
  const state = h('span')
  const alerts = h('span', { class: 'alerts' })
  const tags = h('span', { class: 'tags' })
  const cells = COLUMNS.slice(2).map(text => h('td', { class: classOf(text) }))
  const element = h(
    'tr',
    {},
    h('th', { scope: 'row', class: 'c-device' }, deviceLink(name), tags),
    h('td', { class: 'c-state' }, state, alerts),
    ...cells,
  )
  return { element, cells, state, alerts, tags }
}

function drawRow(row: Row, device: Device, fleet: Fleet): void {
  const { status } = device
  const state = stateOf(device)
  setClass(row.element, state)
  setClass(row.state, `state ${state}`)
  setText(row.state, STATE_WORDS[state])
  setText(row.alerts, alertsOf(device).join(', '))
  setText(row.tags, device.tags.map(tag => `@${tag}`).join(' '))
  const share = (value: number | null) => (value === null ? '–' : percent(value))
  const [load, memory, disk, warmth, , pushed] = row.cells
  setText(load!, status?.load?.toFixed(2) ?? '–')
  setText(memory!, share(status && memoryShare(status)))
  setText(disk!, share(status && diskShare(status)))
  const degrees = status && heat(status)
  setText(warmth!, degrees === null ? '–' : `${Math.round(degrees)} °C`)
  const generation = status?.configuration?.generation ?? null
  const isPushed = status?.configuration && status.configuration.state !== 'none'
  setText(pushed!, isPushed && generation !== null ? `generation ${generation}` : '–')
  drawTimes(row, device, fleet)
}

/** What changes by itself. */
function drawTimes(row: Row, device: Device, fleet: Fleet): void {
  const ageMs = fleet.ageOf(device)
  const booted = device.status?.booted_at ?? null
  setText(row.cells[4]!, booted === null ? '–' : age(Date.now() - ageMs - Date.parse(booted)))
  const seen = device.status === null ? 'never' : device.stale ? `${age(ageMs)} ago` : 'now'
  setText(row.cells[6]!, seen)
}

function drawTags(
  into: HTMLElement,
  fleet: Fleet,
  search: string,
  choose: (text: string) => void,
): void {
  const all = [...new Set([...fleet.devices.values()].flatMap(({ tags }) => tags))].sort()
  const key = `${all} ${search}`
  if (into.dataset.key === key) return
  into.dataset.key = key
  into.hidden = all.length === 0
  const focused = document.activeElement?.textContent
  replace(
    into,
    all.map(tag => {
      const isOn = search.trim() === `@${tag}`
      const click = () => choose(isOn ? '' : `@${tag}`)
      return h('button', { type: 'button', 'aria-pressed': `${isOn}`, on: { click } }, `@${tag}`)
    }),
  )
  for (const button of into.children)
    if (button.textContent === focused) (button as HTMLElement).focus()
}

function summaryOf(fleet: Fleet, shown: number): string {
  const all = [...fleet.devices.values()]
  if (all.length === 0) return ''
  const here = all.filter(device => stateOf(device) === 'here').length
  const alerts = all.filter(device => alertsOf(device).length > 0).length
  return [
    shown === all.length
      ? count(all.length, 'device')
      : `${shown} of ${count(all.length, 'device')}`,
    `${here} reachable`,
    ...(alerts > 0 ? [`${alerts} to look at`] : []),
  ].join(' · ')
}

function drawEmpty(into: HTMLElement, { connection, devices }: Fleet, shown: number): void {
  into.hidden = shown > 0
  if (shown > 0) return
  if (devices.size > 0) replace(into, h('p', {}, 'No device fits this search.'))
  else if (connection === 'loading') replace(into, h('p', { class: 'quiet' }, 'Asking box up …'))
  else
    replace(
      into,
      h('h2', {}, 'There is no device yet'),
      h('p', {}, 'On the device, start the agent and ask for a pairing code:'),
      h('pre', {}, "box-agent run --hub-url 'gnunet://hello/…'\nbox-agent pair"),
      h('p', {}, 'Then take it, on this machine. It appears here by itself:'),
      h('pre', {}, 'box pair CODE --as kitchen'),
    )
}
