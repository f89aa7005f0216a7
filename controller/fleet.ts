/**
 * The devices of this controller: name, zone, tags, and what each published when it was last asked.
 *
 * Several `box` commands may run at once: each change reads the list again under the lock of the state
 * directory and replaces it as a whole. Names are labels of the ego's zone, so they follow the rules of GNS.
 */

import { equalBytes } from '../src/base/bytes.ts'
import { BoxError } from '../src/base/errors.ts'
import type { ZoneKey } from '../src/base/ids.ts'
import {
  type DeviceRecord,
  formatDeviceRecord,
  parseDeviceRecord,
} from '../src/box/device-record.ts'
import { normaliseLabel, zoneFromText, zoneToText } from '../src/gns/name.ts'
import type { State } from './state.ts'

/** More than one person looks after; a list that large is a mistake or an attack. */
const DEVICES_MAX = 10_000
const TAGS_MAX = 32
/** As many as a device keeps. */
const ZONES_BEFORE_MAX = 8
export const FLEET_FILE = 'fleet'
/** What OpenSSH reads: the host key of each device whose key was seen. */
export const KNOWN_HOSTS_FILE = 'known_hosts'

export interface Device {
  /** A label of the ego's zone. */
  readonly name: string
  readonly zone: ZoneKey
  /** Those it had before this one, the latest last: what was signed for them is for this device. */
  readonly before?: readonly ZoneKey[]
  readonly tags: readonly string[]
  /** Milliseconds since 1970. */
  readonly pairedAt: number
  readonly last: LastKnown | null
}

/** Where the device was, as it said itself; tried at once while the fresh answer is on its way. */
export interface LastKnown {
  readonly record: DeviceRecord
  /** The blob of its SSH host key, once seen and found to be the one in the record. */
  readonly hostKey: Uint8Array | null
  /** Milliseconds since 1970. */
  readonly at: number
}

/** All zones of a device, the one of today first. */
export const zonesOf = ({ zone, before = [] }: Device): readonly ZoneKey[] => [
  zone,
  ...before.toReversed(),
]

/** Whether this is, or was, the zone of the device. */
export const hasZone = (device: Device, zone: ZoneKey): boolean =>
  zonesOf(device).some(one => equalBytes(one, zone))

export class Fleet {
  private readonly state: State
  /** Read once: a `box up` is asked for its devices with every command on each of them. */
  private known: { readonly text: string; readonly devices: readonly Device[] } | null = null

  constructor(state: State) {
    this.state = state
  }

  /** All devices. Throws STATE_UNREADABLE. */
  devices(): readonly Device[] {
    const text = this.state.readText(FLEET_FILE)
    if (text === null) return []
    try {
      if (this.known?.text !== text) this.known = { text, devices: parse(JSON.parse(text)) }
      return this.known.devices
    } catch (cause) {
      throw new BoxError(
        'STATE_UNREADABLE',
        `The list of devices (${FLEET_FILE}) is damaged.`,
        cause,
      )
    }
  }

  /** Throws DEVICE_UNKNOWN. */
  device(name: string): Device {
    const label = nameOf(name)
    const found = this.devices().find(device => device.name === label)
    if (found) return found
    throw new BoxError('DEVICE_UNKNOWN', `"${label}" is not among your devices: see box ls.`)
  }

  /** Takes a device in, in place of what was known of the same zone. Throws NAME_TAKEN. */
  async add(device: Device): Promise<void> {
    await this.change(devices => {
      const others = devices.filter(({ zone }) => !equalBytes(zone, device.zone))
      mustBeFree(others, device.name)
      if (others.length >= DEVICES_MAX)
        throw new BoxError('INPUT_INVALID', `There are ${DEVICES_MAX} devices already.`)
      return [...others, device]
    })
  }

  /** Throws DEVICE_UNKNOWN, NAME_TAKEN. */
  async rename(name: string, to: string): Promise<Device> {
    const label = nameOf(to)
    return await this.replace(name, (device, devices) => {
      if (label !== device.name) mustBeFree(devices, label)
      return { ...device, name: label }
    })
  }

  /** Throws DEVICE_UNKNOWN. */
  async tag(name: string, add: readonly string[], remove: readonly string[]): Promise<Device> {
    return await this.replace(name, device => {
      const tags = new Set(device.tags)
      for (const tag of remove) tags.delete(tagOf(tag))
      for (const tag of add) tags.add(tagOf(tag))
      if (tags.size > TAGS_MAX)
        throw new BoxError('INPUT_INVALID', `A device has at most ${TAGS_MAX} tags.`)
      return { ...device, tags: [...tags].sort() }
    })
  }

  /** Throws DEVICE_UNKNOWN. */
  async remove(name: string): Promise<Device> {
    const gone = this.device(name)
    await this.change(devices => devices.filter(({ zone }) => !equalBytes(zone, gone.zone)))
    return gone
  }

  /** Keeps where a device was. Does nothing where the device has been removed meanwhile. */
  async remember(zone: ZoneKey, last: LastKnown): Promise<void> {
    await this.change(devices =>
      devices.map(device => {
        if (!hasZone(device, zone)) return device
        const hostKey = last.hostKey ?? keptHostKey(device, last)
        return { ...device, last: { ...last, hostKey } }
      }),
    )
  }

  /**
   * A device has another key from now on. `beside` is done first, under the same lock. False where no device has the
   * key before: it was heard of already, or the device is none of ours any more.
   */
  async succeed(before: ZoneKey, after: ZoneKey, beside: () => void): Promise<boolean> {
    let isNew = false
    await this.change(devices => {
      const device = devices.find(({ zone }) => equalBytes(zone, before))
      // Nothing leads back to a key that was given up, nor to one of another device.
      isNew = device !== undefined && !devices.some(one => hasZone(one, after))
      if (!device || !isNew) return devices
      beside()
      const zones = [...(device.before ?? []), device.zone].slice(-ZONES_BEFORE_MAX)
      return devices.map(one => (one === device ? { ...one, zone: after, before: zones } : one))
    })
    return isNew
  }

  private async replace(
    name: string,
    edit: (device: Device, devices: readonly Device[]) => Device,
  ): Promise<Device> {
    const { zone } = this.device(name)
    let edited: Device | undefined
    await this.change(devices =>
      devices.map(device => {
        if (!equalBytes(device.zone, zone)) return device
        edited = edit(device, devices)
        return edited
      }),
    )
    return edited ?? this.device(name)
  }

  private async change(edit: (devices: readonly Device[]) => readonly Device[]): Promise<void> {
    await this.state.exclusively(() => {
      const devices = edit(this.devices())
      this.state.writeText(FLEET_FILE, format(devices))
      this.state.writeText(KNOWN_HOSTS_FILE, knownHosts(devices))
    })
  }
}

/** A device's name: one label of a zone. Throws NAME_INVALID. */
export function nameOf(text: string): string {
  const label = normaliseLabel(text)
  if (/^[\p{L}\p{N}_][\p{L}\p{M}\p{N}_-]*$/u.test(label)) return label
  throw new BoxError('NAME_INVALID', 'A device is named by letters, digits, "-" and "_".')
}

function tagOf(text: string): string {
  const tag = text.normalize('NFC').toLowerCase()
  if (/^[\p{L}\p{N}_][\p{L}\p{N}_.-]{0,62}$/u.test(tag)) return tag
  throw new BoxError(
    'NAME_INVALID',
    `"${text}" is no tag: letters, digits, "-", "_" and "." make one.`,
  )
}

function mustBeFree(devices: readonly Device[], name: string): void {
  if (devices.some(device => device.name === name))
    throw new BoxError('NAME_TAKEN', `Another device is called "${name}".`)
}

const format = (devices: readonly Device[]): string =>
  `${JSON.stringify(
    {
      version: 1,
      devices: devices.map(({ zone, before = [], last, ...rest }) => ({
        ...rest,
        zone: zoneToText(zone),
        ...(before.length > 0 && { before: before.map(zoneToText) }),
        last: last && {
          at: last.at,
          record: formatDeviceRecord(last.record),
          hostKey: last.hostKey && toBase64(last.hostKey),
        },
      })),
    },
    null,
    1,
  )}\n`

/** A host key outlives a change of hubs, but not a change of its fingerprint. */
function keptHostKey({ last }: Device, { record }: LastKnown): Uint8Array | null {
  return last && equalBytes(last.record.hostKey, record.hostKey) ? last.hostKey : null
}

const knownHosts = (devices: readonly Device[]): string =>
  devices
    .flatMap(({ name, last }) =>
      last?.hostKey ? [`${name}.box ssh-ed25519 ${toBase64(last.hostKey)}\n`] : [],
    )
    .join('')

const toBase64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** Throws where anything is not as `format` writes it. */
function parse(value: unknown): readonly Device[] {
  const { version, devices } = value as { version: unknown; devices: unknown[] }
  if (version !== 1 || devices.length > DEVICES_MAX) throw new TypeError('not a list of devices')
  return devices.map(entry => {
    const { name, zone, before, tags, pairedAt, last } = entry as Record<keyof Device, unknown>
    if (!Array.isArray(before ?? [])) throw new TypeError('not a device')
    if (!Array.isArray(tags) || typeof pairedAt !== 'number') throw new TypeError('not a device')
    return {
      name: nameOf(name as string),
      zone: zoneFromText(zone as string),
      ...(before !== undefined && { before: (before as string[]).map(zoneFromText) }),
      tags: tags.map(tagOf),
      pairedAt,
      last: lastKnown(last),
    }
  })
}

/** A record that this version cannot read is worth no more than none. */
function lastKnown(value: unknown): LastKnown | null {
  if (value === null) return null
  const { record, hostKey, at } = value as Record<keyof LastKnown, unknown>
  if (typeof record !== 'string' || typeof at !== 'number') throw new TypeError('not a record')
  try {
    const blob =
      typeof hostKey === 'string' ? Uint8Array.from(Buffer.from(hostKey, 'base64')) : null
    return { record: parseDeviceRecord(record), hostKey: blob, at }
  } catch {
    return null
  }
}
