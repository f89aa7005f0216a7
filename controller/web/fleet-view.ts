/** All devices in a table: searched, live, each with what wants somebody to look. */

import { alertsOf, fits, stateOf } from './device.ts'
import { h, oncePerFrame, replace, setText } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { FleetTable } from './fleet-table.ts'
import { count } from './text.ts'
import { heading, type Place } from './views.ts'

const TICK_MS = 1_000
const NEEDLE = 'box-search'

export function fleetView({ main, fleet, signal }: Place): void {
  const summary = h('p', { class: 'quiet', role: 'status' })
  const search = h('input', {
    ...{ type: 'search', id: 'search', placeholder: 'name, @tag, is:away, is:alert' },
    ...{ autocomplete: 'off', spellcheck: 'false', value: sessionStorage.getItem(NEEDLE) ?? '' },
  })
  const empty = h('div', { class: 'empty' })
  const table = new FleetTable(fleet, signal)
  const tags = h('div', { class: 'chips', role: 'group', 'aria-label': 'Tags' })
  main.append(
    heading(
      'Devices',
      h('label', { class: 'search', for: 'search' }, h('span', {}, 'Search'), search),
      h('a', { class: 'button', href: '#/upgrade' }, 'Upgrade agents'),
    ),
    ...[tags, summary, table.element, empty],
  )
  let isAll = true
  const arrange = () => {
    isAll = false
    // What comes first comes in pieces: none of them is a fleet.
    const shown = fleet.connection === 'loading' ? [] : wanted(fleet, search.value)
    table.show(shown)
    drawEmpty(empty, fleet, shown.length)
    drawTags(tags, fleet, search.value, choose)
    sum()
  }
  // Not with each change: it is read out to those who do not see it.
  const sum = () => setText(summary, fleet.connection === 'loading' ? '' : summaryOf(fleet, table))
  const soon = oncePerFrame(() => {
    if (signal.aborted) return
    if (isAll) arrange()
    table.draw()
  })
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
    // Of what comes first nothing is shown before all of it is there.
    if (name !== null && fleet.connection === 'loading') return
    const device = name === null ? undefined : fleet.devices.get(name)
    // A search may let it in now, or not any more.
    if (!device || fits(device, search.value) !== table.has(device.name)) isAll = true
    soon()
  }, signal)
  const tick = setInterval(() => {
    table.tick()
    drawTags(tags, fleet, search.value, choose)
    sum()
  }, TICK_MS)
  signal.addEventListener('abort', () => clearInterval(tick), { once: true })
  arrange()
}

const wanted = (fleet: Fleet, search: string) =>
  [...fleet.devices.values()]
    .filter(device => fits(device, search))
    .sort((a, b) => (a.name < b.name ? -1 : 1))

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

function summaryOf({ devices }: Fleet, table: FleetTable): string {
  const all = [...devices.values()]
  if (all.length === 0) return ''
  const here = all.filter(device => stateOf(device) === 'here').length
  const alerts = all.filter(device => alertsOf(device).length > 0).length
  const { size, left } = table
  return [
    size === all.length ? count(all.length, 'device') : `${size} of ${count(all.length, 'device')}`,
    `${here} reachable`,
    ...(alerts > 0 ? [`${alerts} to look at`] : []),
    ...(left > 0 ? [`the last ${left} are not shown: search for them`] : []),
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
