/**
 * A lock on a state directory, so that two processes never share one. It needs no tidying up: the
 * lock of a process that is gone, by whatever death, counts as free, even where its pid is in use again.
 *
 * The lock is a row of symbolic links `.lock-1`, `.lock-2`, … that point at the name of a process; the
 * highest counts. Making a link is atomic and fails where it exists, and the highest is never removed:
 * so whoever finds a dead holder can only go past it, and only one can.
 *
 * Two containers with process spaces of their own cannot see each other's processes, and must not be
 * given the same directory.
 */

import { readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../base/errors.ts'
import { attempt, makeDirectory } from './file-store.ts'

export interface StateLock {
  /** Lets others have the directory; harmless when called again. */
  release(): void
}

/** As often as others may come between looking and taking. */
const ATTEMPTS_MAX = 100
const FREE = 'free'
const LINK = /^\.lock-(\d{1,15})$/

/** Takes the directory, or throws BoxError STATE_LOCKED with the pid of who has it. */
export function lockState(directory: string): StateLock {
  attempt('STATE_UNWRITABLE', directory, () => makeDirectory(directory))
  for (let i = 0; i < ATTEMPTS_MAX; i++) {
    const number = attempt('STATE_UNWRITABLE', directory, () => take(directory))
    if (number !== null) return { release: () => release(directory, number) }
  }
  throw new BoxError('STATE_LOCKED', `${directory}: too many want it at once.`)
}

/** The process that has the directory; null where nobody has. */
export function lockHolder(directory: string): number | null {
  const top = highest(directory)
  const holder = top > 0 ? target(directory, top) : null
  return holder === null ? null : livingPid(holder)
}

/** One try: the number of our link; null where somebody else moved at the same time. */
function take(directory: string): number | null {
  const top = highest(directory)
  const holder = top > 0 ? target(directory, top) : FREE
  if (holder === null) return null
  const pid = livingPid(holder)
  if (pid !== null) throw new BoxError('STATE_LOCKED', `${directory} is used by process ${pid}.`)
  const mine = top + 1
  if (!link(directory, mine, processName(process.pid))) return null
  // We may have looked long ago, and made again a link that its successor had removed.
  if (highest(directory) !== mine) {
    rmSync(path(directory, mine), { force: true })
    return null
  }
  for (const lower of numbers(directory))
    if (lower < mine) rmSync(path(directory, lower), { force: true })
  return mine
}

function release(directory: string, number: number): void {
  try {
    if (highest(directory) !== number) return
    link(directory, number + 1, FREE)
    rmSync(path(directory, number), { force: true })
  } catch {
    // The directory is gone or cannot be written any more; the end of this process frees it as well.
  }
}

const path = (directory: string, number: number): string => join(directory, `.lock-${number}`)

const numbers = (directory: string): number[] =>
  readdirSync(directory).flatMap(name => {
    const match = LINK.exec(name)
    return match ? [Number(match[1])] : []
  })

const highest = (directory: string): number => Math.max(0, ...numbers(directory))

/** Where a link points, or null where there is none any more. */
function target(directory: string, number: number): string | null {
  try {
    return readlinkSync(path(directory, number))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw cause
  }
}

/** Makes a link; false where it exists. */
function link(directory: string, number: number, to: string): boolean {
  try {
    symlinkSync(to, path(directory, number))
    return true
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw cause
  }
}

/** What no other process was or will be called: its pid, when it began, and since which boot. */
const processName = (pid: number): string => `${pid}:${beganAt(pid) ?? ''}:${bootId()}`

/** The pid in a process name, where that very process still lives. */
function livingPid(name: string): number | null {
  const [pidText, began, boot] = name.split(':')
  const pid = Number(pidText)
  if (!Number.isInteger(pid) || pid <= 0 || boot !== bootId() || !exists(pid)) return null
  return !began || began === beganAt(pid) ? pid : null
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** When a process began, in ticks since boot; null where there is no such process, or only its remains. */
export function beganAt(pid: number): string | null {
  const stat = readOrEmpty(`/proc/${pid}/stat`)
  // proc(5): the name, in parentheses, may hold anything; field 3 is the state, field 22 the time.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields[0] === 'Z' || fields[0] === 'X' ? null : (fields[19] ?? null)
}

export const bootId = (): string => readOrEmpty('/proc/sys/kernel/random/boot_id').trim()

function readOrEmpty(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
