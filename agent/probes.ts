/**
 * What a device knows about itself, as the variables of its status. Everything is read when asked, and takes
 * a millisecond or so; what the machine does not have is left out.
 */

import { readdirSync, readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, networkInterfaces, release, type } from 'node:os'
import { join } from 'node:path'
import { VERSION } from '../src/base/version.ts'
import { type AlertReport, alertVariables, NO_ALERTS } from '../src/box/alert/report.ts'
import type { ClockOffset } from '../src/box/other-clock.ts'
import { toPsycDate } from '../src/psyc/keyword.ts'
import { dictOfValues, listOfValues } from '../src/psyc/list.ts'
import type { ConfigurationStatus } from './agent-status.ts'
import {
  parseInterfaces,
  parseLoad,
  parseMemory,
  parseMounts,
  parseSystemName,
  parseTemperature,
  parseUptime,
} from './proc-text.ts'
import type { ProbeReading } from './script-probes.ts'
import { NO_SERVICES, type ServiceReport } from './watched-services.ts'

/** More than people have; each is a few bytes of every status. */
const DISKS_MAX = 16
const SENSORS_MAX = 16
const INTERFACES_MAX = 32
const ADDRESSES_MAX = 32

/** What is measured; numbers where they are compared before they are sent. */
export interface Figures {
  /** Hundredths. */
  readonly load: number | null
  readonly processors: number
  readonly memory: { readonly total: number; readonly available: number } | null
  /** Bytes, by mount point. */
  readonly disks: ReadonlyMap<string, { readonly total: number; readonly used: number }>
  /** Thousandths of a degree, by sensor. */
  readonly temperatures: ReadonlyMap<string, number>
  /** Milliseconds since 1970. */
  readonly bootedAt: number | null
  readonly addresses: readonly string[]
  readonly interfaces: ReadonlyMap<string, { readonly received: number; readonly sent: number }>
  readonly system: string
  /** What was pushed; null where nothing can be. */
  readonly configuration: ConfigurationStatus | null
  readonly alerts: AlertReport
  /** What programs of the owner's have measured. */
  readonly probes: readonly ProbeReading[]
  /** Those that the owner has named. */
  readonly services: ServiceReport
  /** Ours against that of an owner; null where none has said what time it is. */
  readonly clock: ClockOffset | null
}

/** Where to read: the machine's own root, or a picture of one in tests. */
export interface ProbeOptions {
  readonly root: string
  readonly now: number
  readonly addresses: () => readonly string[]
  /** Of a file system; null where that cannot be said. */
  readonly disk: (path: string) => { readonly total: number; readonly used: number } | null
}

export const ownMachine = (now: number): ProbeOptions => ({
  root: '/',
  now,
  addresses: ownAddresses,
  disk: diskFigures,
})

/** The machine, without what was pushed to it and what its rules say. */
export function measure({ root, now, addresses, disk }: ProbeOptions): Figures {
  const text = (path: string): string => readText(join(root, path)) ?? ''
  const uptimeS = parseUptime(text('proc/uptime'))
  const disks = new Map<string, { total: number; used: number }>()
  for (const where of parseMounts(text('proc/mounts')).slice(0, DISKS_MAX)) {
    const figures = disk(where)
    if (figures && figures.total > 0) disks.set(where, figures)
  }
  const interfaces = parseInterfaces(text('proc/net/dev')).slice(0, INTERFACES_MAX)
  return {
    load: parseLoad(text('proc/loadavg')),
    processors: availableParallelism(),
    memory: parseMemory(text('proc/meminfo')),
    disks,
    temperatures: temperatures(root),
    bootedAt: uptimeS === null ? null : now - uptimeS * 1_000,
    addresses: addresses().slice(0, ADDRESSES_MAX),
    interfaces: new Map(interfaces.map(({ name, received, sent }) => [name, { received, sent }])),
    system: parseSystemName(text('etc/os-release')) ?? `${type()} ${release()}`,
    configuration: null,
    alerts: NO_ALERTS,
    probes: [],
    services: NO_SERVICES,
    clock: null,
  }
}

const encoder = new TextEncoder()

/** The figures as variables; what is not there is not among them. */
export function variablesOf(figures: Figures, name: string): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>()
  const text = (variable: string, value: string | number | null) => {
    if (value !== null && value !== '') all.set(variable, encoder.encode(`${value}`))
  }
  const dict = (variable: string, entries: [string, number][]) => {
    if (entries.length > 0)
      all.set(variable, dictOfValues(entries.map(([key, value]) => [key, `${value}`])))
  }
  const { memory, disks, interfaces, temperatures: heat, bootedAt } = figures
  text('_nick', name)
  text('_version_agent', VERSION)
  text('_version_system', figures.system)
  text('_amount_processors', figures.processors)
  text('_amount_load_hundredths', figures.load)
  text('_amount_memory_total', memory?.total ?? null)
  text('_amount_memory_available', memory?.available ?? null)
  text('_date_boot', bootedAt === null ? null : toPsycDate(bootedAt))
  dict(
    '_dict_disks_total',
    [...disks].map(([where, { total }]) => [where, total]),
  )
  dict(
    '_dict_disks_used',
    [...disks].map(([where, { used }]) => [where, used]),
  )
  dict('_dict_temperatures_thousandths', [...heat])
  dict(
    '_dict_interfaces_received',
    [...interfaces].map(([key, { received }]) => [key, received]),
  )
  dict(
    '_dict_interfaces_sent',
    [...interfaces].map(([key, { sent }]) => [key, sent]),
  )
  const { configuration } = figures
  text('_configuration_state', configuration?.state ?? null)
  text('_amount_configuration_generation', configuration?.generation ?? null)
  text('_configuration_bundle', configuration?.bundle ?? null)
  text('_amount_configuration_version', configuration?.version || null)
  text('_configuration_unconfirmed', configuration?.unconfirmed ?? null)
  text('_configuration_last', configuration?.last ?? null)
  text('_amount_configuration_drift', configuration?.drift ?? null)
  for (const [variable, value] of alertVariables(figures.alerts)) all.set(variable, value)
  for (const [variable, value] of probeVariables(figures.probes)) all.set(variable, value)
  for (const [variable, value] of serviceVariables(figures.services)) all.set(variable, value)
  for (const [variable, value] of clockVariables(figures.clock)) all.set(variable, value)
  if (figures.addresses.length > 0) all.set('_list_addresses', listOfValues(figures.addresses))
  return all
}

function serviceVariables({ readings, fault }: ServiceReport): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>()
  const states = readings.map(({ name, state }): [string, string] => [name, state])
  const since = readings.flatMap(({ name, since }): [string, string][] =>
    since === null ? [] : [[name, toPsycDate(since)]],
  )
  if (states.length > 0) all.set('_dict_services_state', dictOfValues(states))
  if (since.length > 0) all.set('_dict_services_since', dictOfValues(since))
  if (fault !== null) all.set('_services_fault', encoder.encode(fault))
  return all
}

function clockVariables(clock: ClockOffset | null): [string, Uint8Array][] {
  if (!clock) return []
  const { offsetMs, errorMs, comparedAt } = clock
  return [
    ['_amount_clock_offset_milliseconds', encoder.encode(`${Math.round(offsetMs)}`)],
    ['_amount_clock_error_milliseconds', encoder.encode(`${Math.ceil(errorMs)}`)],
    ['_date_clock_compared', encoder.encode(toPsycDate(comparedAt))],
  ]
}

function probeVariables(probes: readonly ProbeReading[]): Map<string, Uint8Array> {
  const all = new Map<string, Uint8Array>()
  if (probes.length > 0) all.set('_list_probes', listOfValues(probes.map(({ name }) => name)))
  const failed = probes.flatMap(({ name, failure }): [string, string][] =>
    failure === null ? [] : [[name, failure]],
  )
  if (failed.length > 0) all.set('_dict_probes_failed', dictOfValues(failed))
  for (const { name, values } of probes)
    for (const [key, value] of values)
      if (value !== '') all.set(`_probe_${name}_${key}`, encoder.encode(value))
  return all
}

/** The thermal zones of sysfs, by their kind; then the sensors of its hwmon, which has those of most PCs and of wireless cards. */
function temperatures(root: string): Map<string, number> {
  const found = thermalZones(root)
  const zones = new Set([...found.keys()].map(plainName))
  const folder = join(root, 'sys/class/hwmon')
  for (const chip of listing(folder).sort()) {
    const name = (readText(join(folder, chip, 'name')) ?? chip).trim()
    // Each thermal zone is there once more, under its kind with other dashes.
    if (zones.has(plainName(name))) continue
    const files = listing(join(folder, chip)).filter(file => /^temp\d+_input$/.test(file))
    for (const file of files.sort((a, b) => Number(a.slice(4, -6)) - Number(b.slice(4, -6)))) {
      const value = parseTemperature(readText(join(folder, chip, file)) ?? '')
      const label = readText(join(folder, chip, file.replace('_input', '_label')))?.trim()
      const called = files.length === 1 && !label ? name : `${name} ${label || file.slice(0, -6)}`
      if (value !== null && found.size < SENSORS_MAX)
        found.set(found.has(called) ? `${called} ${chip}` : called, value)
    }
  }
  return found
}

const plainName = (name: string): string => name.replaceAll(/[-_]/g, '')

function thermalZones(root: string): Map<string, number> {
  const found = new Map<string, number>()
  const folder = join(root, 'sys/class/thermal')
  for (const zone of listing(folder)
    .filter(name => name.startsWith('thermal_zone'))
    .sort()) {
    const value = parseTemperature(readText(join(folder, zone, 'temp')) ?? '')
    const kind = (readText(join(folder, zone, 'type')) ?? zone).trim()
    if (value !== null && found.size < SENSORS_MAX) found.set(found.has(kind) ? zone : kind, value)
  }
  return found
}

function ownAddresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap(list => (list ?? []).filter(({ internal }) => !internal))
    .filter(({ address }) => !address.startsWith('fe80:'))
    .map(({ address }) => address)
    .sort()
}

function diskFigures(path: string): { total: number; used: number } | null {
  try {
    const { blocks, bfree, bsize } = statfsSync(path)
    return { total: blocks * bsize, used: (blocks - bfree) * bsize }
  } catch {
    return null // Not for us to see, or gone since.
  }
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null // The machine does not have it.
  }
}

function listing(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
