/** box jobs: commands that wait for their devices, run there or come again; what came of them, and their end. */

import { BoxError } from '../../src/base/errors.ts'
import { command } from '../command.ts'
import type { Context } from '../context.ts'
import { devicesWithJobs, settle } from '../jobs/courier.ts'
import { isDone, JobBook, type QueuedJob } from '../jobs/job-book.ts'
import { exitCode, jobValue, printed, stateText, tell } from '../jobs/job-view.ts'
import { cancelJob } from '../jobs/queue.ts'
import { TIMEOUT, timeoutMs } from '../timeout.ts'

const ACTIONS = ['ls', 'show', 'cancel', 'rm'] as const

interface Arguments {
  readonly action: (typeof ACTIONS)[number]
  readonly id: string | undefined
  readonly device: string | undefined
  readonly over: boolean
  readonly offline: boolean
  readonly timeout: number
}

export const jobs = command<Arguments>({
  usage: 'jobs [action] [id]',
  examples: [
    ['box jobs', 'asks the devices how far they are, and lists all'],
    ['box jobs show 7Q3X', 'what the job whose name begins so has printed, on each device'],
    ['box jobs cancel 7Q3X --device hut', 'ends it, also on a device that is off now'],
    ['box jobs rm --over', 'forgets what is over'],
  ],
  options: yargs =>
    yargs
      .positional('action', { choices: ACTIONS, default: 'ls' as const, describe: 'what to do' })
      .positional('id', { type: 'string', describe: 'the first letters of its name will do' })
      .option('device', { type: 'string', describe: 'only on this device' })
      .option('over', { type: 'boolean', default: false, describe: 'rm: all that is over' })
      .option('offline', {
        type: 'boolean',
        default: false,
        describe: 'ask nobody: show what is known here',
      })
      .option('timeout', TIMEOUT)
      .epilogue(
        'Exit code of show: that of the command where it is the same on all devices, 1 where it differs,\n' +
          '75 where it was interrupted or its time was over, 77 where a device refused it.',
      ),
  run: async (context, args) => {
    const { action, offline, timeout } = args
    if (action === 'rm') return await remove(context, args)
    if (action === 'cancel') return await cancel(context, args)
    const devices = devicesWithJobs(context)
    if (!offline && devices.length > 0) {
      const progress = context.output.progress('asking the devices')
      await settle(context, devices, timeoutMs(timeout)).finally(progress.end)
    }
    if (action === 'show') return show(context, chosen(context, args))
    const all = new JobBook(context.state).all().filter(isOn(args))
    if (all.length === 0) context.output.remark('There are no jobs.')
    tell(context, all)
    return 0
  },
})

const isOn =
  ({ device }: Arguments) =>
  ({ name }: QueuedJob): boolean =>
    device === undefined || name === device

function chosen({ state }: Context, args: Arguments): readonly QueuedJob[] {
  if (!args.id) throw new BoxError('INPUT_INVALID', 'Say which job: box jobs lists them.')
  const found = new JobBook(state).find(args.id).filter(isOn(args))
  if (found.length > 0) return found
  throw new BoxError('JOB_UNKNOWN')
}

function show({ output }: Context, jobs: readonly QueuedJob[]): number {
  for (const job of jobs) {
    if (output.json) {
      output.result('', jobValue(job))
      continue
    }
    output.remark(`${job.name}: ${stateText(job)}: ${job.line}`)
    for (const run of job.report?.runs ?? []) {
      const end = run.why ? ` ${run.why}` : ''
      output.remark(`${job.name}: begun ${new Date(run.began).toISOString()}.${end}`)
      output.raw(printed(run.out, run.outDropped), 'out')
      output.raw(printed(run.err, run.errDropped), 'err')
    }
  }
  return exitCode(jobs)
}

async function cancel(context: Context, args: Arguments): Promise<number> {
  const found = chosen(context, args)
  for (const job of found) if (!isDone(job) && !job.cancel) await cancelJob(context, job)
  const devices = devicesWithJobs(context).filter(({ name }) =>
    found.some(job => job.name === name),
  )
  if (devices.length > 0) await settle(context, devices, timeoutMs(args.timeout))
  tell(context, chosen(context, args))
  return 0
}

async function remove(context: Context, args: Arguments): Promise<number> {
  const book = new JobBook(context.state)
  const found = args.over ? book.all().filter(isOn(args)) : chosen(context, args)
  const now = context.clock.now()
  // What is past its time begins no more, wherever it is.
  const over = found.filter(job => isDone(job) || job.expiresAt <= now)
  if (!args.over && over.length < found.length)
    throw new BoxError('INPUT_INVALID', 'It is not over yet: box jobs cancel ends it.')
  for (const job of over) await book.remove(job)
  context.output.result(`${over.length} forgotten.`, { forgotten: over.length })
  return 0
}
