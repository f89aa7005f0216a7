/**
 * Files that make the agent a service, put in place and taken away. Each is looked at first, so that doing
 * it again changes nothing, and written aside first, so that half a file is never there.
 */

import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { VERSION } from '../src/base/version.ts'
import { attempt } from '../src/sys/file-store.ts'
import { launcher } from './launcher.ts'
import {
  OPTIONS_FILE,
  options,
  type Role,
  SERVICES,
  sysusers,
  tmpfiles,
  type UnitName,
  unit,
} from './systemd-unit.ts'

/** One thing that is to be in the file system; paths as the installed system sees them. */
export type Piece =
  | {
      readonly is: 'text'
      readonly path: string
      readonly text: string
      readonly keep?: true
      readonly mode?: number
    }
  | { readonly is: 'program'; readonly path: string; readonly from: string }
  | { readonly is: 'link'; readonly path: string; readonly to: string }

/** What was, or would be, done with a piece. `kept`: the owner's, and not touched. */
export type Change = 'new' | 'changed' | 'same' | 'kept' | 'removed' | 'absent'

const LIBRARY = '/usr/local/lib/secushare-box'
const READABLE = 0o644
const EXECUTABLE = 0o755

export interface InstallationOptions {
  readonly role: Role
  /** The one executable to copy; null where we run from somewhere that stays. */
  readonly executable: string | null
  /** What starts the agent where nothing is copied. */
  readonly program: readonly string[]
}

/** What a service of this role needs. */
export function pieces({ role, executable, program }: InstallationOptions): readonly Piece[] {
  const started = executable ? [`${LIBRARY}/start`] : program
  return [
    ...(executable ? programPieces(executable) : []),
    { is: 'text', path: OPTIONS_FILE, text: options(), keep: true },
    { is: 'text', path: '/etc/sysusers.d/secushare-box.conf', text: sysusers() },
    { is: 'text', path: '/etc/tmpfiles.d/secushare-box.conf', text: tmpfiles() },
    ...unitsOf(role).map(
      name =>
        ({
          is: 'text',
          path: `/etc/systemd/system/${SERVICES[name]}`,
          text: unit(name, started),
        }) as const,
    ),
  ]
}

/** What a role needs, the service that is started last. */
const unitsOf = (role: Role): readonly UnitName[] => (role === 'hub' ? ['hub'] : ['mesh', 'device'])

/** Each version in a folder of its own, and one link that says which is meant: changing it is one step. */
function programPieces(executable: string): Piece[] {
  const names = ['box', 'box-agent'].map(name => ({
    is: 'link' as const,
    path: `/usr/local/bin/${name}`,
    to: '../lib/secushare-box/current/box',
  }))
  return [
    { is: 'program', path: `${LIBRARY}/${VERSION}/box`, from: executable },
    { is: 'link', path: `${LIBRARY}/current`, to: VERSION },
    { is: 'text', path: `${LIBRARY}/start`, text: launcher(), mode: EXECUTABLE },
    ...names,
  ]
}

/** What putting the piece in place changes, below `root`. Throws STATE_UNREADABLE. */
export function look(piece: Piece, root: string): Change {
  const path = join(root, piece.path)
  return attempt('STATE_UNREADABLE', path, () => {
    const there = lstatSync(path, { throwIfNoEntry: false })
    if (!there) return 'new'
    if (piece.is === 'text' && piece.keep) return 'kept'
    return isSame(piece, path) ? 'same' : 'changed'
  })
}

function isSame(piece: Piece, path: string): boolean {
  const there = lstatSync(path)
  if (piece.is === 'link') return there.isSymbolicLink() && readlinkSync(path) === piece.to
  if (!there.isFile()) return false
  if (piece.is === 'text') return readFileSync(path, 'utf8') === piece.text
  return (
    there.size === statSync(piece.from).size && readFileSync(path).equals(readFileSync(piece.from))
  )
}

/** Puts a piece in place. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
export function place(piece: Piece, root: string): Change {
  const change = look(piece, root)
  if (change === 'same' || change === 'kept') return change
  const path = join(root, piece.path)
  return attempt('STATE_UNWRITABLE', path, () => {
    makeOpenDirectories(dirname(path))
    const aside = join(dirname(path), `.new-${process.pid}`)
    try {
      write(piece, aside)
      renameSync(aside, path)
    } finally {
      rmSync(aside, { force: true })
    }
    return change
  })
}

/** Makes what is missing of the folders, as the system's are: for everybody to read. */
function makeOpenDirectories(directory: string): void {
  if (existsSync(directory)) return
  makeOpenDirectories(dirname(directory))
  mkdirSync(directory)
  chmodSync(directory, EXECUTABLE)
}

function write(piece: Piece, path: string): void {
  rmSync(path, { force: true })
  if (piece.is === 'link') symlinkSync(piece.to, path)
  else if (piece.is === 'text') {
    writeFileSync(path, piece.text)
    chmodSync(path, piece.mode ?? READABLE)
  } else {
    copyFileSync(piece.from, path)
    chmodSync(path, EXECUTABLE)
  }
}

/** Takes a piece away; what the owner has edited stays. Throws STATE_UNREADABLE, STATE_UNWRITABLE. */
export function remove(piece: Piece, root: string, { dryRun }: { dryRun: boolean }): Change {
  const path = join(root, piece.path)
  return attempt('STATE_UNWRITABLE', path, () => {
    if (!lstatSync(path, { throwIfNoEntry: false })) return 'absent'
    if (piece.is === 'text' && piece.keep && !isSame({ ...piece }, path)) return 'kept'
    if (dryRun) return 'removed'
    rmSync(path)
    if (piece.is === 'program') removeVersions(join(root, LIBRARY))
    leave(dirname(path), root)
    return 'removed'
  })
}

/** Other versions, and what is noted of trials. */
function removeVersions(directory: string): void {
  for (const name of readdirSync(directory))
    if (/^(\d+\.\d+\.\d+|trial|failed|awaits)$/.test(name))
      rmSync(join(directory, name), { recursive: true })
}

/** Removes folders of ours that are empty now. */
function leave(directory: string, root: string): void {
  const inside = `/${relative(root, directory)}`
  if (!inside.startsWith(LIBRARY) || !existsSync(directory)) return
  try {
    rmdirSync(directory)
  } catch {
    return // Another version is in it.
  }
  leave(dirname(directory), root)
}
