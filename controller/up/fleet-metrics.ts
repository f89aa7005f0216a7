/**
 * The fleet for Prometheus: for each device one series of each name, however many disks and interfaces it has.
 * What a device says of itself in texts is cut short: it must not fill anybody's memory.
 */

import type { FastifyInstance } from 'fastify'
import {
  formatMetrics,
  METRICS_TYPE,
  type Metric,
  type Sample,
  single,
} from '../../src/wire/prometheus.ts'
import type { AlertParts } from '../alerts/alert-watch.ts'
import type { Context } from '../context.ts'
import { isWell, type StatusReport } from '../status-report.ts'
import type { FleetWatch, ShownDevice } from './fleet-watch.ts'
import { about, streamed } from './schemas.ts'

/** Some twenty thousand series; whoever has more devices has a second controller. */
const DEVICES_MAX = 2_000
const TEXT_MAX = 64

export function metricsRoute(
  app: FastifyInstance,
  { clock }: Context,
  { watch, deliveries }: Pick<AlertParts, 'deliveries'> & { readonly watch: FleetWatch },
): void {
  const answer = streamed('text/plain', 'The text format of Prometheus, version 0.0.4.')
  app.get(
    '/metrics',
    { schema: about({ summary: 'The fleet, for Prometheus', answer }) },
    (_request, reply) => {
      void reply.type(METRICS_TYPE)
      const { waiting, failed } = deliveries()
      return formatMetrics([
        ...fleetMetrics(watch.devices(), clock.now()),
        single('box_alert_deliveries_waiting', 'gauge', 'Alerts that wait to be told.', waiting),
        single(
          'box_alert_deliveries_failed_total',
          'counter',
          'Alerts of which somebody could not be told, since box up runs.',
          failed,
        ),
      ])
    },
  )
}

/** All devices up to a limit, by name. */
export function fleetMetrics(devices: readonly ShownDevice[], now: number): readonly Metric[] {
  const told = devices.slice(0, DEVICES_MAX)
  const each = (name: string, help: string, read: (device: ShownDevice) => number | null) =>
    gauge(name, help, samplesOf(told, read))
  const last: Last = (name, help, read) => each(name, help, ({ status }) => status && read(status))
  return [
    single('box_fleet_devices', 'gauge', 'Devices of the fleet.', devices.length),
    single(
      'box_fleet_devices_untold',
      'gauge',
      'Devices beyond the limit, of which nothing is told here.',
      devices.length - told.length,
    ),
    each('box_device_up', 'Whether the device is heard of now.', ({ stale }) => (stale ? 0 : 1)),
    each(
      'box_device_seen_timestamp_seconds',
      'When it was last heard of, since 1970.',
      ({ age_ms }) => (age_ms === null ? null : Math.round((now - age_ms) / 1_000)),
    ),
    gauge(
      'box_device_info',
      'What the device says it runs; always 1.',
      told.flatMap(({ name, status }) => (status ? [infoOf(name, status)] : [])),
    ),
    each('box_alerts_firing', 'How many of its alerts fire.', ({ alerts }) => alerts.length),
    last('box_device_load1', 'Load of the last minute.', ({ load }) => load),
    last('box_device_processors', 'Processors of the device.', ({ processors }) => processors),
    last('box_device_memory_size_bytes', 'Memory there is.', ({ memory }) => memory?.total ?? null),
    last(
      'box_device_memory_available_bytes',
      'Memory that is free or can be freed.',
      ({ memory }) => memory?.available ?? null,
    ),
    last('box_device_disk_used_ratio', 'Of its fullest disk, the part in use.', ({ disks }) =>
      highest(Object.values(disks).map(({ used, total }) => used / total)),
    ),
    last('box_device_temperature_celsius', 'Of its hottest sensor.', ({ temperatures }) =>
      highest(Object.values(temperatures)),
    ),
    ...ofServicesAndClock(last),
    last('box_device_boot_time_seconds', 'When it was started, since 1970.', ({ booted_at }) =>
      booted_at === null ? null : Date.parse(booted_at) / 1_000,
    ),
  ]
}

/** One figure of what devices say. */
type Last = (name: string, help: string, read: (status: StatusReport) => number | null) => Metric

const ofServicesAndClock = (last: Last): readonly Metric[] => [
  last(
    'box_device_services',
    'Services of it that its owner has named.',
    ({ services }) => Object.keys(services).length,
  ),
  last(
    'box_device_services_down',
    'Of these, how many neither run nor have done their work.',
    ({ services }) => Object.values(services).filter(({ state }) => !isWell(state)).length,
  ),
  last(
    'box_device_clock_offset_seconds',
    'By how much its clock is ahead of that of an owner.',
    ({ clock }) => clock && clock.offset_ms / 1_000,
  ),
  last(
    'box_device_clock_offset_error_seconds',
    'By how much that may be wrong.',
    ({ clock }) => clock && clock.error_ms / 1_000,
  ),
]

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  ...{ name, type: 'gauge', help, samples },
})

const samplesOf = (
  devices: readonly ShownDevice[],
  read: (device: ShownDevice) => number | null,
): Sample[] =>
  devices.flatMap(device => {
    const value = read(device)
    return value === null ? [] : [{ labels: { device: device.name }, value }]
  })

const infoOf = (device: string, { agent_version, system }: StatusReport): Sample => ({
  labels: {
    device,
    version: (agent_version ?? '').slice(0, TEXT_MAX),
    system: (system ?? '').slice(0, TEXT_MAX),
  },
  value: 1,
})

/** A disk of no size is none. */
const highest = (values: readonly number[]): number | null => {
  const finite = values.filter(Number.isFinite)
  return finite.length === 0 ? null : Math.max(...finite)
}
