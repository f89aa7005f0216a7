/** box top: the fleet on the whole terminal, live and sorted. */

import type { ReadStream, WriteStream } from 'node:tty'
import { BoxError } from '../../src/base/errors.ts'
import { AlertSight } from '../alerts/alert-sight.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { inParallel } from '../parallel.ts'
import { selectOrAll } from '../selector.ts'
import { followView, StatusView } from '../status-view.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import { type Look, pageOf, SORTS, type Sort, screenOf } from '../top-screen.ts'

/** Drawn so often at most, and at least so often, for ages go on. */
const DRAW_EVERY_MS = 250
const DRAW_ANYWAY_MS = 1_000
/** Another screen and no cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l'
const LEAVE = '\u001b[?25h\u001b[?1049l'
const HOME = '\u001b[H'
const TO_END_OF_LINE = '\u001b[K'
const SCROLLS: Readonly<Record<string, (page: number) => number>> = {
  '\u001b[A': () => -1,
  k: () => -1,
  '\u001b[B': () => 1,
  j: () => 1,
  '\u001b[5~': page => -page,
  '\u001b[6~': page => page,
  ' ': page => page,
}
const QUITS = new Set(['q', 'Q', '\u0003', '\u0004', '\u001b'])

export const top = command<{ selector: string | undefined; sort: Sort; timeout: number }>({
  usage: 'top [selector]',
  examples: [
    ['box top', 'all devices, the busiest first; q leaves'],
    ['box top @routers --sort disk', 'those tagged "routers", the fullest first'],
  ],
  options: yargs =>
    yargs
      .positional('selector', { type: 'string', describe: 'a name, or @tag' })
      .option('sort', {
        choices: Object.values(SORTS),
        default: 'load' as Sort,
        describe: 'what to begin with',
      })
      .option('timeout', TIMEOUT)
      .epilogue('For programs and pipes there is box status --watch --json.'),
  run: async (context, { selector, sort, timeout }) => {
    const { output, stdio } = context
    if (!stdio.isTerminal || output.json)
      throw new BoxError('INPUT_INVALID', 'It takes a terminal: see box status --watch --json.')
    const devices = selectOrAll(context, selector)
    if (devices.length === 0) return 0
    const sight = new AlertSight(context)
    const views = devices.map(one => new StatusView(context, one, sight))
    const screen = new Screen(context, views, sort)
    const options = { timeoutMs: timeoutMs(timeout), once: false }
    const looking = sight.follow(views, () => screen.changed())
    try {
      await Promise.race([
        screen.left,
        inParallel(views, views.length, view =>
          followView(context, view, options, () => screen.changed()),
        ).then(() => screen.left),
      ])
    } finally {
      looking.close()
      screen.close()
    }
    for (const view of views) await view.remember()
    return 0
  },
})

/** The terminal while the table has it. */
class Screen {
  /** When somebody has had enough. Fails with the reason of the signal. */
  readonly left: Promise<void>
  private readonly context: Context
  private readonly views: readonly StatusView[]
  private readonly input: ReadStream
  private readonly output: WriteStream
  private look: Omit<Look, 'rows' | 'columns'>
  private leave: () => void = () => {}
  private drawnAt = Number.NEGATIVE_INFINITY
  private isDue = true
  private readonly timer: NodeJS.Timeout
  private readonly typed = (bytes: Uint8Array) => this.key(new TextDecoder().decode(bytes))
  private readonly resized = () => this.draw()
  private readonly release = () => this.close()
  private isClosed = false

  constructor(context: Context, views: readonly StatusView[], sort: Sort) {
    const { signal, stdio } = context
    this.context = context
    this.views = views
    this.look = { sort, isReversed: false, top: 0 }
    this.input = stdio.input as ReadStream
    this.output = stdio.output as WriteStream
    this.left = new Promise((resolve, reject) => {
      this.leave = resolve
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    this.input.setRawMode(true)
    this.input.on('data', this.typed)
    this.input.resume()
    this.output.on('resize', this.resized)
    process.on('exit', this.release)
    this.output.write(ENTER)
    this.timer = setInterval(() => this.tick(), DRAW_EVERY_MS)
    this.draw()
  }

  changed(): void {
    this.isDue = true
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    clearInterval(this.timer)
    this.input.off('data', this.typed)
    this.output.off('resize', this.resized)
    process.off('exit', this.release)
    if (this.input.isTTY) this.input.setRawMode(false)
    this.input.pause()
    this.output.write(LEAVE)
  }

  private key(text: string): void {
    if (QUITS.has(text)) {
      this.leave()
      return
    }
    const page = pageOf(this.size())
    const scroll = SCROLLS[text]?.(page)
    if (scroll !== undefined) {
      const last = Math.max(0, this.views.length - page)
      this.look = { ...this.look, top: Math.max(0, Math.min(last, this.look.top + scroll)) }
    } else if (Object.hasOwn(SORTS, text)) {
      this.look = { sort: SORTS[text as keyof typeof SORTS], isReversed: false, top: 0 }
    } else if (text === 'r') {
      this.look = { ...this.look, isReversed: !this.look.isReversed }
    } else return
    this.draw()
  }

  private tick(): void {
    const isOld = this.context.clock.elapsed() - this.drawnAt >= DRAW_ANYWAY_MS
    if (this.isDue || isOld) this.draw()
  }

  private draw(): void {
    if (this.isClosed) return
    this.isDue = false
    this.drawnAt = this.context.clock.elapsed()
    const rows = this.views.map(view => ({ cells: view.cells(), shown: view.json() }))
    const lines = screenOf(rows, { ...this.look, ...this.size() })
    this.output.write(HOME + lines.map(line => `${line}${TO_END_OF_LINE}`).join('\r\n'))
  }

  private size(): { rows: number; columns: number } {
    return { rows: this.output.rows || 24, columns: this.output.columns || 80 }
  }
}
