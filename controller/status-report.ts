/** What a device says about itself, read: as an object for programs, as a line for people. */

import { numberIn } from '../src/box/alert/facts.ts'
import { ALERT_VARIABLES } from '../src/box/alert/report.ts'
import { fromPsycDate, inherits } from '../src/psyc/keyword.ts'
import { elementTexts, entryTexts } from '../src/psyc/texts.ts'
import { table } from './output.ts'
import type { Values } from './status-watch.ts'

export interface StatusReport {
  /** Of the last minute; a number of processors that were busy. */
  readonly load: number | null
  readonly processors: number | null
  /** Bytes. */
  readonly memory: { readonly total: number; readonly available: number } | null
  readonly disks: Readonly<Record<string, { readonly total: number; readonly used: number }>>
  /** Degrees. */
  readonly temperatures: Readonly<Record<string, number>>
  /** ISO 8601. */
  readonly booted_at: string | null
  readonly addresses: readonly string[]
  readonly interfaces: Readonly<Record<string, { received: number; sent: number }>>
  readonly agent_version: string | null
  readonly system: string | null
  /** What was pushed; null where nothing can be, or an older agent does not say. */
  readonly configuration: ConfigurationReport | null
  /** Those that the owner has named, by name. */
  readonly services: Readonly<Record<string, ServiceReport>>
  /** What is wrong with the file that names them; null: nothing. */
  readonly services_fault: string | null
  /** Null where no owner's clock is known there. */
  readonly clock: ClockReport | null
  /** What programs of the owner's have measured, by probe and name; numbers where they are. */
  readonly probes: Readonly<Record<string, Readonly<Record<string, number | string>>>>
  /** Probes that failed, and how. */
  readonly probe_failures: Readonly<Record<string, string>>
  /** Variables that this version does not know. */
  readonly other: Readonly<Record<string, string>>
}

export interface ServiceReport {
  /** `running`, `done`, `starting`, `stopping`, `failed`, `stopped`, `missing`, `unknown`; another word of a newer agent. */
  readonly state: string
  /** ISO 8601. */
  readonly since: string | null
}

export interface ClockReport {
  /** By how much the device's clock is ahead of that of the owner who said last, or best, what time it is. */
  readonly offset_ms: number
  /** By how much that may be wrong. */
  readonly error_ms: number
  readonly compared_at: string | null
}

export interface ConfigurationReport {
  /** `none`, `applying`, `waiting`, `confirmed`, `put_back`; another word of a newer agent. */
  readonly state: string
  readonly generation: number | null
  readonly bundle: string | null
  readonly version: number | null
  /** The bundle that is not confirmed yet. */
  readonly unconfirmed: string | null
  /** How the last change ended, and why. */
  readonly last: string | null
  /** Files that are not as they were confirmed; null where nobody has looked. */
  readonly drift: number | null
}

const decoder = new TextDecoder()
const KNOWN = new Set([
  '_nick',
  '_version_agent',
  '_version_system',
  '_amount_processors',
  '_amount_load_hundredths',
  '_amount_memory_total',
  '_amount_memory_available',
  '_date_boot',
  '_dict_disks_total',
  '_dict_disks_used',
  '_dict_temperatures_thousandths',
  '_dict_interfaces_received',
  '_dict_interfaces_sent',
  '_list_addresses',
  '_configuration_state',
  '_configuration_bundle',
  '_configuration_unconfirmed',
  '_configuration_last',
  '_amount_configuration_generation',
  '_amount_configuration_version',
  '_amount_configuration_drift',
  ...Object.values(ALERT_VARIABLES),
  '_list_probes',
  '_dict_probes_failed',
  '_dict_services_state',
  '_dict_services_since',
  '_services_fault',
  '_amount_clock_offset_milliseconds',
  '_amount_clock_error_milliseconds',
  '_date_clock_compared',
])

/** What does not mean anything is left out: a newer device may say what we do not read. */
export function reportOf(values: Values): StatusReport {
  const text = (name: string): string | null => {
    const value = values.get(name)
    return value ? decoder.decode(value) : null
  }
  const number = (name: string): number | null => asNumber(text(name))
  const dict = (name: string) => numbersOf(values.get(name))
  const total = number('_amount_memory_total')
  const available = number('_amount_memory_available')
  const load = number('_amount_load_hundredths')
  const bootedAt = dateOf(text('_date_boot'))
  const used = dict('_dict_disks_used')
  const sent = dict('_dict_interfaces_sent')
  return {
    load: load === null ? null : load / 100,
    processors: number('_amount_processors'),
    memory: total !== null && available !== null ? { total, available } : null,
    disks: joined(dict('_dict_disks_total'), (key, size) => ({
      total: size,
      used: used.get(key) ?? 0,
    })),
    temperatures: joined(dict('_dict_temperatures_thousandths'), (_, value) => value / 1_000),
    booted_at: bootedAt,
    addresses: textsOf(values.get('_list_addresses')),
    interfaces: joined(dict('_dict_interfaces_received'), (key, received) => ({
      received,
      sent: sent.get(key) ?? 0,
    })),
    agent_version: text('_version_agent'),
    system: text('_version_system'),
    configuration: configurationOf(text, number),
    services: servicesOf(values),
    services_fault: text('_services_fault'),
    clock: clockOf(text, number),
    probes: probesOf(values),
    probe_failures: failuresOf(values),
    other: Object.fromEntries(
      [...values].flatMap(([name, value]) =>
        KNOWN.has(name) || inherits(name, '_probe') ? [] : [[name, decoder.decode(value)]],
      ),
    ),
  }
}

function servicesOf(values: Values): StatusReport['services'] {
  const since = new Map(entryTexts(values.get('_dict_services_since')))
  const states = entryTexts(values.get('_dict_services_state'))
  return Object.fromEntries(
    states.map(([name, state]) => [
      name,
      { state: state ?? 'unknown', since: dateOf(since.get(name) ?? null) },
    ]),
  )
}

function clockOf(
  text: (name: string) => string | null,
  number: (name: string) => number | null,
): ClockReport | null {
  const offset = number('_amount_clock_offset_milliseconds')
  const error = number('_amount_clock_error_milliseconds')
  if (offset === null || error === null) return null
  return { offset_ms: offset, error_ms: error, compared_at: dateOf(text('_date_clock_compared')) }
}

/** ISO 8601; null of what is no date, or none that a calendar has. */
function dateOf(text: string | null): string | null {
  const at = fromPsycDate(text ?? '')
  const date = at === null ? null : new Date(at)
  return date && !Number.isNaN(date.getTime()) ? date.toISOString() : null
}

function probesOf(values: Values): StatusReport['probes'] {
  // The longest first: a probe "ups" and one "ups_cellar" have values that begin alike.
  const names = textsOf(values.get('_list_probes')).toSorted((a, b) => b.length - a.length)
  const found = new Map<string, [string, number | string][]>(names.map(name => [name, []]))
  for (const [variable, value] of values) {
    const name = names.find(one => inherits(variable, `_probe_${one}`))
    const text = decoder.decode(value)
    const number = numberIn(text)
    // A version "1.10" is no number, for it would not be written so.
    const isNumber = number !== null && `${number}` === text
    if (name !== undefined)
      found.get(name)!.push([variable.slice(`_probe_${name}_`.length), isNumber ? number : text])
  }
  return Object.fromEntries(
    [...found].map(([name, entries]) => [name, Object.fromEntries(entries)]),
  )
}

function failuresOf(values: Values): StatusReport['probe_failures'] {
  const entries = entryTexts(values.get('_dict_probes_failed'))
  return Object.fromEntries(entries.map(([name, why]) => [name, why ?? '']))
}

/** What there is no column for, for people: a line for each service and probe, and one about the clock. */
export const detailLines = (report: StatusReport, now: number): string[] => [
  ...serviceLines(report, now),
  ...clockLines(report),
  ...probeLines(report),
]

function serviceLines({ services, services_fault: fault }: StatusReport, now: number): string[] {
  const lines = Object.entries(services).map(([name, { state, since }]) => {
    const long = since === null ? '' : ` for ${age(Math.max(0, now - Date.parse(since)))}`
    return `${name}: ${state}${long}`
  })
  return fault === null ? lines : [...lines, `services: ${fault}`]
}

function clockLines({ clock }: StatusReport): string[] {
  if (!clock) return []
  const { offset_ms: offset, error_ms: error } = clock
  if (Math.abs(offset) <= error) return [`clock: right, as far as is known (to ${span(error)})`]
  return [`clock: ${span(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}, ± ${span(error)}`]
}

/** A short length of time, exactly; a long one as people say it. */
const span = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : age(ms)

/** What is not as it should be; null where no services are named. */
function servicesText({ services }: StatusReport): string | null {
  const all = Object.entries(services)
  if (all.length === 0) return null
  const wrong = all.filter(([, { state }]) => !isWell(state))
  const [first] = wrong
  if (!first) return `${all.length} run`
  return wrong.length === 1 ? `${first[0]} ${first[1].state}` : `${wrong.length} do not run`
}

/** Whether nobody has to look at it. */
export const isWell = (state: string): boolean => state === 'running' || state === 'done'

function probeLines({ probes, probe_failures }: StatusReport): string[] {
  const names = [...new Set([...Object.keys(probes), ...Object.keys(probe_failures)])].sort()
  return names.map(name => {
    const values = Object.entries(probes[name] ?? {}).map(([key, value]) => `${key} ${value}`)
    const failure = probe_failures[name]
    return `${name}: ${failure === undefined ? values.join(', ') : `failed: ${failure}`}`
  })
}

function configurationOf(
  text: (name: string) => string | null,
  number: (name: string) => number | null,
): ConfigurationReport | null {
  const state = text('_configuration_state')
  if (state === null) return null
  return {
    state,
    generation: number('_amount_configuration_generation'),
    bundle: text('_configuration_bundle'),
    version: number('_amount_configuration_version'),
    unconfirmed: text('_configuration_unconfirmed'),
    last: text('_configuration_last'),
    drift: number('_amount_configuration_drift'),
  }
}

export const HEADINGS = [
  ...['NAME', 'LOAD', 'MEMORY', 'DISK', 'TEMP', 'UP', 'SERVICES', 'PUSHED', 'AGENT'],
  ...['ALERTS', 'SEEN'],
] as const

/** The lines of devices under their headings; without the services where none are named on any. */
export function statusTable(rows: readonly (readonly string[])[]): string[] {
  const at = HEADINGS.indexOf('SERVICES')
  const isSpoken = rows.some(cells => cells[at] !== '-')
  const all: (readonly string[])[] = [HEADINGS, ...rows]
  return table(all.map(cells => cells.filter((_, i) => isSpoken || i !== at)))
}

/** The cells of a line, but for the alerts; `ageMs` null: it is so now. */
export function cellsOf(
  name: string,
  report: StatusReport | null,
  ageMs: number | null,
  now: number,
): string[] {
  const seen = ageMs === null ? 'now' : `stale, ${age(ageMs)} ago`
  if (!report) return [name, '-', '-', '-', '-', '-', '-', '-', '-', 'never']
  const { load, memory, disks, temperatures, booted_at, agent_version } = report
  const fullest = Math.max(...Object.values(disks).map(({ used, total }) => used / total))
  const hottest = Math.max(...Object.values(temperatures))
  return [
    name,
    load?.toFixed(2) ?? '-',
    memory ? percent(1 - memory.available / memory.total) : '-',
    Number.isFinite(fullest) ? percent(fullest) : '-',
    Number.isFinite(hottest) ? `${Math.round(hottest)} °C` : '-',
    booted_at === null ? '-' : age(Math.max(0, now - (ageMs ?? 0) - Date.parse(booted_at))),
    servicesText(report) ?? '-',
    pushedText(report.configuration),
    agent_version ?? '-',
    seen,
  ]
}

/** The generation that holds, and what somebody should look at. */
function pushedText(configuration: ConfigurationReport | null): string {
  if (!configuration || configuration.state === 'none') return '-'
  const { state, generation, drift } = configuration
  const words = [
    ...(state === 'confirmed' ? [] : [state.replace('_', ' ')]),
    ...(drift ? [`${drift} drifted`] : []),
  ]
  return [`${generation ?? '?'}`, ...words].join(', ')
}

const percent = (share: number): string => `${Math.round(100 * share)} %`

/** A length of time in its two largest units. */
export function age(ms: number): string {
  const seconds = Math.floor(ms / 1_000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return `${hours} h ${minutes % 60} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

const asNumber = (text: string | null): number | null =>
  text !== null && /^-?\d{1,15}$/.test(text) ? Number(text) : null

function numbersOf(value: Uint8Array | undefined): Map<string, number> {
  const found = new Map<string, number>()
  for (const [key, text] of entryTexts(value)) {
    const number = asNumber(text)
    if (number !== null) found.set(key, number)
  }
  return found
}

const textsOf = (value: Uint8Array | undefined): string[] =>
  elementTexts(value).filter(text => text !== null)

const joined = <T>(
  numbers: ReadonlyMap<string, number>,
  make: (key: string, value: number) => T,
): Record<string, T> =>
  Object.fromEntries([...numbers].map(([key, value]) => [key, make(key, value)]))
