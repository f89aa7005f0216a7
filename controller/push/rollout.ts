/** In which order a change goes through a fleet, and when it stops: one first, then some at a time, until too many fail. */

import { inParallel } from '../parallel.ts'

export interface RolloutOptions {
  /** So many must succeed before anybody else is touched; 0: none. */
  readonly canary: number
  /** So many at once from then on. */
  readonly batch: number
  /** More failures than this stop it, after the batch in which they happen. A failing canary always does. */
  readonly failuresMax: number
  /** From then on nobody else is touched. */
  readonly isStopped?: () => boolean
}

export type Verdict = 'success' | 'failure' | 'skipped'

export interface Rollout<D, R> {
  /** What became of each device that was tried, in the order in which they were. */
  readonly results: readonly { readonly device: D; readonly result: R }[]
  readonly untried: readonly D[]
}

/** Runs `work` for each device until done or stopped. `skipped` is what counts for nothing: a device that is off. */
export async function rollOut<D, R>(
  devices: readonly D[],
  { canary, batch, failuresMax, isStopped = () => false }: RolloutOptions,
  work: (device: D, phase: 'canary' | 'batch') => Promise<R>,
  verdict: (result: R) => Verdict,
): Promise<Rollout<D, R>> {
  const results: { device: D; result: R }[] = []
  const left = [...devices]
  const count = (wanted: Verdict) =>
    results.filter(({ result }) => verdict(result) === wanted).length
  const next = async (size: number, phase: 'canary' | 'batch') => {
    const some = left.splice(0, size)
    const done = await inParallel(some, size, device => work(device, phase))
    some.forEach((device, i) => {
      results.push({ device, result: done[i]! })
    })
  }
  const goesOn = () => left.length > 0 && !isStopped()
  while (goesOn() && count('success') < canary) {
    await next(canary - count('success'), 'canary')
    if (count('failure') > 0) return { results, untried: left }
  }
  while (goesOn() && count('failure') <= failuresMax) await next(batch, 'batch')
  return { results, untried: left }
}
