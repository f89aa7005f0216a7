/**
 * The state directory of the controller: small files, each replaced as a whole, and a lock that is
 * held only while something is changed, so that any number of `box` commands can run at once.
 */

import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../src/base/clock.ts'
import { BoxError } from '../src/base/errors.ts'
import { attempt, makeDirectory, replaceFile } from '../src/sys/file-store.ts'
import { lockState, type StateLock } from '../src/sys/state-lock.ts'

/** A change takes some milliseconds: whoever holds the lock so long hangs. */
const PATIENCE_MS = 3_000
const RETRY_MS = 20

export interface State {
  readonly directory: string
  /** The text of a file, or null. Throws STATE_UNREADABLE. */
  readText(name: string): string | null
  /** Replaces a file. Throws STATE_UNWRITABLE. */
  writeText(name: string, text: string): void
  /** Deletes a file, if there is one. Throws STATE_UNWRITABLE. */
  remove(name: string): void
  /** Runs the change while no other process changes anything. Fails with STATE_LOCKED, STATE_UNWRITABLE. */
  exclusively<T>(change: () => T): Promise<T>
}

/** The state in a directory, which is made with the first change. */
export function directoryState(directory: string, clock: Clock): State {
  const pathOf = (name: string) => join(directory, name)
  return {
    directory,
    readText: name => attempt('STATE_UNREADABLE', pathOf(name), () => readIfThere(pathOf(name))),
    writeText: (name, text) =>
      attempt('STATE_UNWRITABLE', pathOf(name), () =>
        replaceFile(pathOf(name), pathOf(`.new-${name}`), Buffer.from(text)),
      ),
    remove: name =>
      attempt('STATE_UNWRITABLE', pathOf(name), () => rmSync(pathOf(name), { force: true })),
    exclusively: async change => {
      attempt('STATE_UNWRITABLE', directory, () => makeDirectory(directory))
      const lock = await patientLock(directory, clock)
      try {
        return change()
      } finally {
        lock.release()
      }
    },
  }
}

async function patientLock(directory: string, clock: Clock): Promise<StateLock> {
  const deadline = clock.elapsed() + PATIENCE_MS
  for (;;) {
    try {
      return lockState(directory)
    } catch (error) {
      const isHeld = error instanceof BoxError && error.code === 'STATE_LOCKED'
      if (!isHeld || clock.elapsed() >= deadline) throw error
    }
    await new Promise<void>(resolve => void clock.after(RETRY_MS, resolve))
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
