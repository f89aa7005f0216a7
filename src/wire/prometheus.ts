/**
 * Metrics as Prometheus reads them: its text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */

/** The content type of what `formatMetrics` makes. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** All samples of one name. Units by Prometheus' conventions: `_seconds`, `_bytes`, `_total` of counters. */
export interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly Sample[]
}

export interface Sample {
  /** Names are letters and `_`; values are any text. */
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** Metrics without samples are left out. */
export const formatMetrics = (metrics: readonly Metric[]): string =>
  metrics
    .filter(({ samples }) => samples.length > 0)
    .map(metricText)
    .join('')

/** A metric with one sample, or with none where there is no value. */
export const single = (
  name: string,
  type: Metric['type'],
  help: string,
  value: number | null,
): Metric => ({ name, type, help, samples: value === null ? [] : [{ labels: {}, value }] })

function metricText({ name, type, help, samples }: Metric): string {
  const about = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
  const lines = samples.map(({ labels, value }) => `${name}${labelsText(labels)} ${number(value)}`)
  return `# HELP ${name} ${about}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function labelsText(labels: Sample['labels']): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escaped = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

/** Go writes infinities with a sign and no "inity". */
const number = (value: number): string =>
  Number.isFinite(value) || Number.isNaN(value) ? `${value}` : value > 0 ? '+Inf' : '-Inf'
