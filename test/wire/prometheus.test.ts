import { expect, test } from 'vitest'
import { formatMetrics, type Metric, single } from '../../src/wire/prometheus.ts'

test('metrics are written as version 0.0.4 of the text format has them', () => {
  const metrics: Metric[] = [
    single('box_uptime_seconds', 'gauge', 'How long.', 1.5),
    {
      name: 'box_events_total',
      type: 'counter',
      help: 'By\nkind, with a \\.',
      samples: [
        { labels: { event: 'core.replayed', where: 'here' }, value: 3 },
        { labels: { event: 'a "b" \\ c\nd' }, value: 0 },
      ],
    },
    single('box_absent_bytes', 'gauge', 'Not known.', null),
  ]
  expect(formatMetrics(metrics)).toBe(
    `# HELP box_uptime_seconds How long.
# TYPE box_uptime_seconds gauge
box_uptime_seconds 1.5
# HELP box_events_total By\\nkind, with a \\\\.
# TYPE box_events_total counter
box_events_total{event="core.replayed",where="here"} 3
box_events_total{event="a \\"b\\" \\\\ c\\nd"} 0
`,
  )
})

test('numbers that are none have names', () => {
  const text = [Number.NaN, Infinity, -Infinity].map(value =>
    formatMetrics([single('box_x', 'gauge', 'X.', value)])
      .split('\n')
      .at(-2),
  )
  expect(text).toEqual(['box_x NaN', 'box_x +Inf', 'box_x -Inf'])
})
