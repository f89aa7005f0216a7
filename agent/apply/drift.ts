/** How the files that are looked after differ from what they were when they were confirmed. */

import type { Drift } from '../../src/box/push-report.ts'
import type { Disk } from '../../src/sys/disk.ts'
import type { PushState } from './push-state.ts'
import { type FileState, sameState, stateAt } from './state-of-files.ts'

export function driftOf(disk: Disk, state: PushState): readonly Drift[] {
  const { files } = state.history().generations.at(-1)!
  return Object.entries(files).flatMap(([path, { state: wanted, by }]): Drift[] => {
    const what = difference(disk, path, wanted)
    return what ? [{ path, bundle: by, what }] : []
  })
}

function difference(disk: Disk, path: string, wanted: FileState): Drift['what'] | null {
  let now: FileState
  try {
    now = stateAt(disk, path)
  } catch {
    return 'unreadable' // A link, a directory, or too large by now.
  }
  if (sameState(now, wanted)) return null
  if (now.is === 'absent') return 'missing'
  if (wanted.is === 'absent') return 'is there'
  return now.content === wanted.content ? 'access' : 'content'
}
