/**
 * A folder that a build fills while programs are started out of it: each file is there whole, as it was or as it is
 * now. One that was emptied and not yet written again would be taken for a part of a program that does nothing.
 */

import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

/** What a file that is started by its name begins with. */
const SHEBANG = '#!'

/** Leaves in the folder these files, by their names, and nothing else. */
export function fillFolder(path: string, files: ReadonlyMap<string, string | Uint8Array>): void {
  mkdirSync(path, { recursive: true })
  // Beside the folder, on its file system: another build, at the same time, removes what it does not know in it.
  const aside = mkdtempSync(join(dirname(path), '.building-'))
  try {
    for (const [name, content] of files) {
      const file = join(aside, name)
      writeFileSync(file, content)
      const isStarted = typeof content === 'string' && content.startsWith(SHEBANG)
      chmodSync(file, isStarted ? 0o755 : 0o644)
      renameSync(file, join(path, name))
    }
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
  for (const name of readdirSync(path))
    if (!files.has(name)) rmSync(join(path, name), { force: true })
}
