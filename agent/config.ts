/**
 * What can be set, in agent.json in the state directory or on the command line, which wins. Few options,
 * each with a default that is right for a device behind NAT; every error names the file, the field and
 * what is wrong with it.
 */

import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import { type Address, isLoopback } from '../src/base/stream.ts'
import { DEFAULT_ROOTS, pathFault } from '../src/box/bundle/file-path.ts'
import { HUBS_MAX, helloPeer, namesAddress } from '../src/box/device-record.ts'
import { zoneFromText } from '../src/gns/name.ts'
import { MESH_CHOICES, type MeshChoice } from '../src/mesh/mesh.ts'
import { type DeviceRule, readDeviceRules } from './alert-rules.ts'
import { readServiceNames } from './watched-services.ts'

export interface AgentConfig {
  readonly mesh: MeshChoice
  /** The socket of the process that has our peer (`box-agent mesh`); null: this one has it, see `mesh`. */
  readonly meshSocket: string | null
  /** The configuration file of the GNUnet daemon; null: whichever is found. */
  readonly gnunetConf: string | null
  /** How the machine calls itself until an owner calls it something. */
  readonly name: string
  /** Accepts connections and relays for others. */
  readonly hub: boolean
  /** Where connections are accepted; nowhere where empty. */
  readonly listen: readonly Address[]
  /** Where others can dial us, if that is not where we listen. */
  readonly advertise: readonly Address[]
  /** HELLO URLs of the hubs to keep links to. */
  readonly hubs: readonly string[]
  /** The shell of sessions; null: the login shell of whoever runs the agent. */
  readonly shell: string | null
  /** Below which directories pushed configuration may lie. */
  readonly roots: readonly string[]
  /** Keeps configuration for devices that are off, and what people say to those who are away. */
  readonly relay: boolean
  /** How much room files have that a relay keeps for people who are away; 0: it keeps none. */
  readonly relayFilesMegabytes: number
  /** Zones of the relays to ask for what was pushed meanwhile; each is one of the hubs. */
  readonly relays: readonly ZoneKey[]
  /** For how long a shell is kept whose connection was lost; 0: it ends with it. */
  readonly keepShellsMinutes: number
  /** Whose sessions are recorded, beside those whose grant says so: everybody's, or those of these zone keys. */
  readonly record: 'all' | readonly ZoneKey[]
  /** How much room all recordings have, and for how long each is kept. */
  readonly recordMegabytes: number
  readonly recordDays: number
  /** Whether what is typed is recorded too, passwords among it. */
  readonly recordInput: boolean
  /** Where this machine's Prometheus reads metrics, a loopback address; null: nowhere. */
  readonly metrics: Address | null
  /** What its owner wants to be told of. */
  readonly alerts: readonly DeviceRule[]
  /** More rules, which a bundle may push; it need not be there. */
  readonly alertsFile: string
  /** A directory of programs that measure something; null: none. */
  readonly probes: string | null
  /** Services of the machine whose state belongs to the status. */
  readonly services: readonly string[]
  /** More of them, which a bundle may push; it need not be there. */
  readonly servicesFile: string
}

export const CONFIG_FILE = 'agent.json'
/** Below a directory where configuration can be pushed. */
const ALERTS_FILE = '/etc/secushare-box/alerts.json'
const SERVICES_FILE = '/etc/secushare-box/services.json'
/** GNUnet's TCP port: a hub is an ordinary peer. */
const HUB_PORT = 2086
const ADDRESSES_MAX = 8
const ROOTS_MAX = 64
/** More than there are hubs would never answer. */
const RELAYS_MAX = HUBS_MAX
/** Over lunch; a forgotten shell of a grant costs a process and 64 KB so long. */
const KEEP_SHELLS_MINUTES = 30
/** A week: whoever wants more wants tmux. */
const KEEP_SHELLS_MINUTES_MAX = 7 * 24 * 60
/** Hundreds of hours at a terminal, compressed; a router's flash has room for it. */
const RECORD_MEGABYTES = 64
const RECORD_MEGABYTES_MAX = 1_048_576
/** A quarter of a year; whoever must keep them for longer fetches them. */
const RECORD_DAYS = 90
const RECORD_DAYS_MAX = 3_650
const RECORDED_MAX = 64
/** As recordings: what a router's flash has room for. */
const RELAY_FILES_MEGABYTES = 64
const RELAY_FILES_MEGABYTES_MAX = 1_048_576
const PORT_MAX = 0xffff
const FILE_SIZE_MAX = 64 * 1024
const FIELDS = [
  'name',
  'mesh',
  'meshSocket',
  'gnunetConf',
  'hub',
  'listen',
  'advertise',
  'hubs',
  'shell',
  'roots',
  'relay',
  'relayFilesMegabytes',
  'relays',
  'keepShellsMinutes',
  'record',
  'recordMegabytes',
  'recordDays',
  'recordInput',
  'metrics',
  'alerts',
  'alertsFile',
  'probes',
  'services',
  'servicesFile',
] as const
type Field = (typeof FIELDS)[number]

/** What a person has set, not checked yet. */
export type Settings = { readonly [F in Field]?: unknown }

/**
 * The configuration of a state directory, with what the command line says on top. `meshSocket` is where a service
 * lends us its peer: used unless a person has said that this process is to have it; `probes` where a service has them. Throws CONFIG_INVALID, INPUT_INVALID.
 */
export function readConfig(
  directory: string,
  commandLine: Settings,
  surroundings: {
    readonly meshSocket?: string | undefined
    readonly probes?: string | undefined
  } = {},
): AgentConfig {
  const path = join(directory, CONFIG_FILE)
  const file = checkSettings(readFile(path), (field, wrong) => {
    return new BoxError('CONFIG_INVALID', `${path}: ${field} ${wrong}.`)
  })
  const typed = checkSettings(commandLine, (field, wrong) => {
    const option = field
      .replace(/^hubs/, 'hub-url')
      .replace(/[A-Z]/g, upper => `-${upper.toLowerCase()}`)
    return new BoxError('INPUT_INVALID', `--${option} ${wrong}.`)
  })
  const settings = { ...file, ...typed }
  const { name, mesh, gnunetConf, hub, listen, advertise, hubs, shell, roots } = settings
  const { relay, relays, keepShellsMinutes, metrics } = settings
  const isHub = hub ?? false
  const isOwnPeer = Boolean(mesh || isHub || listen || advertise)
  if (settings.meshSocket && isOwnPeer)
    throw new BoxError(
      'CONFIG_INVALID',
      'With meshSocket it is `box-agent mesh` that has the peer and listens: mesh, hub, listen and advertise are told to it.',
    )
  if (mesh === 'gnunet' && (isHub || listen || advertise))
    throw new BoxError(
      'CONFIG_INVALID',
      'With mesh gnunet it is the daemon that listens: hub, listen and advertise are set in its own configuration.',
    )
  return {
    name: name ?? hostname(),
    mesh: mesh ?? 'embedded',
    meshSocket: settings.meshSocket ?? (isOwnPeer ? null : (surroundings.meshSocket ?? null)),
    gnunetConf: gnunetConf ?? null,
    hub: isHub,
    listen: listen ?? (isHub ? [{ host: '::', port: HUB_PORT }] : []),
    advertise: advertise ?? [],
    hubs: hubs ?? [],
    shell: shell ?? null,
    roots: roots ?? DEFAULT_ROOTS,
    relay: relay ?? false,
    relayFilesMegabytes: settings.relayFilesMegabytes ?? RELAY_FILES_MEGABYTES,
    relays: relays ?? [],
    keepShellsMinutes: keepShellsMinutes ?? KEEP_SHELLS_MINUTES,
    record: settings.record ?? [],
    recordMegabytes: settings.recordMegabytes ?? RECORD_MEGABYTES,
    recordDays: settings.recordDays ?? RECORD_DAYS,
    recordInput: settings.recordInput ?? false,
    metrics: metrics ?? null,
    alerts: settings.alerts ?? [],
    alertsFile: settings.alertsFile ?? ALERTS_FILE,
    probes: settings.probes ?? surroundings.probes ?? null,
    services: settings.services ?? [],
    servicesFile: settings.servicesFile ?? SERVICES_FILE,
  }
}

type Complaint = (field: string, wrong: string) => BoxError

/** The settings that are there, each checked. */
function checkSettings(settings: Settings, complain: Complaint): Partial<AgentConfig> {
  const unknown = Object.keys(settings).find(name => !FIELDS.includes(name as Field))
  if (unknown !== undefined)
    throw complain(unknown, `is no setting: there are ${FIELDS.join(', ')}`)
  const present = <T>(field: Field, check: (value: unknown, field: string) => T) =>
    settings[field] === undefined ? {} : { [field]: check(settings[field], field) }
  const { text, path, address, hello, flag, zone, root } = checksWith(complain)
  return {
    ...present('name', (value, field) => checkName(text(value, field), complain)),
    ...present('mesh', (value, field) => {
      const choice = MESH_CHOICES.find(one => one === value)
      if (choice) return choice
      throw complain(field, `is none of ${MESH_CHOICES.join(', ')}`)
    }),
    ...present('meshSocket', path),
    ...present('gnunetConf', path),
    ...present('hub', flag),
    ...present('listen', listOf(address, ADDRESSES_MAX, complain)),
    ...present('advertise', listOf(address, ADDRESSES_MAX, complain)),
    ...present('hubs', listOf(hello, HUBS_MAX, complain)),
    ...present('roots', listOf(root, ROOTS_MAX, complain)),
    ...present('relay', flag),
    ...present(
      'relayFilesMegabytes',
      wholeNumber(0, RELAY_FILES_MEGABYTES_MAX, 'megabytes', complain),
    ),
    ...present('relays', listOf(zone, RELAYS_MAX, complain)),
    ...present('shell', path),
    ...present('keepShellsMinutes', wholeNumber(0, KEEP_SHELLS_MINUTES_MAX, 'minutes', complain)),
    ...present('record', (value, field) =>
      value === 'all' ? value : listOf(zone, RECORDED_MAX, complain)(value, field),
    ),
    ...present('recordMegabytes', wholeNumber(1, RECORD_MEGABYTES_MAX, 'megabytes', complain)),
    ...present('recordDays', wholeNumber(1, RECORD_DAYS_MAX, 'days', complain)),
    ...present('recordInput', flag),
    ...present('metrics', (value, field) => {
      const at = address(value, field)
      if (isLoopback(at.host)) return at
      throw complain(field, 'can be read by other machines: give 127.0.0.1:PORT or [::1]:PORT')
    }),
    ...present('alerts', (value, field) => checkedBy(readDeviceRules, value, field, complain)),
    ...present('alertsFile', path),
    ...present('probes', path),
    ...present('services', (value, field) => checkedBy(readServiceNames, value, field, complain)),
    ...present('servicesFile', path),
  }
}

/** What values of some kind must be like. */
function checksWith(complain: Complaint) {
  const text = (value: unknown, field: string) => checkText(value, field, complain)
  const path = (value: unknown, field: string) => {
    const from = text(value, field)
    if (from.startsWith('/')) return from
    throw complain(field, 'is no path from the root')
  }
  const address = (value: unknown, field: string) => {
    const parsed = parseAddress(text(value, field))
    if (parsed) return parsed
    throw complain(field, 'is no address: 192.0.2.1:2086 and [2001:db8::1]:2086 are')
  }
  const hello = (value: unknown, field: string) => {
    const url = text(value, field)
    try {
      helloPeer(url)
    } catch {
      throw complain(field, 'is no HELLO URL: `box-agent status` on the hub prints it')
    }
    if (namesAddress(url)) return url
    throw complain(field, 'names no address where the hub could be dialled')
  }
  const flag = (value: unknown, field: string) => {
    if (typeof value === 'boolean') return value
    throw complain(field, 'is neither true nor false')
  }
  const zone = (value: unknown, field: string) => {
    try {
      return zoneFromText(text(value, field))
    } catch {
      throw complain(
        field,
        `is no zone key: ${field.startsWith('relays') ? '`box-agent status` on the relay' : '`box id`, or `box grants`,'} prints it`,
      )
    }
  }
  const root = (value: unknown, field: string) => {
    const path = text(value, field)
    const fault = pathFault(path)
    if (fault) throw complain(field, fault)
    return path
  }
  return { text, path, address, hello, flag, zone, root }
}

/** What another file reads too, and then says itself what is wrong. */
function checkedBy<T>(
  read: (value: unknown) => T,
  value: unknown,
  field: string,
  complain: Complaint,
): T {
  try {
    return read(value)
  } catch (error) {
    if (!(error instanceof BoxError)) throw error
    throw complain(field, `is not right: ${error.detail.replace(/\.$/, '')}`)
  }
}

/** `192.0.2.1:2086` or `[2001:db8::1]:2086`; null where it is neither. */
function parseAddress(text: string): Address | null {
  const [, v6, v4, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? v4 ?? ''
  return isIP(host) === (v6 ? 6 : 4) && Number(port) <= PORT_MAX
    ? { host, port: Number(port) }
    : null
}

const listOf =
  <T>(item: (value: unknown, field: string) => T, max: number, complain: Complaint) =>
  (value: unknown, field: string): readonly T[] => {
    if (!Array.isArray(value)) throw complain(field, 'is no list')
    if (value.length > max) throw complain(field, `has more than ${max} entries`)
    return value.map((one, at) => item(one, `${field}[${at}]`))
  }

const wholeNumber =
  (min: number, max: number, of: string, complain: Complaint) =>
  (value: unknown, field: string): number => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
      return value
    throw complain(field, `is no number of ${of} from ${min} to ${max}`)
  }

function checkText(value: unknown, field: string, complain: Complaint): string {
  if (typeof value !== 'string') throw complain(field, 'is no text')
  if (value.length > 0 && !/[\p{Cc}]/u.test(value)) return value
  throw complain(field, value.length === 0 ? 'is empty' : 'has control characters in it')
}

function checkName(name: string, complain: Complaint): string {
  if (new TextEncoder().encode(name).length <= 63 && !/[\p{C}\p{Z}]/u.test(name)) return name
  throw complain('name', 'is too long, or has blanks in it')
}

function readFile(path: string): Settings {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw new BoxError('CONFIG_INVALID', `${path} cannot be read.`, cause)
  }
  if (text.length > FILE_SIZE_MAX) throw new BoxError('CONFIG_INVALID', `${path} is too long.`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new BoxError('CONFIG_INVALID', `${path} is no JSON: ${(cause as Error).message}.`, cause)
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw new BoxError('CONFIG_INVALID', `${path} holds no { … }.`)
  return value
}
