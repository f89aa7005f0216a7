/**
 * The table of devices. Rows are made a few at a time, so that the first are there at once; what changes is drawn
 * in those that are in sight, and once a second in the others, so that it costs little however many there are.
 */

import {
  alertsOf,
  type Device,
  diskShare,
  heat,
  memoryShare,
  STATE_WORDS,
  stateOf,
} from './device.ts'
import { h, onceAtLeisure, setClass, setText } from './dom.ts'
import type { Fleet } from './fleet.ts'
import { age, percent } from './text.ts'
import { deviceLink } from './views.ts'

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
/** The first frame has as many of them as a screen, and no more; this is less than any row is high. */
const ROW_HEIGHT_MIN = 50
/** Of the others, so many at a time, when there is nothing else to do. */
const MADE_AT_ONCE = 24
/** Nobody reads more; a search narrows them. */
const ROWS_MAX = 1_000
/** What is nearly in sight is drawn as well: it is as it is now when it is scrolled to. */
const NEAR = '300px'

interface Row {
  readonly element: HTMLTableRowElement
  readonly cells: readonly HTMLElement[]
  readonly state: HTMLElement
  readonly alerts: HTMLElement
  readonly tags: HTMLElement
  readonly name: string
  /** As it is drawn; each change is another object. */
  device: Device | null
}

export class FleetTable {
  readonly element: HTMLElement
  private readonly fleet: Fleet
  private readonly signal: AbortSignal
  private readonly body = h('tbody')
  private readonly rows = new Map<string, Row>()
  private readonly inSight = new Set<Row>()
  private readonly byElement = new WeakMap<Element, Row>()
  private readonly sight: IntersectionObserver
  private readonly goOn = onceAtLeisure(() => this.signal.aborted || this.arrange(MADE_AT_ONCE))
  private wanted: readonly Device[] = []
  private names: ReadonlySet<string> = new Set()

  constructor(fleet: Fleet, signal: AbortSignal) {
    this.fleet = fleet
    this.signal = signal
    this.element = h('div', {
      ...{ class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Devices' },
    })
    this.element.append(h('table', { class: 'fleet' }, headOf(), this.body))
    this.sight = new IntersectionObserver(entries => this.seen(entries), { rootMargin: NEAR })
    signal.addEventListener('abort', () => this.sight.disconnect(), { once: true })
  }

  /** How many there are in it. */
  get size(): number {
    return this.names.size
  }

  /** How many of them have no row. */
  get left(): number {
    return Math.max(0, this.names.size - ROWS_MAX)
  }

  has(name: string): boolean {
    return this.names.has(name)
  }

  /** These, in this order. */
  show(devices: readonly Device[]): void {
    this.names = new Set(devices.map(({ name }) => name))
    this.wanted = devices.slice(0, ROWS_MAX)
    for (const [name, { element }] of this.rows) {
      if (this.fleet.devices.has(name)) continue
      this.sight.unobserve(element)
      this.rows.delete(name)
    }
    this.element.hidden = devices.length === 0
    this.arrange(Math.ceil(innerHeight / ROW_HEIGHT_MIN))
  }

  /** What has changed in sight. */
  draw(): void {
    for (const row of this.inSight) this.drawIfNew(row)
  }

  /** What changes with time, and out of sight. */
  tick(): void {
    for (const row of this.rows.values()) this.drawIfNew(row)
    for (const row of this.inSight) if (row.device) drawTimes(row, row.device, this.fleet)
  }

  /** Rows that are there already are moved only where they stand elsewhere. */
  private arrange(atOnce: number): void {
    let made = 0
    let at = this.body.firstElementChild
    for (const { name } of this.wanted) {
      let row = this.rows.get(name)
      if (!row) {
        if (made === atOnce) {
          this.goOn()
          return
        }
        made += 1
        row = this.make(name)
      }
      if (row.element === at) at = at.nextElementSibling
      else this.body.insertBefore(row.element, at)
    }
    while (at) {
      const next = at.nextElementSibling
      at.remove()
      at = next
    }
  }

  private make(name: string): Row {
    const row = rowOf(name)
    this.rows.set(name, row)
    this.byElement.set(row.element, row)
    this.drawIfNew(row)
    this.sight.observe(row.element)
    return row
  }

  private seen(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const row = this.byElement.get(target)!
      if (isIntersecting) this.inSight.add(row)
      else this.inSight.delete(row)
      if (!isIntersecting) continue
      this.drawIfNew(row)
      if (row.device) drawTimes(row, row.device, this.fleet)
    }
  }

  private drawIfNew(row: Row): void {
    const device = this.fleet.devices.get(row.name)
    if (!device || device === row.device) return
    row.device = device
    drawRow(row, device, this.fleet)
  }
}

const headOf = (): HTMLElement =>
  h(
    'thead',
    {},
    h('tr', {}, ...COLUMNS.map(text => h('th', { scope: 'col', class: classOf(text) }, text))),
  )

const classOf = (column: string): string => `c-${column.toLowerCase()}`

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
  return { element, cells, state, alerts, tags, name, device: null }
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
function drawTimes({ cells }: Row, device: Device, fleet: Fleet): void {
  const ageMs = fleet.ageOf(device)
  const booted = device.status?.booted_at ?? null
  setText(cells[4]!, booted === null ? '–' : age(Date.now() - ageMs - Date.parse(booted)))
  const seen = device.status === null ? 'never' : device.stale ? `${age(ageMs)} ago` : 'now'
  setText(cells[6]!, seen)
}
