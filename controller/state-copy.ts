/** All that lies in the state directory, taken out for a backup, and put back where there is nothing yet. */

import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import type { BackupFiles } from '../src/box/backup.ts'
import { attempt, makeDirectories, replaceFile, syncDirectory } from '../src/sys/file-store.ts'
import { EGO_FILE, findEgo } from './ego.ts'
import type { State } from './state.ts'

/** Of files and folders: what State and its neighbours write, and nothing that leads elsewhere. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.%-]*(\/[A-Za-z0-9_][A-Za-z0-9_.%-]*){0,3}$/

/** Every file, by its path in the directory; not what begins with a dot: locks, and what is half written. */
export function stateFiles({ directory }: State): BackupFiles {
  return attempt('STATE_UNREADABLE', directory, () => {
    const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    const files = names.filter(name => NAME.test(name) && lstatSync(join(directory, name)).isFile())
    return new Map(
      files.toSorted().map(name => [name, new Uint8Array(readFileSync(join(directory, name)))]),
    )
  })
}

/**
 * Puts the files back. The ego comes last: without it the directory belongs to nobody, so a restoration
 * that was interrupted is simply done again. Fails with NAME_TAKEN where there is an ego,
 * BACKUP_UNREADABLE, STATE_UNWRITABLE.
 */
export async function restoreState(state: State, files: BackupFiles): Promise<void> {
  const ego = files.get(EGO_FILE)
  const others = [...files].filter(([name]) => name !== EGO_FILE)
  if (!ego || others.some(([name]) => !NAME.test(name)))
    throw new BoxError('BACKUP_UNREADABLE', 'It holds no state of a controller.')
  await state.exclusively(() => {
    const old = findEgo(state)
    if (old)
      throw new BoxError(
        'NAME_TAKEN',
        `This state directory belongs to "${old.name}": name another one with --state.`,
      )
    for (const [name, content] of [...others, [EGO_FILE, ego] as const]) {
      const path = join(state.directory, name)
      attempt('STATE_UNWRITABLE', path, () => {
        makeDirectories(dirname(path))
        replaceFile(path, join(dirname(path), '.new-restored'), content)
      })
    }
    attempt('STATE_UNWRITABLE', state.directory, () => syncDirectory(state.directory))
  })
}
