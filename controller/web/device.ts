/** A device as the local API tells it, and what of it wants somebody to look. */

import { age } from './text.ts'

export interface Status {
  readonly load: number | null
  readonly processors: number | null
  readonly memory: { readonly total: number; readonly available: number } | null
  readonly disks: Readonly<Record<string, { readonly total: number; readonly used: number }>>
  readonly temperatures: Readonly<Record<string, number>>
  readonly booted_at: string | null
  readonly addresses: readonly string[]
  readonly interfaces: Readonly<Record<string, { received: number; sent: number }>>
  readonly agent_version: string | null
  readonly system: string | null
  readonly configuration: Configuration | null
  readonly services: Readonly<Record<string, Service>>
  readonly services_fault: string | null
  readonly clock: Clock | null
  readonly probes: Readonly<Record<string, Readonly<Record<string, number | string>>>>
  readonly probe_failures: Readonly<Record<string, string>>
  readonly other: Readonly<Record<string, string>>
}

export interface Service {
  readonly state: string
  readonly since: string | null
}

export interface Clock {
  readonly offset_ms: number
  readonly error_ms: number
  readonly compared_at: string | null
}

export interface Configuration {
  readonly state: string
  readonly generation: number | null
  readonly bundle: string | null
  readonly version: number | null
  readonly unconfirmed: string | null
  readonly last: string | null
  readonly drift: number | null
}

export interface Device {
  readonly name: string
  readonly zone: string
  readonly tags: readonly string[]
  readonly paired_at: string
  readonly stale: boolean
  readonly age_ms: number | null
  readonly error: { readonly code: string; readonly message: string } | null
  readonly status: Status | null
  /** Those that fire. */
  readonly alerts: readonly Alert[]
}

export interface Alert {
  readonly rule: string
  readonly value: string
  readonly when: string
  readonly acknowledged: boolean
}

export type State = 'here' | 'away' | 'unknown'

/** `here` is how it is now; `away` how it was; of an `unknown` one nothing was ever heard. */
export const stateOf = ({ stale, status }: Device): State =>
  status === null ? 'unknown' : stale ? 'away' : 'here'

export const STATE_WORDS: Readonly<Record<State, string>> = {
  here: 'reachable',
  away: 'away',
  unknown: 'not heard of yet',
}

/** From here on somebody should look; the rules of deploy/prometheus have the same numbers. */
const DISK_FULL = 0.9
const MEMORY_FULL = 0.95
const HOT_DEGREES = 80
/** Logs of two machines cannot be put side by side any more; names and grants end days early only much later. */
const CLOCK_WRONG_MS = 60_000

export const memoryShare = ({ memory }: Status): number | null =>
  memory && memory.total > 0 ? 1 - memory.available / memory.total : null

/** Of the fullest one. */
export const diskShare = ({ disks }: Status): number | null =>
  highest(Object.values(disks).map(({ used, total }) => (total > 0 ? used / total : 0)))

/** Of the hottest sensor. */
export const heat = ({ temperatures }: Status): number | null =>
  highest(Object.values(temperatures))

const highest = (values: readonly number[]): number | null =>
  values.length === 0 ? null : Math.max(...values)

export const isWell = (state: string): boolean => state === 'running' || state === 'done'

/** By how much the clock is wrong at the very least. */
const clockWrongMs = ({ clock }: Status): number =>
  clock ? Math.max(0, Math.abs(clock.offset_ms) - clock.error_ms) : 0

/** How the clock is to that of an owner, for people. */
export function clockText({ clock }: Status): string {
  if (!clock) return 'not compared yet'
  const { offset_ms: offset, error_ms: error } = clock
  if (Math.abs(offset) <= error) return `right to ${span(error)}`
  return `${span(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}, ± ${span(error)}`
}

const span = (ms: number): string =>
  ms < 1_000 ? `${Math.round(ms)} ms` : ms < 60_000 ? `${(ms / 1_000).toFixed(1)} s` : age(ms)

export const sentenceOf = ({ rule, value, when }: Alert): string => `${rule}: ${value || when}`

/** Short sentences, none where all is well: what the owner's rules say that nobody knows of yet, then what anybody would look at. */
export const alertsOf = ({ status, alerts }: Device): string[] => [
  ...alerts.filter(({ acknowledged }) => !acknowledged).map(sentenceOf),
  ...(status ? worriesOf(status) : []),
]

/** What anybody would look at. */
export function worriesOf(status: Status): string[] {
  const alerts: string[] = []
  for (const [where, { used, total }] of Object.entries(status.disks))
    if (total > 0 && used / total >= DISK_FULL)
      alerts.push(`${where} is ${Math.round((100 * used) / total)} % full`)
  const memory = memoryShare(status)
  if (memory !== null && memory >= MEMORY_FULL) alerts.push('memory is nearly used up')
  const degrees = heat(status)
  if (degrees !== null && degrees >= HOT_DEGREES) alerts.push(`${Math.round(degrees)} °C hot`)
  for (const [name, { state }] of Object.entries(status.services))
    if (!isWell(state)) alerts.push(`${name} is ${state}`)
  const wrongMs = clockWrongMs(status)
  if (wrongMs >= CLOCK_WRONG_MS) alerts.push(`the clock is ${clockText(status)}`)
  const { configuration } = status
  if (configuration?.state === 'put_back') alerts.push('the last push was put back')
  if (configuration?.unconfirmed) alerts.push('a push waits for its confirmation')
  if (configuration?.drift) alerts.push(`drifted: ${configuration.drift}`)
  return alerts
}

/** The words of a search, all of which must fit: `@tag`, `is:away`, `is:alert`, or a part of what it says. */
export function fits(device: Device, search: string): boolean {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean)
  return words.every(word => {
    if (word.startsWith('@')) return device.tags.some(tag => tag.startsWith(word.slice(1)))
    if (word === 'is:alert') return alertsOf(device).length > 0
    if (word.startsWith('is:')) return stateOf(device).startsWith(word.slice(3))
    const { name, tags, status } = device
    const texts = [name, ...tags, status?.system ?? '', ...(status?.addresses ?? [])]
    return texts.some(text => text.toLowerCase().includes(word))
  })
}
