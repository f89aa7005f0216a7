/**
 * What the agent tells Prometheus: how it is itself, what its mesh does, how the machine is. Everything is
 * looked up when somebody asks, so it costs nothing while nobody does; how much it is has limits.
 */

import { VERSION } from '../src/base/version.ts'
import { numberIn } from '../src/box/alert/facts.ts'
import type { MeshStatus } from '../src/mesh/mesh.ts'
import { type Metric, type Sample, single } from '../src/wire/prometheus.ts'
import type { AgentStatus } from './agent-status.ts'
import type { Figures } from './probes.ts'
import { SERVICE_STATES } from './service-states.ts'

/** Names of counters are constants of the program; this many are never reached. */
const EVENTS_MAX = 512
const NEIGHBOUR_STATES = ['connecting', 'up'] as const
const TUNNEL_STATES = ['searching', 'connecting', 'keying', 'up'] as const

/** Counters of the mesh that are no counts of events: sizes as they are now, and sums of bytes. */
export const NOT_EVENTS: Readonly<Record<string, readonly [string, Metric['type'], string]>> = {
  'cadet.tunnels': ['box_cadet_tunnels', 'gauge', 'Tunnels of CADET.'],
  'cadet.connections': ['box_cadet_connections', 'gauge', 'Connections of CADET that end here.'],
  'cadet.routes': ['box_cadet_routes', 'gauge', 'Connections relayed for others.'],
  'cadet.relay_waiting_bytes': ['box_relay_waiting_bytes', 'gauge', 'Held for slow next hops.'],
  'cadet.relayed_bytes': ['box_relayed_bytes_total', 'counter', 'Relayed for others.'],
  'core.neighbours': ['box_core_neighbours', 'gauge', 'Neighbours with an encrypted link.'],
  'dht.neighbours': ['box_dht_neighbours', 'gauge', 'Neighbours in the routing table of the DHT.'],
  'dht.pending': ['box_dht_pending', 'gauge', 'Questions of others that wait for answers.'],
  'dht.searches': ['box_dht_searches', 'gauge', 'Questions of our own under way.'],
  'dht.stored_blocks': ['box_dht_stored_blocks', 'gauge', 'Blocks kept for the DHT.'],
  'dht.stored_bytes': ['box_dht_stored_bytes', 'gauge', 'Size of the blocks kept for the DHT.'],
  'transport.peers_known': ['box_transport_peers_known', 'gauge', 'Peers whose address is known.'],
  'transport.sessions': ['box_transport_sessions', 'gauge', 'Connections to other peers.'],
}

/** What one process has taken. */
export interface ProcessFigures {
  readonly residentBytes: number
  readonly cpuSeconds: number
}

export interface MetricsParts {
  readonly status: AgentStatus
  readonly mesh: MeshStatus
  readonly figures: Figures
  readonly process: ProcessFigures
}

export const agentMetrics = ({ status, mesh, figures, process }: MetricsParts): Metric[] => [
  ...ofAgent(status),
  ...ofMesh(mesh),
  ...ofMachine(figures),
  ...ofAlerts(figures),
  ...ofProbes(figures),
  ...ofServices(figures),
  ...ofClock(figures),
  single(
    'process_resident_memory_bytes',
    'gauge',
    'Memory that the process has in RAM.',
    process.residentBytes,
  ),
  single(
    'process_cpu_seconds_total',
    'counter',
    'Processor time of the process.',
    process.cpuSeconds,
  ),
  single(
    'process_start_time_seconds',
    'gauge',
    'When the agent was started, since 1970.',
    seconds(Date.parse(status.started_at)),
  ),
]

function ofAgent(status: AgentStatus): Metric[] {
  const { published_until: published, configuration } = status
  return [
    {
      name: 'box_build_info',
      type: 'gauge',
      help: 'Which version runs, on which engine; always 1.',
      samples: [{ labels: { version: VERSION, engine: status.engine }, value: 1 }],
    },
    single('box_hub_mode', 'gauge', 'Whether it relays for others.', status.hub ? 1 : 0),
    single('box_hubs_configured', 'gauge', 'Hubs it is to keep a link to.', status.hubs_configured),
    single('box_hubs_connected', 'gauge', 'Of these, how many have a link now.', status.hubs),
    single('box_owners', 'gauge', 'Keys that were granted something.', status.owners.length),
    single('box_ssh_connections', 'gauge', 'Open SSH connections.', status.ssh_connections),
    single(
      'box_pairing_open',
      'gauge',
      'Whether the pairing window is open.',
      status.pairing_until === null ? 0 : 1,
    ),
    single(
      'box_name_expiry_timestamp_seconds',
      'gauge',
      'Until when the published name is valid, since 1970.',
      published === null ? null : seconds(Date.parse(published)),
    ),
    single(
      'box_configuration_generation',
      'gauge',
      'The pushed configuration that holds; 0: none.',
      configuration?.generation ?? null,
    ),
    single(
      'box_configuration_unconfirmed',
      'gauge',
      'Whether a push awaits its confirmation.',
      configuration && (configuration.unconfirmed === null ? 0 : 1),
    ),
  ]
}

function ofMesh({ neighbours, tunnels, counters, troubles = [] }: MeshStatus): Metric[] {
  const events = Object.entries(counters).filter(([name]) => !Object.hasOwn(NOT_EVENTS, name))
  return [
    {
      name: 'box_neighbours',
      type: 'gauge',
      help: 'Peers next to this one, by the state of the link.',
      samples: counted(NEIGHBOUR_STATES, neighbours),
    },
    {
      name: 'box_tunnels',
      type: 'gauge',
      help: 'Encrypted tunnels to other peers, by state.',
      samples: counted(TUNNEL_STATES, tunnels),
    },
    single(
      'box_channels',
      'gauge',
      'Channels in the tunnels.',
      tunnels.reduce((sum, { channels }) => sum + channels, 0),
    ),
    single('box_mesh_troubles', 'gauge', 'Known faults of the engine now.', troubles.length),
    ...Object.entries(NOT_EVENTS).map(([counter, [name, type, help]]) =>
      single(name, type, help, counters[counter] ?? null),
    ),
    {
      name: 'box_mesh_events_total',
      type: 'counter',
      help: 'What happened in the mesh engine, by kind.',
      samples: events
        .toSorted()
        .slice(0, EVENTS_MAX)
        .map(([event, value]) => ({ labels: { event }, value })),
    },
  ]
}

function ofMachine({ load, processors, memory, bootedAt, ...more }: Figures): Metric[] {
  const each = <T>(label: string, all: ReadonlyMap<string, T>, read: (one: T) => number) =>
    [...all].map(([key, one]): Sample => ({ labels: { [label]: key }, value: read(one) }))
  const metric = (
    name: string,
    help: string,
    samples: readonly Sample[],
    type: Metric['type'] = 'gauge',
  ): Metric => ({ name, type, help, samples })
  const { disks, temperatures, interfaces } = more
  return [
    single('box_machine_load1', 'gauge', 'Load of the last minute.', load && load / 100),
    single('box_machine_processors', 'gauge', 'Processors of the machine.', processors),
    single('box_machine_memory_size_bytes', 'gauge', 'Memory there is.', memory?.total ?? null),
    single(
      'box_machine_memory_available_bytes',
      'gauge',
      'Memory that is free or can be freed.',
      memory?.available ?? null,
    ),
    single(
      'box_machine_boot_time_seconds',
      'gauge',
      'When the machine was started, since 1970.',
      bootedAt && seconds(bootedAt),
    ),
    metric(
      'box_machine_disk_size_bytes',
      'Size of the file system.',
      each('mountpoint', disks, ({ total }) => total),
    ),
    metric(
      'box_machine_disk_used_bytes',
      'Used of the file system.',
      each('mountpoint', disks, ({ used }) => used),
    ),
    metric(
      'box_machine_temperature_celsius',
      'By sensor.',
      each('sensor', temperatures, heat => heat / 1_000),
    ),
    metric(
      'box_machine_network_receive_bytes_total',
      'Received by the interface.',
      each('interface', interfaces, ({ received }) => received),
      'counter',
    ),
    metric(
      'box_machine_network_transmit_bytes_total',
      'Sent by the interface.',
      each('interface', interfaces, ({ sent }) => sent),
      'counter',
    ),
  ]
}

/** One of each rule, fire it or not: rules are few, and their names are the owner's. */
const ofAlerts = ({ alerts: { records, rules, fault } }: Figures): Metric[] => [
  single(
    'box_alerts_rules_fault',
    'gauge',
    'Whether something is wrong with the file of rules.',
    fault === null ? 0 : 1,
  ),
  {
    name: 'box_alerts_firing',
    type: 'gauge',
    help: 'Whether the alert of a rule fires.',
    samples: rules.map(rule => ({
      labels: { rule },
      value: records.some(one => one.rule === rule && one.until === null) ? 1 : 0,
    })),
  },
]

/** Of each value that is a number; how many there are is bounded where they are read. */
const ofProbes = ({ probes }: Figures): Metric[] => [
  {
    name: 'box_probe_failed',
    type: 'gauge',
    help: 'Whether the last run of the probe failed.',
    samples: probes.map(({ name, failure }) => ({
      labels: { probe: name },
      value: failure === null ? 0 : 1,
    })),
  },
  {
    name: 'box_probe_value',
    type: 'gauge',
    help: 'What a probe of the owner says, where that is a number.',
    samples: probes.flatMap(({ name, values }) =>
      [...values].flatMap(([key, text]): Sample[] => {
        const value = numberIn(text)
        return value === null ? [] : [{ labels: { probe: name, key }, value }]
      }),
    ),
  },
]

/** One series of each state: which one it is changes, the series do not. */
const ofServices = ({ services: { readings, fault } }: Figures): Metric[] => [
  single(
    'box_services_fault',
    'gauge',
    'Whether something is wrong with the file of services.',
    fault === null ? 0 : 1,
  ),
  {
    name: 'box_service_state',
    type: 'gauge',
    help: 'Whether a service that the owner has named is in this state.',
    samples: readings.flatMap(({ name: service, state: now }) =>
      SERVICE_STATES.map(state => ({ labels: { service, state }, value: state === now ? 1 : 0 })),
    ),
  },
  {
    name: 'box_service_changed_timestamp_seconds',
    type: 'gauge',
    help: 'Since when it is in its state, since 1970.',
    samples: readings.flatMap(({ name: service, since }): Sample[] =>
      since === null ? [] : [{ labels: { service }, value: seconds(since) }],
    ),
  },
]

const ofClock = ({ clock }: Figures): Metric[] => [
  single(
    'box_clock_offset_seconds',
    'gauge',
    'By how much the clock is ahead of that of an owner.',
    clock && seconds(Math.round(clock.offsetMs)),
  ),
  single(
    'box_clock_offset_error_seconds',
    'gauge',
    'By how much that may be wrong.',
    clock && seconds(Math.ceil(clock.errorMs)),
  ),
]

/** How many are in each state, those without any too: a series that comes and goes is hard to alert on. */
const counted = <S extends string>(
  states: readonly S[],
  all: readonly { readonly state: S }[],
): Sample[] =>
  states.map(state => ({
    labels: { state },
    value: all.filter(one => one.state === state).length,
  }))

export function ownProcess(): ProcessFigures {
  const { user, system } = process.cpuUsage()
  return { residentBytes: process.memoryUsage.rss(), cpuSeconds: (user + system) / 1e6 }
}

const seconds = (ms: number): number => ms / 1_000
