/**
 * The machine's side of an upgrade over the mesh: whether this installation takes one, the other process that
 * makes a release current (it works for seconds, while the agent has to live), and the trial of what came so.
 */

import { execFile } from 'node:child_process'
import { existsSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError, ERRORS, type ErrorCode } from '../src/base/errors.ts'
import { VERSION } from '../src/base/version.ts'
import { isOneFile, ownProgram, versionsDirectory } from '../src/sys/own-programs.ts'
import { forgetOldRelease, mustHaveRoom } from './incoming-release.ts'
import { pinnedKeys } from './release.ts'
import {
  awaitsOwner,
  endTrial,
  failedVersion,
  giveWay,
  isOvertaken,
  maySettle,
  type Trial,
  trialOf,
} from './versions.ts'

/** To unpack it, on a slow card, and to ask it for its version. */
const TAKE_MS = 5 * 60_000
/** In the state directory. */
const INCOMING = 'release.part'

export interface Upgrader {
  /** Of the process that runs. */
  readonly version: string
  readonly machine: string
  /** Why no release is taken over the mesh; null where one is. */
  readonly refusal: string | null
  /** Where a release is put together. */
  readonly incoming: string
  /** The executable that runs. */
  readonly current: string
  keys(): readonly Uint8Array[]
  trial(): Trial | null
  /** The version that gave way last. */
  failed(): string | null
  /** Whether the process that runs waits for an owner's word. */
  isAwaiting(): boolean
  /** Whether another version is to be started than runs, and nobody has: see versions.ts. */
  isOvertaken(): boolean
  /** Makes the release in this file the current version, on trial; returns the one before. Fails with RELEASE_REFUSED. */
  take(path: string, options: { readonly downgrade: boolean }): Promise<string>
  /** Forgets what was put together. */
  drop(): void
  /** Ends the agent, so that the current version is started. */
  restart(): void
  /** An owner has reached the version on trial: it stays. */
  prove(): void
}

/** That of this machine; `restart` ends the agent. */
export function machineUpgrader(state: string, now: number, restart: () => void): Upgrader {
  const versions = versionsDirectory()
  const incoming = join(state, INCOMING)
  forgetOldRelease(incoming, now)
  return {
    version: VERSION,
    machine: `${process.platform}-${process.arch}`,
    refusal: refusalHere(versions),
    incoming,
    current: versions === null ? '' : join(versions, VERSION, 'box'),
    keys: () => pinnedKeys(),
    trial: () => (versions === null ? null : trialOf(versions)),
    failed: () => (versions === null ? null : failedVersion(versions)),
    isAwaiting: () => versions !== null && awaitsHere(versions),
    isOvertaken: () => versions !== null && isOvertaken(versions, VERSION),
    take: async (path, { downgrade }) => {
      mustHaveRoom(versions!, sizeOf(path))
      const words = ['upgrade', '--file', path, '--await-owner', '--json']
      const said = await runOwn([...words, ...(downgrade ? ['--downgrade'] : [])])
      return String(said.before)
    },
    drop: () => rmSync(incoming, { force: true }),
    restart,
    prove: () => endTrial(versions!, VERSION),
  }
}

/** Whether this process is on trial and only an owner can end that. */
export const awaitsHere = (versions: string): boolean =>
  trialOf(versions)?.version === VERSION && awaitsOwner(versions, VERSION)

/** Nobody has confirmed it in time: not to be started again. */
export const giveWayHere = (versions: string): void => {
  if (awaitsHere(versions)) giveWay(versions)
}

/** Why this installation takes no release over the mesh, and what to do instead. */
export function refusalHere(
  versions: string | null,
  env: NodeJS.ProcessEnv = process.env,
): string | null {
  if (versions === null) return howInstalled()
  if (!maySettle(versions))
    return 'This agent may not change its executable: run `box-agent upgrade` on the machine.'
  if (!env.NOTIFY_SOCKET)
    return 'This agent is not started by a service manager, so nothing would start the new version: run `box-agent install` on the machine.'
  return null
}

function howInstalled(): string {
  if (existsSync('/etc/openwrt_release'))
    return 'It was installed from a package: upgrade that with opkg or apk on the machine.'
  if (isOneFile() && process.execPath.startsWith('/usr/lib/'))
    return 'It was installed from a package: `apt install` the new one on the machine, then `systemctl restart secushare-box`.'
  if (isOneFile())
    return 'Its executable lies where somebody has put it: run `box-agent install` on the machine first.'
  return 'It runs from sources or from npm: upgrade these on the machine, or `box-agent install` the one executable.'
}

const sizeOf = (path: string): number => {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 }
  return size
}

/** Runs a command of this version; what it says as JSON. Fails with what it fails with. */
function runOwn(words: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  const [program, ...rest] = [...ownProgram('box-agent'), ...words]
  return new Promise((resolve, reject) => {
    execFile(program!, rest, { timeout: TAKE_MS, cwd: '/' }, (error, out, err) => {
      if (error) reject(saidError(err))
      else resolve(jsonOf(out) ?? {})
    })
  })
}

function saidError(err: string): BoxError {
  const { code, message } = (jsonOf(err)?.error ?? {}) as Record<string, unknown>
  const isKnown = typeof code === 'string' && Object.hasOwn(ERRORS, code)
  if (!isKnown || typeof message !== 'string')
    return new BoxError('RELEASE_REFUSED', 'It could not be put in place.')
  const sentence = ERRORS[code as ErrorCode][1]
  return new BoxError(code as ErrorCode, message.slice(sentence.length).trim())
}

function jsonOf(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text.trim().split('\n').at(-1) ?? '')
  } catch {
    return null
  }
}
