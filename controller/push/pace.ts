/** How fast a roll-out goes on, as it is said on the command line, and what is told when it is over. */

import type { Argv } from 'yargs'
import { BoxError } from '../../src/base/errors.ts'
import type { Output } from '../output.ts'
import type { Rollout, RolloutOptions, Verdict } from './rollout.ts'

export interface Pace {
  readonly canary: number
  readonly batch: number
  readonly 'max-failures': number
}

export const pacing = <A>(yargs: Argv<A>, batch: number) =>
  yargs
    .option('canary', { type: 'number', default: 1, describe: 'so many must succeed first' })
    .option('batch', { type: 'number', default: batch, describe: 'so many at a time then' })
    .option('max-failures', {
      type: 'number',
      default: 0,
      describe: 'stop when more devices than this have failed',
    })

/** Throws INPUT_INVALID. */
export function paceOf({ canary, batch, 'max-failures': failuresMax }: Pace): RolloutOptions {
  for (const [name, value, least] of [
    ['canary', canary, 0],
    ['batch', batch, 1],
    ['max-failures', failuresMax, 0],
  ] as const)
    if (!Number.isInteger(value) || value < least)
      throw new BoxError('INPUT_INVALID', `--${name} takes a whole number from ${least}.`)
  return { canary, batch, failuresMax }
}

/** Who was not tried, and how many have it; of those that were tried each was told when it was done. */
export function tellRest<D extends { readonly name: string }, R>(
  output: Output,
  width: number,
  { results, untried }: Rollout<D, R>,
  verdictOf: (result: R) => Verdict,
): void {
  const count = (verdict: Verdict) =>
    results.filter(({ result }) => verdictOf(result) === verdict).length
  for (const { name } of untried)
    output.result(`${name.padEnd(width)}  not tried`, { name, result: 'not_tried' })
  if (untried.length > 0)
    output.remark(`Stopped: ${count('failure')} failed, ${untried.length} were not tried.`)
  const devices = results.length + untried.length
  if (devices > 1)
    output.remark(
      `${count('success')} of ${devices} devices have it, ${count('failure')} failed, ${count('skipped')} are off.`,
    )
}
