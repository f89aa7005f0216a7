/**
 * One run of a probe: a program with nothing to read, whose output is bounded and whose time is too. It, and whatever
 * it has started, ends with it.
 */

import { spawn } from 'node:child_process'
import { concat } from '../src/base/bytes.ts'
import type { Clock } from '../src/base/clock.ts'
import { PROBE_OUTPUT_MAX } from './probe-output.ts'
import { signalGroup } from './process-group.ts'

/** A probe looks at something; what takes longer does work. */
export const PROBE_LASTS_MS = 10_000
/** For what is still in the pipe when it has ended; a child of its own may hold that open for ever. */
const DRAIN_MS = 500
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type ProbeEnd =
  | { readonly is: 'said'; readonly output: Uint8Array }
  | { readonly is: 'failed'; readonly why: string }

/** Never fails; ends at once with the signal. */
export function runProbe(
  path: string,
  {
    name,
    clock,
    signal,
  }: { readonly name: string; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<ProbeEnd> {
  return new Promise(resolve => {
    const child = spawn(path, [], {
      ...{ cwd: '/', env: { PATH, LANG: 'C.UTF-8', BOX_PROBE: name } },
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true, // A process group of its own, which ends as a whole.
    })
    const pieces: Uint8Array[] = []
    let size = 0
    let failure: string | null = null
    const stop = (why: string) => {
      failure ??= why
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      drain()
    }
    const end = () => {
      for (const timer of [late, draining]) timer?.cancel()
      signal.removeEventListener('abort', aborted)
      child.stdout.destroy()
      resolve(
        failure === null
          ? { is: 'said', output: concat(...pieces) }
          : { is: 'failed', why: failure },
      )
    }
    let draining: ReturnType<Clock['after']> | null = null
    const drain = () => {
      draining ??= clock.after(DRAIN_MS, end)
    }
    const late = clock.after(PROBE_LASTS_MS, () =>
      stop(`took more than ${PROBE_LASTS_MS / 1_000} s`),
    )
    const aborted = () => stop('ended')
    signal.addEventListener('abort', aborted, { once: true })
    child.stdout.on('data', (piece: Uint8Array) => {
      size += piece.length
      if (size > PROBE_OUTPUT_MAX) stop(`printed more than ${PROBE_OUTPUT_MAX} bytes`)
      else pieces.push(piece)
    })
    child.once('error', error => {
      failure ??= `could not be run: ${(error as NodeJS.ErrnoException).code ?? 'unknown'}`
      drain()
    })
    child.once('exit', (code, name) => {
      if (code !== 0) failure ??= name === null ? `exit code ${code}` : `ended by ${name}`
      if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL')
      drain()
    })
    child.once('close', end)
  })
}
