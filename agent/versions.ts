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
import { attempt, syncDirectory } from '../src/sys/file-store.ts'
import { compareVersions, type Release } from './release.ts'

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
  /** Told before each step; for tests that cut it off there. */
  readonly before?: (step: string) => void
}

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
  const { downgrade, before: step = () => {} } = rest
  const { version, machine: wanted } = release.manifest
  const before = currentVersion(directory)
  if (wanted !== machine) throw refused(`It is for ${wanted}, and this is ${machine}`)
  if (version === before) throw refused(`${version} is the current version`)
  if (compareVersions(version, before) < 0 && !downgrade)
    throw refused(`${version} is older than ${before}: say --downgrade if you mean it`)
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
    replaceText(directory, 'trial', `${version} ${before} 0\n`)
    step('switch')
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
  let text: string
  try {
    text = readFileSync(join(directory, 'trial'), 'utf8')
  } catch {
    return null
  }
  const [version, before] = text.trim().split(' ')
  return version && before ? { version, before } : null
}

/** The version on trial has proven itself. */
export function endTrial(directory: string): void {
  rmSync(join(directory, 'trial'), { force: true })
}

const refused = (why: string) => new BoxError('RELEASE_REFUSED', `${why}.`)
