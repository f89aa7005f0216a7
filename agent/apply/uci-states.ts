/** OpenWrt's files as a release wants them: what is there now with the changes made. What else is in them stays. */

import { BoxError } from '../../src/base/errors.ts'
import { LIMITS } from '../../src/box/bundle/limits.ts'
import { contentId, type Release } from '../../src/box/bundle/release.ts'
import { UciFile } from '../../src/box/bundle/uci.ts'
import type { PlanParts } from './plan.ts'
import { type FileState, hex, refused } from './state-of-files.ts'
import { checkPath } from './target.ts'

/** As OpenWrt makes them. */
const MODE = 0o644

/** The states by path; their contents are kept. Throws PUSH_REFUSED. */
export function uciStates(
  { disk, state, roots, kept, uci }: PlanParts,
  release: Release,
): ReadonlyMap<string, FileState> {
  const files = new Map<string, UciFile>()
  for (const { config, change } of release.uci) {
    const path = `${uci}/${config}`
    const file = files.get(path) ?? read(path)
    files.set(path, file)
    attempt(path, () => file.change(change))
  }

  function read(path: string): UciFile {
    checkPath(disk, path, roots, kept)
    const entry = disk.look(path)
    if (!entry) return new UciFile('')
    const text = new TextDecoder().decode(disk.read(path, LIMITS.fileBytes))
    return attempt(path, () => new UciFile(text))
  }

  const states = new Map<string, FileState>()
  for (const [path, file] of files) {
    const bytes = new TextEncoder().encode(file.toString())
    const name = hex(contentId(bytes))
    state.keep(bytes)
    const { uid, gid, mode } = disk.look(path) ?? { ...OWN(), mode: MODE }
    states.set(path, { is: 'file', content: name, stored: name, mode, uid, gid })
  }
  return states
}

const OWN = () => ({ uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })

function attempt<T>(path: string, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (error instanceof BoxError && error.code === 'INPUT_INVALID')
      throw refused(`${path}: ${error.detail}`, error)
    throw error
  }
}
