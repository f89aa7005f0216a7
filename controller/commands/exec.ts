/** box exec: one command on many devices at once; every line says whose it is. */

import { readFile } from 'node:fs/promises'
import { addAbortSignal } from 'node:stream'
import { concat } from '../../src/base/bytes.ts'
import { BoxError, ERRORS, EXIT_CODES } from '../../src/base/errors.ts'
import { WAITING_WORDS } from '../../src/box/approval.ts'
import { mustFitJob } from '../../src/box/job-statement.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { runThere } from '../errands/errand.ts'
import type { Device } from '../fleet.ts'
import { LinePrefix } from '../line-prefix.ts'
import type { Output } from '../output.ts'
import { inParallel } from '../parallel.ts'
import type { CommandEnd } from '../remote-command.ts'
import { select } from '../selector.ts'
import { commandLine } from '../shell-words.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'
import { userAt } from '../user-at.ts'

/** Enough to keep one line busy; each costs a channel and a key exchange. */
const PARALLEL = 32
/** Standard input and scripts are held in memory, once for all devices. */
const INPUT_MAX = 16 * 1_048_576
/** What --json keeps of each stream of a device. */
const KEPT_MAX = 1_048_576

interface Arguments {
  readonly selector: string | undefined
  readonly all: boolean
  readonly parallel: number
  readonly timeout: number
  readonly limit: number | undefined
  readonly stdin: boolean
  readonly script: string | undefined
  readonly queue: boolean
  readonly expires: string | undefined
  readonly every: string | undefined
  readonly two: boolean
}

/** What became of the command on one device. */
interface Outcome extends CommandEnd {
  readonly name: string
  readonly stdout: string
  readonly stderr: string
  /** Whether more was printed than is kept. */
  readonly truncated: boolean
}

export const exec = command<Arguments>({
  usage: 'exec [selector]',
  examples: [
    ['box exec @routers -- uptime', 'runs uptime on every device tagged "routers"'],
    ['box exec ada@@routers -- id', 'as the user ada of each of them'],
    ['box exec --all --json -- df -P /', 'one JSON object a device, with output and exit code'],
    ["box exec kitchen -- 'dmesg | tail -3'", 'one word is a line for the shell'],
    ['box exec @routers --script fix.sh -- now', 'runs a script of here there, with an argument'],
    ['box exec --all --stdin -- tee /etc/motd < motd', 'gives its input to all of them'],
    ['box exec @routers --queue -- opkg update', 'where a device is off, runs when it is back'],
    ['box exec kitchen --two -- reboot', 'once another person has approved it: see box approve'],
    ['box exec kitchen --every "daily 03:30" -- fstrim /', 'runs there every night; see box jobs'],
  ],
  options: yargs =>
    yargs
      .positional('selector', { type: 'string', describe: 'a name, or @tag; USER@NAME, USER@@tag' })
      .option('all', { type: 'boolean', default: false, describe: 'all devices' })
      .option('parallel', { type: 'number', default: PARALLEL, describe: 'so many at a time' })
      .option('timeout', TIMEOUT)
      .option('limit', { type: 'number', describe: 'end the command after so many seconds' })
      .option('stdin', { type: 'boolean', default: false, describe: 'give our input to all' })
      .option('script', { type: 'string', describe: 'run this file there, with sh' })
      .option('queue', {
        type: 'boolean',
        default: false,
        describe: 'for devices that are off, let it wait for them: see box jobs',
      })
      .option('every', {
        type: 'string',
        describe: 'have the devices run it again and again: 1h, "daily 03:30", "15 3 * * 1"',
      })
      .option('two', {
        type: 'boolean',
        default: false,
        describe: 'run it only once another person has approved it there; ^C takes it back',
      })
      .option('expires', {
        type: 'string',
        describe: 'until when what waits, or comes again, may begin: 12h, 7d (30d with --every)',
      })
      .epilogue(
        'Exit code: that of the command where it is the same on all devices, 1 where it differs,\n' +
          'and 69 to 78 as box itself would end where a device could not be asked: 77 where another person\n' +
          'has denied it, 75 where nobody has approved it in time.',
      ),
  run: async (context, args) => {
    const { fleet, output } = context
    const words = args['--'] ?? []
    if (words.length === 0 && args.script === undefined)
      throw new BoxError('INPUT_INVALID', 'Give the command after "--", or a --script.')
    if (args.limit !== undefined && !(args.limit > 0))
      throw new BoxError('INPUT_INVALID', '--limit takes seconds.')
    if (!Number.isInteger(args.parallel) || args.parallel < 1)
      throw new BoxError('INPUT_INVALID', '--parallel takes a whole number from 1.')
    mustFit(args)
    const isLater = args.queue || args.every !== undefined
    // Loaded here: most commands are run at once. Before anything runs anywhere.
    const jobs = isLater ? await import('../jobs/later.ts') : null
    jobs?.mustLast({ every: args.every ?? null, expires: args.expires })
    const { user, name } = userAt(args.selector ?? '')
    const devices = select(fleet.devices(), name || undefined, { all: args.all })
    const width = Math.max(...devices.map(({ name }) => name.length))
    const line = args.script === undefined ? commandLine(words) : scriptLine(words)
    const input = await inputOf(context, args)
    const later = { line, input, limit: args.limit, every: args.every ?? null, user }
    if (jobs) mustFitJob(later)
    if (jobs && args.every !== undefined) return await jobs.schedule(context, devices, later, args)
    const outcomes = await inParallel(devices, args.parallel, async device => {
      const outcome = await runOn(context, device, { line, input, width, user, ...args })
      if (output.json && !(args.queue && isAway(outcome))) output.result('', outcome)
      return outcome
    })
    if (!jobs) return conclude(context, outcomes)
    const away = devices.filter((_, i) => isAway(outcomes[i]!))
    await jobs.letWait(context, away, later, args)
    const done = outcomes.filter(outcome => !isAway(outcome))
    return done.length > 0 ? conclude(context, done) : 0
  },
})

/** Throws INPUT_INVALID. */
function mustFit({ queue, every, expires, two }: Arguments): void {
  if (two && (queue || every !== undefined))
    throw new BoxError(
      'INPUT_INVALID',
      'What waits for another person waits here: no --queue, --every.',
    )
  if (queue && every !== undefined)
    throw new BoxError('INPUT_INVALID', 'What comes again waits for its device anyway: no --queue.')
  if (expires !== undefined && !queue && every === undefined)
    throw new BoxError('INPUT_INVALID', '--expires goes with --queue or --every.')
}

/** Never begun, because there was no way to the device. */
const isAway = ({ error, begun }: Outcome): boolean => {
  if (!error || begun) return false
  const family = ERRORS[error.code][0]
  return family === 'unreachable' || family === 'unknown'
}

/** `sh` reads the script from its input; the words are its arguments. */
const scriptLine = (words: readonly string[]): string => commandLine(['sh', '-s', '--', ...words])

/** What every device gets as its standard input. */
async function inputOf(
  { stdio, signal }: Context,
  { stdin, script }: Arguments,
): Promise<Uint8Array> {
  if (stdin && script !== undefined)
    throw new BoxError(
      'INPUT_INVALID',
      'Give either --stdin or --script: sh reads the script there.',
    )
  if (script !== undefined) {
    try {
      return await readFile(script)
    } catch (cause) {
      throw new BoxError('FILE_UNUSABLE', `${script} cannot be read.`, cause)
    }
  }
  if (!stdin) return new Uint8Array(0)
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of addAbortSignal(signal, stdio.input)) {
    pieces.push(piece as Uint8Array)
    size += (piece as Uint8Array).length
    if (size > INPUT_MAX)
      throw new BoxError('INPUT_INVALID', `The input is longer than ${INPUT_MAX} bytes.`)
  }
  return concat(...pieces)
}

interface Job extends Arguments {
  readonly line: string
  readonly input: Uint8Array
  /** Of the longest name. */
  readonly width: number
  readonly user: string | null
}

async function runOn(
  context: Context,
  device: Device,
  { line, input, width, user, timeout, limit, two }: Job,
): Promise<Outcome> {
  const heard = new Hearing(context, device.name, width)
  const limits = { timeoutMs: timeoutMs(timeout), limitS: limit ?? null }
  const job = { line, input, user, ...limits, approved: two }
  const end = await runThere(context, device, job, (from, piece) => heard.take(from, piece))
  return { name: device.name, ...end, ...heard.end() }
}

/** What a device prints: passed on line by line, or kept for --json. */
class Hearing {
  private readonly kept = { out: [] as Uint8Array[], err: [] as Uint8Array[] }
  private readonly size = { out: 0, err: 0 }
  private readonly lines: { out: LinePrefix; err: LinePrefix } | null
  private readonly output: Output
  private readonly name: string

  constructor({ output }: Context, name: string, width: number) {
    this.output = output
    this.name = name
    const printing = (to: 'out' | 'err') =>
      new LinePrefix(`${name.padEnd(width)} | `, line => output.raw(line, to))
    this.lines = output.json ? null : { out: printing('out'), err: printing('err') }
  }

  /** Resolves when whoever reads us has caught up. */
  take(stream: 'out' | 'err', piece: Uint8Array): Promise<void> | undefined {
    if (this.lines) {
      this.lines[stream].take(piece)
      return this.output.behind()
    }
    if (stream === 'err' && this.size.err === 0) this.tellWaiting(piece)
    const room = KEPT_MAX - this.size[stream]
    if (room > 0) this.kept[stream].push(piece.slice(0, room))
    this.size[stream] += piece.length
    return undefined
  }

  /** With --json nothing else would be seen before the end. */
  private tellWaiting(piece: Uint8Array): void {
    const text = new TextDecoder().decode(piece)
    const [, id] = /ID (\w+)/.exec(text) ?? []
    if (text.startsWith(WAITING_WORDS) && id)
      this.output.result('', { name: this.name, waits_for_approval: id })
  }

  end(): Pick<Outcome, 'stdout' | 'stderr' | 'truncated'> {
    this.lines?.out.end()
    this.lines?.err.end()
    const text = (stream: 'out' | 'err') => new TextDecoder().decode(concat(...this.kept[stream]))
    const truncated = Math.max(this.size.out, this.size.err) > KEPT_MAX
    return { stdout: text('out'), stderr: text('err'), truncated }
  }
}

function conclude({ output }: Context, outcomes: readonly Outcome[]): number {
  const unasked = outcomes.flatMap(({ name, error }) => (error ? [{ name, error }] : []))
  for (const { name, error } of unasked) output.remark(`${name}: ${error.message}`)
  const codes = new Set(outcomes.flatMap(({ exit_code }) => exit_code ?? []))
  const failed = outcomes.filter(({ exit_code }) => exit_code !== 0).length
  if (outcomes.length > 1)
    for (const { name, exit_code, ms } of outcomes)
      if (exit_code) output.remark(`${name}: exit code ${exit_code} after ${ms} ms.`)
  if (outcomes.length > 1 && failed > 0)
    output.remark(`${outcomes.length - failed} of ${outcomes.length} devices ended with 0.`)
  if (unasked.length > 0)
    return Math.max(...unasked.map(({ error }) => EXIT_CODES[ERRORS[error.code][0]]))
  return codes.size === 1 ? [...codes][0]! : 1
}
