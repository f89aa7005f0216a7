/** box alerts: what fires on the devices and what did, taking note of it, and looking for mistakes in rules. */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../../src/base/errors.ts'
import { readRules } from '../../src/box/alert/rule.ts'
import { acknowledgeAlert } from '../alerts/acknowledging.ts'
import { ALERTS_FILE, alertConfig, parseAlertConfig } from '../alerts/alert-config.ts'
import { AlertSight, isListening } from '../alerts/alert-sight.ts'
import type { ShownAlert } from '../alerts/shown-alert.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { durationMs } from '../duration.ts'
import { table } from '../output.ts'
import { inParallel } from '../parallel.ts'
import { selectOrAll } from '../selector.ts'
import { age } from '../status-report.ts'
import { followView, StatusView } from '../status-view.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

/** Each costs a channel and a key exchange. */
const PARALLEL = 32
const HEADINGS = ['DEVICE', 'ALERT', 'STATE', 'SINCE', 'VALUE', 'RULE'] as const

interface Arguments {
  readonly selector: string | undefined
  readonly words: readonly string[]
  readonly watch: boolean
  readonly for: string | undefined
  readonly timeout: number
}

export const alerts = command<Arguments>({
  usage: 'alerts [selector] [words..]',
  examples: [
    ['box alerts', 'what fires on any device, and what did lately'],
    ['box alerts @routers --watch', 'goes on, with a line for each that fires or is over'],
    ['box alerts ack kitchen disk', 'takes note: nobody is told of it until it is over'],
    ['box alerts ack kitchen disk --for 2h', 'nobody is told of it for two hours'],
    ['box alerts check', 'looks for mistakes in the rules of this controller'],
    ['box alerts check rules.json', 'the same of rules that are to be pushed to devices'],
  ],
  options: yargs =>
    yargs
      .positional('selector', {
        type: 'string',
        describe: 'a name, or @tag; or ack, or check',
      })
      .positional('words', {
        type: 'string',
        array: true,
        default: [] as string[],
        describe: 'ack: the device and the rule; check: a file',
      })
      .option('watch', { type: 'boolean', default: false, describe: 'go on until ^C' })
      .option('for', { type: 'string', describe: 'ack: for so long, like 2h; 0 ends it' })
      .option('timeout', TIMEOUT)
      .epilogue(
        `Rules about devices, and who is told, are in ${ALERTS_FILE} in the state directory (docs/operations.md);\n` +
          'box up tells. Devices have rules of their own, in agent.json or a file that is pushed.',
      ),
  run: async (context, args) => {
    const { selector, words } = args
    if (selector === 'ack') return await acknowledge(context, args)
    if (selector === 'check') return check(context, words)
    if (words.length > 0) throw new BoxError('INPUT_INVALID', `"${words[0]}" is too much.`)
    return await list(context, args)
  },
})

async function list(context: Context, args: Arguments): Promise<number> {
  const { output } = context
  const devices = selectOrAll(context, args.selector)
  if (devices.length === 0) return 0
  const sight = new AlertSight(context, { isOnce: !args.watch })
  const views = devices.map(device => new StatusView(context, device, sight))
  if (args.watch) return await watch(context, views, sight, args)
  const options = { timeoutMs: timeoutMs(args.timeout), once: true }
  const progress = output.progress('asking the devices')
  await inParallel(views, PARALLEL, view => followView(context, view, options, () => {})).finally(
    () => progress.end(),
  )
  context.signal.throwIfAborted()
  for (const view of views) await view.remember()
  const observed = views.map(view => view.observed())
  sight.look(observed, await isListening(context))
  tell(
    context,
    observed.flatMap(one => [...sight.alertsOf(one), ...sight.pendingOf(one)]),
  )
  if (sight.fault) output.remark(`alerts: ${sight.fault}`)
  for (const { zone, name } of observed) {
    const fault = sight.fleet.faultOf(zone)
    if (fault) output.remark(`${name}: ${fault}`)
  }
  return 0
}

const RANKS = { firing: 0, pending: 1, over: 2 } as const

function tell({ output, clock }: Context, found: readonly ShownAlert[]): void {
  const sorted = found.toSorted(
    (a, b) => RANKS[a.state] - RANKS[b.state] || (a.since > b.since ? -1 : 1),
  )
  if (output.json) for (const one of sorted) output.result('', one)
  else if (sorted.length === 0) output.remark('All is well.')
  else
    for (const line of table([[...HEADINGS], ...sorted.map(one => cellsOf(one, clock.now()))]))
      output.result(line, {})
}

function cellsOf(alert: ShownAlert, now: number): string[] {
  const { device, rule, state, acknowledged, since, until, value, when } = alert
  const ago = (time: string) => `${age(Math.max(0, now - Date.parse(time)))} ago`
  const times = until === null ? ago(since) : `${ago(since)}, over ${ago(until)}`
  return [device, rule, acknowledged ? 'known' : state, times, value || '-', when || '-']
}

/** A line for each that fires, or does not any more. */
async function watch(
  context: Context,
  views: readonly StatusView[],
  sight: AlertSight,
  args: Arguments,
): Promise<number> {
  const { output, clock } = context
  const before = new Map<StatusView, ReadonlyMap<string, ShownAlert>>()
  const changed = (view: StatusView) => {
    const now = new Map(view.alerts().map(one => [`${one.origin} ${one.rule} ${one.since}`, one]))
    const then = before.get(view) ?? new Map<string, ShownAlert>()
    before.set(view, now)
    const over = [...then].filter(([key]) => !now.has(key)).map(([, one]) => one)
    const fresh = [...now].filter(([key]) => !then.has(key)).map(([, one]) => one)
    const until = new Date(clock.now()).toISOString()
    for (const one of [...fresh, ...over.map(old => ({ ...old, state: 'over' as const, until }))])
      output.result(cellsOf(one, clock.now()).join('  '), one)
  }
  const looking = sight.follow(views, changed)
  const options = { timeoutMs: timeoutMs(args.timeout), once: false }
  try {
    await inParallel(views, views.length, view =>
      followView(context, view, options, () => changed(view)),
    )
  } finally {
    looking.close()
  }
  return 0
}

async function acknowledge(context: Context, args: Arguments): Promise<number> {
  const [name, rule, ...rest] = args.words
  if (name === undefined || rule === undefined || rest.length > 0)
    throw new BoxError('INPUT_INVALID', 'Say which: box alerts ack DEVICE RULE.')
  const { fleet, output } = context
  const device = fleet.device(name)
  const forMs = args.for === undefined ? null : args.for === '0' ? 0 : durationMs(args.for, 'for')
  const sight = new AlertSight(context)
  const view = new StatusView(context, device, sight)
  if (forMs === null)
    await followView(context, view, { timeoutMs: timeoutMs(args.timeout), once: true }, () => {})
  await acknowledgeAlert(context, device, { rule, forMs, alerts: view.alerts() })
  const until = forMs === null ? null : new Date(context.clock.now() + forMs).toISOString()
  const line =
    forMs === 0
      ? `${rule} on ${name} is told of again.`
      : `Nobody is told of ${rule} on ${name} ${until === null ? 'until it is over' : `until ${until}`}.`
  output.result(line, { device: name, rule, until })
  return 0
}

function check({ state, output }: Context, [file, ...rest]: readonly string[]): number {
  if (rest.length > 0) throw new BoxError('INPUT_INVALID', 'It takes one file.')
  const path = file ?? join(state.directory, ALERTS_FILE)
  const { rules, targets } = file === undefined ? alertConfig(state) : configIn(file)
  output.result(`${path}: no mistakes`, {
    ...{ file: path, rules: rules.map(({ name, text }) => ({ name, rule: text })) },
    deliver: targets.map(({ to }) =>
      to.is === 'room' ? { room: to.room } : { command: to.words },
    ),
  })
  return 0
}

/** Rules for devices are a list; those of a controller are more. */
function configIn(path: string): Pick<ReturnType<typeof parseAlertConfig>, 'rules' | 'targets'> {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BoxError('FILE_UNUSABLE', `${path}: ${(cause as NodeJS.ErrnoException).code}.`, cause)
  }
  if (!text.trimStart().startsWith('[')) return parseAlertConfig(text)
  const rules = readRules(jsonOf(text), ['room'] as const)
  return { rules: rules.map(rule => ({ ...rule, devices: '@all' })), targets: [] }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BoxError('ALERT_INVALID', `It is no JSON: ${(cause as Error).message}.`, cause)
  }
}
