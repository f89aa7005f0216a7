/** Upgrades of agents: releases that are handed over, what they would do to which devices, and how that goes. */

import { ask, reasonOf, tell } from './api.ts'
import { h, replace, setText } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { followSteps, type Step, StepLines, type Told } from './steps.ts'
import { bytes, count } from './text.ts'
import { upload } from './transfer.ts'
import { Transfers } from './transfers.ts'
import {
  backTo,
  deviceLink,
  heading,
  labelled,
  load,
  note,
  type Place,
  table,
  working,
} from './views.ts'

const LOOK_EVERY_MS = 2_000

interface Release {
  readonly id: string
  readonly version: string
  readonly machine: string
  readonly size: number
}

interface Planned {
  readonly name: string
  readonly does: 'upgrade' | 'downgrade' | 'unchanged' | 'offline' | 'refused'
  readonly machine: string | null
  readonly version: string | null
  readonly to: string | null
  readonly gave_way: boolean
  readonly error: { readonly message: string } | null
}

interface Upgraded extends Step {
  readonly version?: string | null
  readonly before?: string | null
}

interface Run {
  readonly running: boolean
  readonly stopping: boolean
  readonly devices: readonly Upgraded[]
}

export function upgradeView(place: Place): void {
  const { main, words, signal } = place
  const [name] = words
  const chosen = new Set<string>()
  const out = h('div', { 'aria-live': 'polite' })
  const stop = stopButton(out)
  const plan = h('button', { type: 'submit' }, 'Show what would happen')
  const begin = h('button', { type: 'button', class: 'primary', hidden: true }, 'Upgrade')
  const [devices, selector] = whichDevices(place.fleet, name ?? '')
  const older = h('input', { type: 'checkbox' })
  const body = () => ({
    ...{ selector: selector.value.trim(), releases: [...chosen], downgrade: older.checked },
  })
  const changed = () => {
    begin.hidden = true
  }
  const submit = (event: Event) => {
    event.preventDefault()
    void working(plan, out, async () => {
      changed()
      const { selector, releases, downgrade } = body()
      if (releases.length === 0) throw new TypeError('none')
      replace(out, h('p', { class: 'quiet' }, 'Asking the devices …'))
      const planned = await tell<{ devices: Planned[] }>('/v1/upgrade/plan', { selector, releases })
      const able = planned.devices.filter(one => isDone(one, downgrade)).length
      replace(out, planOf(planned.devices, downgrade))
      begin.hidden = able === 0
      setText(begin, `Upgrade ${count(able, 'device')}`)
      return null
    })
  }
  begin.addEventListener('click', async () => {
    changed()
    stop.hidden = false
    const first =
      'One device first, then five at a time. It goes on also where you leave this page.'
    await followSteps(out, { path: '/v1/upgrade', body: body(), first }, told)
    stop.hidden = true
  })
  for (const input of [selector, older]) input.addEventListener('input', changed)
  main.append(
    name === undefined ? heading('Upgrade') : heading(`Upgrade: ${name}`, backTo(name)),
    releasesOf(place, chosen, plan, changed),
    h(
      'form',
      { class: 'panel form', on: { submit } },
      h('h2', {}, 'Devices'),
      devices,
      h('label', { class: 'check' }, older, 'Also where it is older than what runs there'),
      h('div', { class: 'actions' }, plan, begin, stop),
    ),
    out,
  )
  plan.disabled = true
  void resume(out, stop, signal)
}

const isDone = ({ does }: Planned, downgrade: boolean): boolean =>
  does === 'upgrade' || (does === 'downgrade' && downgrade)

function whichDevices(fleet: Fleet, value: string): [HTMLElement, HTMLInputElement] {
  const input = h('input', {
    ...{ required: true, autocomplete: 'off', spellcheck: 'false', list: 'selectors', value },
  })
  const tags = new Set([...fleet.devices.values()].flatMap(one => one.tags))
  const all = ['@all', ...[...tags].sort().map(tag => `@${tag}`), ...fleet.devices.keys()]
  const list = h('datalist', { id: 'selectors' }, ...all.map(value => h('option', { value })))
  return [h('div', {}, labelled('A name, @tag, or @all', input), list), input]
}

/** What was handed over, each to be chosen; and handing over another one. */
function releasesOf(
  place: Place,
  chosen: Set<string>,
  plan: HTMLButtonElement,
  changed: () => void,
): HTMLElement {
  const list = h('div')
  const said = h('div', { 'aria-live': 'polite' })
  const transfers = new Transfers()
  const file = h('input', { type: 'file', id: 'release', accept: '.release', multiple: true })
  const show = () => {
    plan.disabled = chosen.size === 0
    changed()
  }
  const again = () => {
    const get = () => ask<{ releases: Release[] }>('/v1/releases', { signal: place.signal })
    load(list, place, { doing: 'Asking box up', get }, ({ releases }) => {
      for (const id of chosen) if (!releases.some(one => one.id === id)) chosen.delete(id)
      show()
      if (releases.length === 0) return [h('p', { class: 'quiet' }, 'None is here yet.')]
      return [table('Releases', ['', 'Version', 'For', 'Size', ''], releases.map(rowOf))]
    })
  }
  const rowOf = ({ id, version, machine, size }: Release) => {
    const what = `${version} for ${machine}`
    const box = h('input', { type: 'checkbox', 'aria-label': `Use ${what}` })
    box.checked = chosen.has(id)
    box.addEventListener('change', () => {
      if (box.checked) chosen.add(id)
      else chosen.delete(id)
      show()
    })
    const away = h('button', { type: 'button', 'aria-label': `Take away ${what}` }, 'Take away')
    away.addEventListener('click', () => {
      void working(away, said, async () => {
        await tell(`/v1/releases/${id}`, {}, { method: 'DELETE' })
        again()
        return ''
      })
    })
    return [box, version, machine, bytes(size).replace(' ', '\u00a0'), away]
  }
  file.addEventListener('change', async () => {
    const files = [...(file.files ?? [])]
    file.value = ''
    for (const one of files)
      await transfers.run(one.name, async options => {
        const answer = await upload('/v1/releases', one, { ...options, method: 'POST' })
        const { id, version, machine } = JSON.parse(answer) as Release
        chosen.add(id)
        return `${version} for ${machine} is whole. Devices look at its signature before they take it.`
      })
    again()
  })
  again()
  return h(
    'section',
    { class: 'panel form' },
    h('h2', {}, 'Releases'),
    h(
      'label',
      { for: 'release' },
      h('span', {}, 'Signed release files, one for each kind of machine'),
      file,
    ),
    ...[transfers.element, list, said],
  )
}

const DOES: Readonly<Record<Planned['does'], string>> = {
  upgrade: 'gets it',
  downgrade: 'has a newer one: nothing happens',
  unchanged: 'has it already',
  offline: 'is off',
  refused: 'refuses',
}

const planOf = (devices: readonly Planned[], downgrade: boolean): HTMLElement =>
  table(
    'What would happen',
    ['Device', 'Machine', 'Runs', 'Would run', ''],
    devices.map(one => [
      deviceLink(one.name),
      one.machine ?? '?',
      one.version ?? '?',
      isDone(one, downgrade) ? one.to! : '–',
      [
        one.does === 'downgrade' && downgrade ? 'goes back to it' : DOES[one.does],
        one.gave_way && 'it gave way there the last time',
        one.error?.message,
      ]
        .filter(Boolean)
        .join('. '),
    ]),
  )

const told: Told<Upgraded> = ({ result, version, before, error }) => {
  switch (result) {
    case 'upgraded':
      return ['good', `${version} has proven itself; before it was ${before}.`]
    case 'unchanged':
      return ['good', `had ${version} already.`]
    case 'gave_way':
      return ['bad', `${version} did not prove itself; ${before} is back.`]
    case 'offline':
      return ['warn', `is off. ${error?.message ?? ''}`]
    case 'stopped':
      return ['quiet', 'stopped; the next time it goes on where it was.']
    case 'not_tried':
      return ['quiet', 'not tried.']
    default:
      return [
        'bad',
        `${result === 'refused' ? 'refused' : 'lost sight of'}. ${error?.message ?? ''}`,
      ]
  }
}

function stopButton(out: HTMLElement): HTMLButtonElement {
  const button = h('button', { type: 'button', class: 'danger', hidden: true }, 'Stop')
  button.addEventListener('click', async () => {
    button.disabled = true
    try {
      await tell('/v1/upgrade/stop', {})
      const means = 'It stops: no other device is begun with. A version on trial is waited for.'
      out.append(note('warn', means))
    } catch (error) {
      out.append(note('bad', reasonOf(error)))
    } finally {
      button.disabled = false
    }
  })
  return button
}

/** Shows an upgrade that goes on already, until it has ended. */
async function resume(out: HTMLElement, stop: HTMLElement, signal: AbortSignal): Promise<void> {
  const state = h('p', { class: 'quiet' }, 'An upgrade goes on.')
  let lines: StepLines<Upgraded> | null = null
  try {
    for (;;) {
      const { upgrade } = await ask<{ upgrade: Run | null }>('/v1/upgrade', { signal })
      if (signal.aborted || (!lines && !upgrade?.running)) return
      if (!lines) {
        replace(out, state)
        lines = new StepLines<Upgraded>(out, told)
        stop.hidden = false
      }
      for (const one of upgrade?.devices ?? []) lines.show(one)
      if (!upgrade?.running) break
      setText(state, upgrade.stopping ? 'An upgrade goes on, and stops.' : 'An upgrade goes on.')
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY_MS))
    }
  } catch (error) {
    if (signal.aborted) return
    out.append(note('bad', reasonOf(error)))
    return
  }
  setText(state, 'The upgrade has ended.')
  stop.hidden = true
}
