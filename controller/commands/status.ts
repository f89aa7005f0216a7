/** box status: how the devices are, once or from now on. What is not known now is shown as it was, with its age. */

import { BoxError, ERRORS, type ErrorCode, EXIT_CODES } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import type { Device } from '../fleet.ts'
import { table } from '../output.ts'
import { inParallel } from '../parallel.ts'
import { select } from '../selector.ts'
import { recallStatus, rememberStatus } from '../status-memory.ts'
import { cellsOf, HEADINGS, reportOf } from '../status-report.ts'
import { followStatus, type Values } from '../status-watch.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

/** Each costs a channel and a key exchange. */
const PARALLEL = 32
/** While watching, what is known is written down so often. */
const REMEMBER_EVERY_MS = 60_000

interface Arguments {
  readonly selector: string | undefined
  readonly watch: boolean
  readonly timeout: number
}

type Failure = { readonly code: ErrorCode; readonly message: string } | null

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
    const { fleet, output } = context
    const all = fleet.devices()
    const devices = all.length === 0 ? [] : select(all, args.selector, { all: !args.selector })
    if (devices.length === 0) {
      output.remark('No devices yet: see box pair --help.')
      return 0
    }
    const views = devices.map(device => new View(context, device))
    const options = { timeoutMs: timeoutMs(args.timeout), once: !args.watch }
    const show = args.watch ? watching(context, views) : () => {}
    const limit = args.watch ? devices.length : PARALLEL
    await inParallel(views, limit, async view => {
      try {
        await followStatus(context, view.device, options, {
          fresh: values => view.fresh(values) && show(view),
          stale: why => view.stale(why) && show(view),
        })
      } catch (error) {
        if (!(error instanceof BoxError)) throw error
        view.stale(error)
        show(view)
      }
    })
    context.signal.throwIfAborted()
    for (const view of views) await view.remember()
    return conclude(context, views)
  },
})

/** What is known of one device. */
class View {
  readonly device: Device
  failure: Failure = null
  private readonly context: Context
  private values: Values | null = null
  /** When the values were known to be so; null: they are so now. */
  private knownAt: number | null
  private isChanged = false
  private writtenAt: number

  constructor(context: Context, device: Device) {
    this.context = context
    this.device = device
    const remembered = recallStatus(context.state, device)
    this.values = remembered?.values ?? null
    this.knownAt = remembered?.at ?? context.clock.now()
    this.writtenAt = context.clock.elapsed()
  }

  /** Says whether there is something to show. */
  fresh(values: Values): boolean {
    const isNews = this.knownAt !== null || !sameValues(this.values, values)
    this.values = values
    this.knownAt = null
    this.failure = null
    this.isChanged = true
    if (this.context.clock.elapsed() - this.writtenAt > REMEMBER_EVERY_MS)
      this.context.meanwhile(this.remember())
    return isNews
  }

  stale(why: BoxError | null): boolean {
    const wasFresh = this.knownAt === null
    if (wasFresh) this.knownAt = this.context.clock.now()
    const isNews = wasFresh || (why !== null && why.code !== this.failure?.code)
    if (why) this.failure = { code: why.code, message: why.message }
    return isNews
  }

  /** Writes down what was heard. A state that cannot be written is no reason to fail. */
  async remember(): Promise<void> {
    const { state, clock, log } = this.context
    if (!this.values || !this.isChanged) return
    this.isChanged = false
    this.writtenAt = clock.elapsed()
    try {
      await rememberStatus(state, this.device, {
        at: this.knownAt ?? clock.now(),
        values: this.values,
      })
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      log.note('warn', 'controller', 'status not remembered', { code: error.code })
    }
  }

  cells(): string[] {
    const now = this.context.clock.now()
    const report = this.values && reportOf(this.values)
    return cellsOf(this.device.name, report, this.ageMs(now), now)
  }

  json(): object {
    const now = this.context.clock.now()
    const ageMs = this.ageMs(now)
    return {
      name: this.device.name,
      stale: ageMs !== null,
      age_ms: this.values ? (ageMs ?? 0) : null,
      error: this.failure,
      status: this.values && reportOf(this.values),
    }
  }

  private ageMs(now: number): number | null {
    return this.knownAt === null ? null : Math.max(0, now - this.knownAt)
  }
}

function sameValues(a: Values | null, b: Values): boolean {
  if (a?.size !== b.size) return false
  for (const [name, value] of b) if (`${a.get(name)}` !== `${value}`) return false
  return true
}

/** Prints a line whenever a device is another than before. */
function watching({ output }: Context, views: readonly View[]): (view: View) => void {
  const heading = table([[...HEADINGS]])[0]!
  if (!output.json) output.result(heading, {})
  const width = Math.max(...views.map(({ device }) => device.name.length), HEADINGS[0].length)
  return view => {
    const [name, ...cells] = view.cells()
    const why = view.failure ? `  ${view.failure.message}` : ''
    output.result(`${name!.padEnd(width)}  ${cells.join('  ')}${why}`, view.json())
  }
}

function conclude({ output }: Context, views: readonly View[]): number {
  if (output.json) for (const view of views) output.result('', view.json())
  else
    for (const line of table([[...HEADINGS], ...views.map(view => view.cells())]))
      output.result(line, {})
  for (const { device, failure } of views)
    if (failure) output.remark(`${device.name}: ${failure.message}`)
  return Math.max(
    0,
    ...views.map(({ failure }) => (failure ? EXIT_CODES[ERRORS[failure.code][0]] : 0)),
  )
}
