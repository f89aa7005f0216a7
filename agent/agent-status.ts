/** What `box-agent status` tells, as JSON and for people. */

import type { PeerId } from '../src/base/ids.ts'
import { formatAddress } from '../src/base/stream.ts'
import { VERSION } from '../src/base/version.ts'
import type { Grant } from '../src/box/grant.ts'
import { zoneToText } from '../src/gns/name.ts'
import type { MeshStatus } from '../src/mesh/mesh.ts'
import { encodeBase32 } from '../src/wire/base32.ts'
import type { AgentConfig } from './config.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { RoomTraffic } from './room.ts'

export interface AgentStatus {
  readonly running: true
  readonly version: string
  /** Of this process. */
  readonly process: number
  readonly name: string
  readonly device_zone: string
  /** Keys that were given up, until when it answers by them; ISO 8601. */
  readonly device_zones_before: readonly { zone: string; until: string }[]
  /** Of the peer. */
  readonly pid: string
  /** HELLO URL: what others need to use this one as a hub, if it listens. */
  readonly hello: string
  /** Which engine: our own peer, or an installed GNUnet. */
  readonly engine: string
  /** What is behind it, where that is not this program. */
  readonly engine_about: string | null
  /** What is wrong with it, and the cure. */
  readonly troubles: readonly { kind: string; detail: string; cure: string }[]
  readonly hub: boolean
  readonly listen: readonly string[]
  /** Of the hubs of the configuration, how many have a link to us now; and how many there are. */
  readonly hubs: number
  readonly hubs_configured: number
  readonly neighbours: readonly { pid: string; address: string; state: string }[]
  readonly owners: readonly { name: string; zone: string; calls_it: string }[]
  readonly ssh_connections: number
  /** Shells whose connection is lost, and that wait for their owner. */
  readonly kept_shells: number
  /** ISO 8601, or null. */
  readonly pairing_until: string | null
  readonly published_until: string | null
  readonly started_at: string
  /** What was pushed: the generation that holds, what awaits its confirmation, how the last push ended. */
  readonly configuration: ConfigurationStatus | null
  /** That are hosted here. */
  readonly rooms: readonly RoomTraffic[]
}

export interface ConfigurationStatus {
  readonly generation: number
  /** The bundle that made it, and the number that bundle had; empty and 0 before the first push. */
  readonly bundle: string
  readonly version: number
  readonly state: ConfigurationState
  readonly unconfirmed: string | null
  readonly last: string | null
  /** Files that are not as they were confirmed; null where nobody has looked yet. */
  readonly drift: number | null
}

/** `applying` and `waiting` (for its confirmation) are of an open change, the others of how the last one ended. */
export type ConfigurationState = 'none' | 'applying' | 'waiting' | 'confirmed' | 'put_back'

export interface StatusParts {
  readonly config: AgentConfig
  readonly mesh: MeshStatus
  readonly pid: PeerId
  readonly hello: string
  readonly device: Pick<DeviceKeys, 'zone' | 'before'>
  readonly grants: readonly Grant[]
  readonly hubsUp: number
  readonly sessions: number
  readonly keptShells: number
  readonly pairingUntil: number | null
  readonly publishedUntil: number | null
  readonly startedAt: number
  readonly configuration: ConfigurationStatus | null
  readonly rooms: readonly RoomTraffic[]
}

export const agentStatus = (parts: StatusParts): AgentStatus => ({
  running: true,
  version: VERSION,
  process: process.pid,
  name: parts.config.name,
  device_zone: zoneToText(parts.device.zone),
  device_zones_before: parts.device.before().map(({ secret, until }) => ({
    zone: zoneToText(secret.zone),
    until: new Date(until).toISOString(),
  })),
  pid: encodeBase32(parts.pid),
  hello: parts.hello,
  engine: parts.mesh.engine,
  engine_about: parts.mesh.about ?? null,
  troubles: (parts.mesh.troubles ?? []).map(({ kind, detail, cure }) => ({ kind, detail, cure })),
  hub: parts.config.hub,
  listen: parts.config.listen.map(formatAddress),
  hubs: parts.hubsUp,
  hubs_configured: parts.config.hubs.length,
  neighbours: parts.mesh.neighbours.map(({ peer, address, state }) => ({
    pid: encodeBase32(peer),
    address,
    state,
  })),
  owners: parts.grants.map(({ holder, zone, deviceName }) => ({
    name: holder,
    zone: zoneToText(zone),
    calls_it: deviceName,
  })),
  ssh_connections: parts.sessions,
  kept_shells: parts.keptShells,
  pairing_until: timeText(parts.pairingUntil),
  published_until: timeText(parts.publishedUntil),
  started_at: new Date(parts.startedAt).toISOString(),
  configuration: parts.configuration,
  rooms: parts.rooms,
})

const timeText = (ms: number | null): string | null =>
  ms === null ? null : new Date(ms).toISOString()

/** For people with one line of space. */
export function statusLine({ hubs, hubs_configured, owners, ...rest }: AgentStatus): string {
  const neighbours = rest.neighbours.filter(({ state }) => state === 'up').length
  return [
    `hubs ${hubs}/${hubs_configured}`,
    `neighbours ${neighbours}`,
    `owners ${owners.length}`,
    `ssh ${rest.ssh_connections}`,
    ...(rest.pairing_until === null ? [] : ['pairing']),
  ].join(', ')
}

/** For people. */
export function statusText(status: AgentStatus): string {
  const { owners, neighbours } = status
  const up = neighbours.filter(({ state }) => state === 'up').length
  const about = status.engine_about ? [['engine', status.engine_about]] : []
  const troubles = status.troubles.map(({ detail, cure }) => ['trouble', `${detail} ${cure}`])
  const rows = [
    ['device', status.device_zone],
    ...status.device_zones_before.map(({ zone, until }) => ['before', `${zone}, until ${until}`]),
    ['peer', status.pid],
    ...about,
    ...troubles,
    ['owners', owners.map(({ name, calls_it }) => `${name} (as ${calls_it})`).join(', ') || 'none'],
    ['hubs', `${status.hubs} of ${status.hubs_configured} connected`],
    ['neighbours', `${up} connected`],
    ['published', status.published_until ? `until ${status.published_until}` : 'not yet'],
    ['ssh', `${status.ssh_connections} connections${keptText(status.kept_shells)}`],
    ['pairing', status.pairing_until ? `open until ${status.pairing_until}` : 'closed'],
    ...(status.configuration ? [['pushed', configurationText(status.configuration)]] : []),
    ['running', `since ${status.started_at}, process ${status.process}, version ${status.version}`],
    ...(status.listen.length > 0 ? [['hello', status.hello]] : []),
  ]
  return rows.map(([name, value]) => `${name!.padEnd(11)} ${value}`).join('\n')
}

const keptText = (kept: number): string => {
  if (kept === 0) return ''
  return `, ${kept} shell${kept === 1 ? '' : 's'} kept for whoever lost the connection`
}

function configurationText(configuration: ConfigurationStatus): string {
  const { generation, bundle, unconfirmed, last, drift } = configuration
  const holds = generation === 0 ? 'nothing holds' : `generation ${generation} (${bundle}) holds`
  const more = unconfirmed ? `"${unconfirmed}" is not confirmed yet` : last
  return [holds, more, drift ? `${drift} files have drifted` : null].filter(Boolean).join('; ')
}
