/** How a device was over the last hours, drawn; in words as well, for those who do not see it. */

import uPlot from 'uplot'
import { h } from './dom.ts'
import { bytes, percent } from './text.ts'

export interface History {
  readonly at: readonly string[]
  readonly series: Readonly<Record<string, readonly (number | null)[]>>
}

interface Plot {
  readonly title: string
  readonly series: readonly (readonly [name: string, label: string])[]
  readonly text: (value: number) => string
  /** The scale begins at zero, and ends here where nothing is higher. */
  readonly top: number
}

const PLOTS: readonly Plot[] = [
  { title: 'Load', series: [['load', 'load']], text: value => value.toFixed(2), top: 1 },
  {
    title: 'Memory and disk',
    series: [
      ['memory', 'memory'],
      ['disk', 'fullest disk'],
    ],
    text: percent,
    top: 1,
  },
  {
    title: 'Heat',
    series: [['heat', 'hottest']],
    text: value => `${Math.round(value)} °C`,
    top: 60,
  },
  {
    title: 'Network, by the second',
    series: [
      ['received', 'received'],
      ['sent', 'sent'],
    ],
    text: bytes,
    top: 1_000,
  },
]
const HEIGHT = 150
const WIDTH_MAX = 560
const GAP = 24
/** Left out where nothing was ever known. */
const hasValues = ({ series }: History, { series: wanted }: Plot): boolean =>
  wanted.some(([name]) => series[name]?.some(value => value !== null))

export function plotsOf(history: History, room: number, signal: AbortSignal): HTMLElement {
  const plots = PLOTS.filter(plot => hasValues(history, plot))
  if (plots.length === 0)
    return h(
      'p',
      { class: 'quiet' },
      'Nothing yet: box up notes how a device is once a minute, while it runs.',
    )
  const columns = room > 2 * 380 ? 2 : 1
  const width = Math.min(WIDTH_MAX, (room - (columns - 1) * GAP) / columns)
  return h('div', { class: 'plot-grid' }, ...plots.map(plot => drawn(plot, history, width, signal)))
}

function drawn(plot: Plot, history: History, width: number, signal: AbortSignal): HTMLElement {
  const style = getComputedStyle(document.documentElement)
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim()
  const strokes = [colour('accent'), colour('warn')]
  const axis = {
    stroke: colour('quiet'),
    grid: { stroke: colour('line'), width: 1 },
    ticks: { stroke: colour('line'), width: 1 },
    font: '12px system-ui, sans-serif',
  }
  const place = h('div', { 'aria-hidden': 'true' })
  const chart = new uPlot(
    {
      ...{ width, height: HEIGHT, legend: { show: plot.series.length > 1, live: false } },
      cursor: { show: false },
      scales: { y: { range: (_, __, highest) => [0, Math.max(plot.top, (highest ?? 0) * 1.1)] } },
      axes: [
        { ...axis, values: (_, times) => times.map(clockText) },
        { ...axis, size: 64, values: (_, values) => values.map(plot.text) },
      ],
      series: [
        {},
        ...plot.series.map(([, label], i) => ({
          ...{ label, width: 1.5, stroke: strokes[i]! },
          ...(i > 0 && { dash: [5, 3] }),
          points: { show: history.at.length < 3 },
        })),
      ],
    },
    [
      history.at.map(at => Date.parse(at) / 1_000),
      ...plot.series.map(([name]) => [...history.series[name]!]),
    ],
    place,
  )
  signal.addEventListener('abort', () => chart.destroy(), { once: true })
  return h(
    'figure',
    {},
    h('figcaption', {}, plot.title, h('span', { class: 'quiet' }, inWords(plot, history))),
    place,
  )
}

const clockText = (seconds: number): string =>
  new Date(1_000 * seconds).toLocaleTimeString(undefined, { hour: '2-digit', minute: '2-digit' })

function inWords({ series, text }: Plot, history: History): string {
  const parts = series.flatMap(([name, label]) => {
    const values = history.series[name]!.filter(value => value !== null)
    if (values.length === 0) return []
    return [`${label} ${text(values.at(-1)!)}, at most ${text(Math.max(...values))}`]
  })
  return ` ${parts.join('; ')}`
}
