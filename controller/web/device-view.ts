/** One device: how it is and was, what it says about itself, and the ways to what can be done with it. */

import { ask, tell } from './api.ts'
import {
  clockText,
  type Device,
  STATE_WORDS,
  type Status,
  sentenceOf,
  stateOf,
  worriesOf,
} from './device.ts'
import { h, oncePerFrame, replace, setClass, setText } from './dom.ts'
import type { History } from './plots.ts'
import { age, bytes, moment, percent } from './text.ts'
import { heading, load, note, oneField, type Place, table, working } from './views.ts'

const PLOTS_EVERY_MS = 60_000

export function deviceView({ main, words, fleet, signal }: Place): void {
  const [name = ''] = words
  const state = h('p')
  const alerts = h('div')
  const readings = h('section', { 'aria-label': 'Readings' })
  const tags = h('div', { class: 'chips' })
  const plots = h('section', { 'aria-labelledby': 'plots-heading' })
  const path = `#/device/${encodeURIComponent(name)}`
  main.append(
    heading(
      name,
      h(
        'div',
        { class: 'actions' },
        h('a', { class: 'button primary', href: `${path}/terminal` }, 'Terminal'),
        h('a', { class: 'button', href: `${path}/command` }, 'Command'),
        h('a', { class: 'button', href: `${path}/files` }, 'Files'),
        h('a', { class: 'button', href: `${path}/push` }, 'Push'),
        h('a', { class: 'button', href: `${path}/access` }, 'Access and audit'),
        h('a', { class: 'button', href: `${path}/upgrade` }, 'Upgrade'),
      ),
    ),
    ...[state, alerts, tags, readings, plots, settingsOf(name), keysOf(name)],
  )
  let shownTags: string | null = null
  const draw = () => {
    const device = fleet.devices.get(name)
    if (!device) {
      setClass(state, 'quiet')
      const isLoading = fleet.connection === 'loading'
      setText(state, isLoading ? 'Asking box up …' : 'There is no device of this name.')
      return
    }
    drawState(state, device, fleet.ageOf(device))
    showAlerts(alerts, device)
    if (`${device.tags}` !== shownTags) drawTags(tags, device)
    shownTags = `${device.tags}`
    replace(readings, ...readingsOf(device))
  }
  fleet.watch(changed => (changed === null || changed === name) && soon(), signal)
  const soon = oncePerFrame(() => signal.aborted || draw())
  draw()
  showPlots(plots, name, signal)
}

function drawState(into: HTMLElement, device: Device, ageMs: number): void {
  const state = stateOf(device)
  const why = device.error && device.stale ? ` ${device.error.message}` : ''
  const seen = state === 'away' ? `, this is how it was ${age(ageMs)} ago.` : ''
  replace(into, h('span', { class: `state ${state}` }, STATE_WORDS[state]), `${seen}${why}`)
}

/** What fires, each to be taken note of, and what anybody would look at; drawn anew only where it is another. */
function showAlerts(into: HTMLElement, { name, alerts, status }: Device): void {
  const worries = status ? worriesOf(status) : []
  const key = JSON.stringify([alerts, worries])
  if (into.dataset.key === key) return
  into.dataset.key = key
  const path = `/v1/devices/${encodeURIComponent(name)}/alerts/ack`
  const told = alerts.map(alert => {
    const text = sentenceOf(alert)
    if (alert.acknowledged) return note('quiet', `${text} (somebody has taken note of it)`)
    const said = h('span', { 'aria-live': 'polite' })
    const button = h(
      'button',
      { type: 'button', 'aria-label': `Take note of ${alert.rule}` },
      'Take note',
    )
    button.addEventListener('click', () => {
      void working(button, said, async () => {
        await tell(path, { rule: alert.rule })
        return ''
      })
    })
    return h('div', {}, note('warn', text, ' ', button), said)
  })
  replace(into, ...told, ...worries.map(text => note('warn', text)))
}

/** What is done seldom: what it is called here, and that it is in the list at all. */
function settingsOf(name: string): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const path = `/v1/devices/${encodeURIComponent(name)}`
  const rename = oneField('What to call it', 'Rename', said, async to => {
    const renamed = await tell<{ name: string }>(`${path}/rename`, { to })
    location.hash = `#/device/${encodeURIComponent(renamed.name)}`
    return ''
  })
  const forget = h('button', { type: 'button', class: 'danger' }, 'Forget')
  forget.addEventListener('click', () => {
    if (!confirm(`Forget ${name}? It still trusts you, and you would have to pair it again.`))
      return
    void working(forget, said, async () => {
      await tell(path, {}, { method: 'DELETE' })
      location.hash = '#/'
      return null
    })
  })
  const actions = h('div', { class: 'actions' }, forget)
  return h('details', { class: 'panel' }, h('summary', {}, 'Name'), rename, actions, said)
}

/** Other keys for the device, which is not paired again. */
function keysOf(name: string): HTMLElement {
  const said = h('div', { 'aria-live': 'polite' })
  const renew = (key: 'device' | 'host', word: string, means: string) => {
    const button = h('button', { type: 'button', class: 'danger' }, word)
    button.addEventListener('click', () => {
      if (!confirm(`${word} for ${name}? ${means}`)) return
      void working(button, said, async () => {
        const path = `/v1/devices/${encodeURIComponent(name)}/rotate`
        const { zone } = await tell<{ zone: string }>(path, { key })
        return key === 'host' ? `${name} has a new host key.` : `${name} has the key ${zone} now.`
      })
    })
    return h('div', { class: 'key' }, h('p', {}, means), button)
  }
  return h(
    'details',
    { class: 'panel' },
    h('summary', {}, 'Keys'),
    renew(
      ...(['device', 'New zone key'] as const),
      'Its identity becomes another one. Everybody else has 90 days in which they hear of it when they look for the device; after that they would have to pair it again. It cannot be undone.',
    ),
    renew(
      ...(['host', 'New host key'] as const),
      'What SSH knows it by. Your own ssh hears of it by itself; a known_hosts file that was copied elsewhere does not. It cannot be undone.',
    ),
    said,
  )
}

function drawTags(into: HTMLElement, { name, tags }: Device): void {
  const said = h('span')
  const path = `/v1/devices/${encodeURIComponent(name)}/tags`
  const change = (button: HTMLButtonElement, body: object) =>
    void working(button, said, async () => {
      await tell(path, body)
      return ''
    })
  const buttons = tags.map(tag => {
    const button = h(
      'button',
      { type: 'button', 'aria-label': `Take away the tag ${tag}` },
      `@${tag} ×`,
    )
    button.addEventListener('click', () => change(button, { remove: [tag] }))
    return button
  })
  const input = h('input', {
    'aria-label': 'A new tag',
    placeholder: 'new tag',
    size: 10,
    required: true,
  })
  const add = h('button', {}, 'Add')
  const submit = (event: Event) => {
    event.preventDefault()
    change(add, { add: [input.value] })
  }
  replace(into, ...buttons, h('form', { class: 'inline', on: { submit } }, input, add), said)
}

function readingsOf({ status, zone, paired_at }: Device): HTMLElement[] {
  const about: [string, string][] = [
    ['Key', zone],
    ['Taken in', moment(paired_at)],
  ]
  if (!status) return [pairsOf('Device', about)]
  const { load, processors, memory, configuration } = status
  const now: [string, string][] = []
  if (load !== null) now.push(['Load', `${load.toFixed(2)} of ${processors ?? '?'} processors`])
  if (memory)
    now.push(['Memory', `${bytes(memory.total - memory.available)} of ${bytes(memory.total)} used`])
  for (const [where, { total, used }] of Object.entries(status.disks))
    now.push([
      `Disk ${where}`,
      `${bytes(used)} of ${bytes(total)} (${percent(total ? used / total : 0)})`,
    ])
  for (const [where, degrees] of Object.entries(status.temperatures))
    now.push([`Heat, ${where}`, `${degrees.toFixed(1)} °C`])
  if (status.booted_at) now.push(['Started', moment(status.booted_at)])
  now.push(['Clock', clockText(status)])
  about.push(['Agent', status.agent_version ?? '–'], ['System', status.system ?? '–'])
  about.push(...Object.entries(status.other))
  const pushed: [string, string][] = configuration
    ? [
        ['State', configuration.state.replace('_', ' ')],
        ['Generation', `${configuration.generation ?? '–'}`],
        ['Bundle', configuration.bundle ?? '–'],
        ['Waiting', configuration.unconfirmed ?? 'nothing'],
        ['Last change', configuration.last ?? '–'],
        ['Drifted', configuration.drift === null ? 'nobody has looked' : `${configuration.drift}`],
      ]
    : []
  const interfaces = Object.entries(status.interfaces).map(
    ([name, { received, sent }]) => [name, bytes(received), bytes(sent)] as const,
  )
  return [
    h(
      'div',
      { class: 'columns' },
      pairsOf('Now', now),
      pairsOf('Device', about),
      ...(pushed.length > 0 ? [pairsOf('Configuration', pushed)] : []),
      ...servicesOf(status),
      ...probesOf(status),
      h(
        'section',
        {},
        h('h2', {}, 'Network'),
        h('p', { class: 'mono break' }, status.addresses.join(', ') || 'no address is known'),
        table('Interfaces', ['Interface', 'Received', 'Sent'], interfaces),
      ),
    ),
  ]
}

/** Those that the owner has named. */
function servicesOf({ services, services_fault: fault }: Status): HTMLElement[] {
  const all = Object.entries(services).map(([name, { state, since }]) => {
    return [name, since === null ? state : `${state} since ${moment(since)}`] as const
  })
  const pairs = fault === null ? all : [...all, ['Their file', fault] as const]
  return pairs.length > 0 ? [pairsOf('Services', pairs)] : []
}

/** What programs of the owner's have measured, or how they failed. */
function probesOf({ probes, probe_failures }: Status): HTMLElement[] {
  const values = Object.entries(probes).flatMap(([probe, all]) =>
    Object.entries(all).map(([key, value]) => [`${probe} ${key}`, `${value}`] as const),
  )
  const failed = Object.entries(probe_failures).map(([probe, why]) => [probe, why] as const)
  return values.length + failed.length > 0 ? [pairsOf('Probes', [...values, ...failed])] : []
}

const pairsOf = (title: string, pairs: readonly (readonly [string, string])[]): HTMLElement =>
  h(
    'section',
    {},
    h('h2', {}, title),
    h('dl', {}, ...pairs.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)])),
  )

function showPlots(into: HTMLElement, name: string, signal: AbortSignal): void {
  const place = h('div', { class: 'plots' })
  into.append(h('h2', { id: 'plots-heading' }, 'The last hours'), place)
  const get = async () => ({
    history: await ask<History>(`/v1/devices/${encodeURIComponent(name)}/history`, { signal }),
    plots: await import('./plots.ts'),
  })
  const show = () =>
    load(place, { signal }, { doing: 'Asking for the plots', get }, ({ history, plots }) => [
      plots.plotsOf(history, place.clientWidth, signal),
    ])
  show()
  const timer = setInterval(show, PLOTS_EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
  // They are drawn in the colours of the page as it is then.
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show, { signal })
}
