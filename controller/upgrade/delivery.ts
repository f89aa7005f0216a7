/**
 * One upgrade of one device: hands over what the device lacks of a release, and then finds the new version over
 * a new connection. Where it does not, the device goes back by itself, and this waits to hear so.
 */

import { pause } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import { PIECE_BYTES, pieceCount } from '../../src/box/executable-release.ts'
import { type Json, PushTalk } from '../../src/box/push-talk.ts'
import {
  readMissingPieces,
  readUpgradeState,
  type UpgradeState,
} from '../../src/box/upgrade-report.ts'
import type { Context } from '../context.ts'
import { reach } from '../device-session.ts'
import type { Device } from '../fleet.ts'
import type { Following } from '../push/delivery.ts'
import type { ReleaseFile, Releases } from './releases.ts'

/** A connection that is lost on the way is made again so often without anything new having arrived. */
const RETRIES_MAX = 3
const ASK_AGAIN_MS = 2_000
/** A try to reach it again. */
const TRY_MS = 20_000
/** A device that starts slowly, is counted three times and goes back has done so by then (agent/trial.ts). */
export const VERDICT_MS = 15 * 60_000

/** How it went. */
export type Upgraded =
  | { readonly is: 'upgraded'; readonly version: string; readonly before: string }
  | { readonly is: 'unchanged'; readonly version: string }
  | { readonly is: 'gave way'; readonly version: string; readonly before: string }
  /** Before it had all of it: it has what it had. */
  | { readonly is: 'stopped' }
  | { readonly is: 'offline' | 'refused' | 'lost'; readonly error: BoxError }

export interface UpgradeWish {
  readonly releases: Releases
  readonly downgrade: boolean
  /** From then on nothing more is handed over; a version that is on trial is waited for all the same. */
  readonly isStopped?: () => boolean
}

/** Expected failures are in what comes back. */
export async function upgradeDevice(
  context: Context,
  device: Device,
  wish: UpgradeWish,
  following: Following,
): Promise<Upgraded> {
  const { note } = following
  note('looking for it')
  let state: UpgradeState
  let release: ReleaseFile
  try {
    state = await upgradeState(context, device, following.timeoutMs)
  } catch (error) {
    return failure(context, error, 'offline')
  }
  try {
    release = suiting(wish.releases, state)
    const { version } = release.manifest
    if (state.version === version) {
      if (!state.awaiting) return { is: 'unchanged', version }
    } else if (state.trial?.version !== version) {
      const before = await handOver(context, device, { ...wish, release }, following)
      if (before === null) return wish.isStopped?.() ? { is: 'stopped' } : interrupted()
    }
    note('waiting for the new version')
    return await proveAnew(context, device, { version, before: beforeOf(state) }, note)
  } catch (error) {
    return failure(context, error, 'lost')
  }
}

const beforeOf = ({ trial, version }: UpgradeState): string => trial?.before ?? version

const interrupted = (): Upgraded => ({
  is: 'lost',
  error: new BoxError(
    'CHANNEL_LOST',
    'The device has what it had; say it again, and it goes on where it was.',
  ),
})

/** Which version runs there. Fails as `reach`, and with NOT_PERMITTED. */
export const upgradeState = (
  context: Context,
  device: Device,
  timeoutMs: number,
): Promise<UpgradeState> => withTalk(context, device, timeoutMs, stateIn)

/** Throws RELEASE_REFUSED where there is none for it, or it takes none. */
export function suiting(releases: Releases, { refusal, machine }: UpgradeState): ReleaseFile {
  if (refusal !== null) throw new BoxError('RELEASE_REFUSED', refusal)
  const found = releases.get(machine)
  if (found) return found
  const there = [...releases.keys()].join(', ')
  throw new BoxError('RELEASE_REFUSED', `It is ${machine}, and the release is for ${there}.`)
}

/** Until the device has made it current; the version before, or null where it could not be finished. */
async function handOver(
  context: Context,
  device: Device,
  { release, downgrade, isStopped = () => false }: UpgradeWish & { readonly release: ReleaseFile },
  { timeoutMs, note }: Following,
): Promise<string | null> {
  let least = Infinity
  for (let retries = 0; retries <= RETRIES_MAX; retries++) {
    try {
      return await withTalk(context, device, Math.max(timeoutMs, TRY_MS), async talk => {
        const missing = await offer(talk, release, downgrade)
        const left = missing.reduce((sum, { count }) => sum + count, 0)
        if (left < least) retries = 0
        least = left
        let sent = 0
        for (const { first, count } of missing) {
          if (isStopped()) return null
          note(`${megabytes(sent)} of ${megabytes(left)} MB`)
          const bytes = release.pieces(first, count)
          await talk.give('pieces', bytes, { first })
          sent += count
        }
        const { before } = await talk.ask('upgrade', {}, ({ step }: Json) => note(String(step)))
        return String(before)
      })
    } catch (error) {
      context.signal.throwIfAborted()
      if (!(error instanceof BoxError && error.family === 'unreachable')) throw error
      if (await isTaken(context, device, release.manifest.version)) return ''
      note('connecting again')
    }
  }
  return null
}

const megabytes = (pieces: number): string => ((pieces * PIECE_BYTES) / 1_000_000).toFixed(1)

/** What the device lacks of it. */
async function offer(talk: PushTalk, release: ReleaseFile, downgrade: boolean) {
  const { head, manifest } = release
  const offered = new Uint8Array(Buffer.concat([head, await release.hashes()]))
  const said = await talk.give('release', offered, { downgrade, head: head.length })
  return readMissingPieces(said, pieceCount(manifest.size))
}

/** Whether a device whose answer was lost has made it current nevertheless. */
async function isTaken(context: Context, device: Device, version: string): Promise<boolean> {
  try {
    let state = await upgradeState(context, device, TRY_MS)
    while (state.taking && state.trial === null) {
      await pause(context.clock, ASK_AGAIN_MS, context.signal)
      state = await upgradeState(context, device, TRY_MS)
    }
    return state.trial?.version === version || state.version === version
  } catch (error) {
    if (error instanceof BoxError && error.family === 'unreachable') return false
    throw error
  }
}

/** Asks over new channels until the new version is there and proven, or the one before is back. */
async function proveAnew(
  context: Context,
  device: Device,
  { version, before }: { readonly version: string; readonly before: string },
  note: (doing: string) => void,
): Promise<Upgraded> {
  const { clock, signal } = context
  const deadline = clock.elapsed() + VERDICT_MS
  let reason: unknown = null
  while (clock.elapsed() < deadline) {
    try {
      const verdict = await withTalk(context, device, TRY_MS, async talk => {
        const state = await stateIn(talk)
        if (state.version !== version)
          return state.trial?.version === version ? null : ('gave way' as const)
        if (state.awaiting) await talk.ask('prove', { version })
        return 'upgraded' as const
      })
      if (verdict) return { is: verdict, version, before }
      note('waiting for the new version')
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof BoxError)) throw error
      reason = error
      note('not reachable; it goes back by itself if it stays so')
    }
    await pause(clock, ASK_AGAIN_MS, signal)
  }
  const detail = 'It was not heard of again; without our word it goes back by itself.'
  return { is: 'lost', error: new BoxError('PEER_TIMEOUT', detail, reason) }
}

const stateIn = async (talk: PushTalk): Promise<UpgradeState> =>
  readUpgradeState(await talk.ask('version', {}))

/** Over a channel of its own. Fails as `reach`, and with what `work` fails with. */
async function withTalk<T>(
  context: Context,
  device: Device,
  timeoutMs: number,
  work: (talk: PushTalk) => Promise<T>,
): Promise<T> {
  const { channel } = await reach(context, device, { service: 'upgrade', timeoutMs })
  const talk = new PushTalk(channel, context.clock, context.signal)
  try {
    return await work(talk)
  } finally {
    talk.close()
  }
}

function failure({ signal }: Context, error: unknown, otherwise: 'offline' | 'lost'): Upgraded {
  signal.throwIfAborted()
  if (!(error instanceof BoxError)) throw error
  const isAway = error.family === 'unreachable' || error.family === 'unknown'
  return { is: isAway ? otherwise : 'refused', error }
}
