/** Reads Prometheus' text format strictly: what is not as the format says, fails the test. */

export interface ReadMetric {
  readonly type: string
  readonly help: string
  /** By the text of its labels, `{}` where it has none. */
  readonly samples: ReadonlyMap<string, number>
}

export function readMetrics(text: string): Map<string, ReadMetric> {
  const all = new Map<string, { type: string; help: string; samples: Map<string, number> }>()
  if (!text.endsWith('\n')) throw new Error('the last line has no end')
  let name = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, help] = /^# HELP ([a-z_][a-z\d_]*) (.+)$/.exec(line) ?? []
    const [, typed, type] = /^# TYPE ([a-z_][a-z\d_]*) (gauge|counter)$/.exec(line) ?? []
    if (helped) {
      if (all.has(helped)) throw new Error(`${helped} comes twice`)
      name = helped
      all.set(name, { type: '', help: help!, samples: new Map() })
      continue
    }
    const metric = all.get(name)
    if (typed) {
      if (typed !== name || metric!.type !== '') throw new Error(line)
      metric!.type = type!
      continue
    }
    const [, of, labels, value] =
      /^(\w+)(\{(?:\w+="(?:[^"\\]|\\["\\n])*",?)+\})? (\S+)$/.exec(line) ?? []
    if (of !== name || !metric || metric.type === '') throw new Error(`no sample: ${line}`)
    if (metric.samples.has(labels ?? '{}')) throw new Error(`twice: ${line}`)
    if (!/^([-+]?\d+(\.\d+)?(e[-+]?\d+)?|NaN|[-+]Inf)$/.test(value!)) throw new Error(line)
    metric.samples.set(labels ?? '{}', Number(value))
  }
  return all
}
