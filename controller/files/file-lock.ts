/** One process at a time does something with a file: fetches it, or brings it to a relay. */

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { lockState } from '../../src/sys/state-lock.ts'
import type { State } from '../state.ts'

/** How to let go. Throws STATE_LOCKED where another process does the same with it. */
export function lockFile(state: State, doing: 'getting' | 'leaving', id: string): () => void {
  const directory = join(state.directory, `.${doing}-${id}`)
  const lock = lockState(directory)
  return () => {
    lock.release()
    rmSync(directory, { recursive: true, force: true })
  }
}
