/** box status: how the devices are, once or from now on. What is not known now is shown as it was, with its age. */

import { ERRORS, EXIT_CODES } from '../../src/base/errors.ts'
import { AlertSight, isListening } from '../alerts/alert-sight.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { table } from '../output.ts'
import { inParallel } from '../parallel.ts'
import { selectOrAll } from '../selector.ts'
import { detailLines, HEADINGS, statusTable } from '../status-report.ts'
import { followView, StatusView } from '../status-view.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

/** Each costs a channel and a key exchange. */
const PARALLEL = 32

interface Arguments {
  readonly selector: string | undefined
  readonly watch: boolean
  readonly timeout: number
}

export const status = command<Arguments>({
  usage: 'status [selector]',
  examples: [
    ['box status', 'shows how all devices are'],
    ['box status kitchen --watch', 'goes on, with a line for each change'],
    ['box status @routers --json', 'prints one JSON object a device'],
  ],
  options: yargs =>
    yargs
      .positional('selector', { type: 'string', describe: 'a name, or @tag' })
      .option('watch', { type: 'boolean', default: false, describe: 'go on until ^C' })
      .option('timeout', TIMEOUT),
  run: async (context, args) => {
    const { output } = context
    const devices = selectOrAll(context, args.selector)
    if (devices.length === 0) return 0
    const sight = new AlertSight(context, { isOnce: !args.watch })
    const views = devices.map(device => new StatusView(context, device, sight))
    const options = { timeoutMs: timeoutMs(args.timeout), once: !args.watch }
    const show = args.watch ? watching(context, views) : () => {}
    const limit = args.watch ? devices.length : PARALLEL
    const looking = args.watch ? sight.follow(views, show) : null
    try {
      await inParallel(views, limit, view => followView(context, view, options, () => show(view)))
    } finally {
      looking?.close()
    }
    context.signal.throwIfAborted()
    sight.look(
      views.map(view => view.observed()),
      await isListening(context),
    )
    if (sight.fault) output.remark(`alerts: ${sight.fault}`)
    for (const view of views) await view.remember()
    return conclude(context, views)
  },
})

/** Prints a line whenever a device is another than before. */
function watching({ output }: Context, views: readonly StatusView[]): (view: StatusView) => void {
  const heading = table([[...HEADINGS]])[0]!
  if (!output.json) output.result(heading, {})
  const width = Math.max(...views.map(({ device }) => device.name.length), HEADINGS[0].length)
  return view => {
    const [name, ...cells] = view.cells()
    const why = view.failure ? `  ${view.failure.message}` : ''
    output.result(`${name!.padEnd(width)}  ${cells.join('  ')}${why}`, view.json())
  }
}

function conclude({ output, clock }: Context, views: readonly StatusView[]): number {
  if (output.json) for (const view of views) output.result('', view.json())
  else for (const line of statusTable(views.map(view => view.cells()))) output.result(line, {})
  // Of one device there is room for all of it.
  const [only, ...others] = views
  const { status: report = null, age_ms } = (others.length === 0 && only?.json()) || {}
  if (report && !output.json)
    for (const line of detailLines(report, clock.now() - (age_ms ?? 0))) output.result(line, {})
  for (const { device, failure } of views)
    if (failure) output.remark(`${device.name}: ${failure.message}`)
  return Math.max(
    0,
    ...views.map(({ failure }) => (failure ? EXIT_CODES[ERRORS[failure.code][0]] : 0)),
  )
}
