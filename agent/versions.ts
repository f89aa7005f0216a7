/**
 * The folder in which versions of the executable lie beside each other, and the steps by which another one
 * becomes the current one. Each step leaves a machine that starts; none is more than one rename.
 */

import { execFileSync } from 'node:child_process'
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import { mustSuit, releaseRefused as refused } from '../src/box/executable-release.ts'
import { attempt, syncDirectory } from '../src/sys/file-store.ts'
import { TRIES_MAX } from './launcher.ts'
import type { Release } from './release.ts'

/** A new executable says its version within this, on a slow card too. */
const ANSWER_MS = 60_000
const UNFINISHED = '.incoming-'

export interface UpgradeOptions {
  /** The folder of the versions. */
  readonly directory: string
  readonly release: Release
  /** What this machine is: `linux-x64`. */
  readonly machine: string
  readonly downgrade: boolean
  /** The trial ends only with the word of an owner, over the mesh; see `awaitsOwner`. */
  readonly awaitOwner: boolean
  /** Told before each step; where it throws, the current version stays what it was. */
  readonly before?: (step: Step) => void
}

export type Step = 'unpack' | 'try' | 'put beside' | 'begin the trial' | 'switch' | 'end'

/** The version that is started next. Throws STATE_UNREADABLE. */
export const currentVersion = (directory: string): string =>
  attempt('STATE_UNREADABLE', join(directory, 'current'), () =>
    readlinkSync(join(directory, 'current')),
  )

/**
 * Makes the release the current version, on trial. Returns the version before. Throws RELEASE_REFUSED,
 * STATE_UNREADABLE, STATE_UNWRITABLE; then the current version is what it was.
 */
export function takeRelease({ directory, release, machine, ...rest }: UpgradeOptions): string {
  const { downgrade, awaitOwner, before: step = () => {} } = rest
  const { version } = release.manifest
  const before = currentVersion(directory)
  mustSuit(release.manifest, { version: before, machine, downgrade })
  return attempt('STATE_UNWRITABLE', directory, () => {
    tidyUp(directory, before)
    step('unpack')
    const incoming = mkdtempSync(join(directory, UNFINISHED))
    try {
      mkdirSync(join(incoming, version), { mode: 0o755 })
      const executable = join(incoming, version, 'box')
      release.unpack(executable)
      step('try')
      mustAnswer(executable, version)
      step('put beside')
      // Left by an attempt that was cut off, or by a trial that failed; never the current one.
      rmSync(join(directory, version), { recursive: true, force: true })
      renameSync(join(incoming, version), join(directory, version))
    } finally {
      rmSync(incoming, { recursive: true, force: true })
    }
    step('begin the trial')
    rmSync(join(directory, 'failed'), { force: true })
    if (awaitOwner) replaceText(directory, 'awaits', `${version}\n`)
    else rmSync(join(directory, 'awaits'), { force: true })
    replaceText(directory, 'trial', `${version} ${before} 0\n`)
    try {
      step('switch')
    } catch (error) {
      endTrial(directory, version)
      throw error
    }
    switchTo(directory, version)
    syncDirectory(directory)
    step('end')
    return before
  })
}

/** Makes another version, which lies there, the current one. */
function switchTo(directory: string, version: string): void {
  const aside = join(directory, `.current-${process.pid}`)
  rmSync(aside, { force: true })
  symlinkSync(version, aside)
  renameSync(aside, join(directory, 'current'))
}

function replaceText(directory: string, name: string, text: string): void {
  const aside = join(directory, `.new-${name}`)
  writeFileSync(aside, text)
  renameSync(aside, join(directory, name))
}

/** An executable that does not start, or is another than it says, never becomes current. */
function mustAnswer(executable: string, version: string): void {
  let said: string
  try {
    said = execFileSync(executable, ['box-agent', '--version'], {
      encoding: 'utf8',
      timeout: ANSWER_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
  } catch (cause) {
    throw new BoxError('RELEASE_REFUSED', 'It does not start on this machine.', cause)
  }
  if (said.trim() !== version) throw refused(`It says that it is ${said.trim().slice(0, 20)}`)
}

/** Removes what was cut off, and versions that are neither current nor the one to go back to. */
function tidyUp(directory: string, current: string): void {
  const kept = [current, trialOf(directory)?.before]
  for (const name of readdirSync(directory)) {
    const isVersion = /^\d+\.\d+\.\d+$/.test(name) && existsSync(join(directory, name, 'box'))
    if (name.startsWith(UNFINISHED) || (isVersion && !kept.includes(name)))
      rmSync(join(directory, name), { recursive: true, force: true })
  }
}

export interface Trial {
  readonly version: string
  readonly before: string
}

/** Whether this process may settle a trial: the hub in its sandbox may not. */
export function maySettle(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/** The trial that goes on; null where there is none. */
export function trialOf(directory: string): Trial | null {
  const [version, before] = textOf(directory, 'trial')?.split(' ') ?? []
  return version && before ? { version, before } : null
}

/** This version has proven itself; the trial of another one, which may have begun meanwhile, goes on. */
export function endTrial(directory: string, version: string): void {
  if (trialOf(directory)?.version !== version) return
  rmSync(join(directory, 'trial'), { force: true })
  rmSync(join(directory, 'awaits'), { force: true })
}

/** Whether the trial of this version ends only when an owner has reached it and says so. */
export const awaitsOwner = (directory: string, version: string): boolean =>
  textOf(directory, 'awaits') === version

/**
 * Whether another version than this process is current, and waits for an owner: whoever made it so has outlived the
 * agent that asked for it, and nobody has started it.
 */
export function isOvertaken(directory: string, running: string): boolean {
  const trial = trialOf(directory)
  if (!trial || trial.version === running || !awaitsOwner(directory, trial.version)) return false
  return currentVersion(directory) === trial.version
}

/** The version that gave way last, by the launcher's word; null where none did since the last trial began. */
export const failedVersion = (directory: string): string | null => textOf(directory, 'failed')

/** Has the version on trial give way at the next start, however often it was started. */
export function giveWay(directory: string): void {
  const trial = trialOf(directory)
  if (trial) replaceText(directory, 'trial', `${trial.version} ${trial.before} ${TRIES_MAX}\n`)
}

function textOf(directory: string, name: string): string | null {
  try {
    return readFileSync(join(directory, name), 'utf8').trim()
  } catch {
    return null
  }
}
