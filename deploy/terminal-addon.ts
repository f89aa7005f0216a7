/**
 * The native half of node-pty, out of the executable and into the process. The system loads libraries from
 * files only, so it is laid down once, under its hash, where only we can write; what lies there is used
 * only if it is ours and has that hash.
 *
 * Takes the place of the package `@lydell/node-pty-linux-…` in the bundle (deploy/script.ts).
 */

import { createHash } from 'node:crypto'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { getAsset, isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'

export const ASSET = 'pty.node'
const OTHERS_MAY_WRITE = 0o022

/** Puts the addon into `module.exports`. Throws where no directory can hold it; says what was tried. */
export function loadTerminalAddon(module: { exports: unknown }): void {
  if (!isSea()) {
    process.dlopen(module, besideScript())
    return
  }
  const content = new Uint8Array(getAsset(ASSET))
  const failures: string[] = []
  for (const directory of directories()) {
    try {
      process.dlopen(module, layDown(directory, content))
      return
    } catch (error) {
      // Not writable, not ours, or mounted noexec: another may do.
      failures.push(`${directory}: ${(error as Error).message}`)
    }
  }
  throw new Error(`the terminal library could not be laid down: ${failures.join('; ')}`)
}

/** Where the script is no executable, the libraries of several machines lie beside it. */
function besideScript(): string {
  const name = `pty-${process.arch}`
  const kinds = [`${name}.node`, `${name}-musl.node`]
  const folder = fileURLToPath(new URL('.', import.meta.url))
  const found = kinds.map(kind => join(folder, kind)).find(path => existsSync(path))
  if (!found) throw new Error(`no terminal library for ${process.arch} lies in ${folder}`)
  return found
}

/** Where it may lie: what a service manager gave us, a cache, and at last where everybody may. */
function directories(): string[] {
  const { CACHE_DIRECTORY, STATE_DIRECTORY, XDG_CACHE_HOME } = process.env
  const home = homedir()
  const uid = process.getuid?.() ?? 0
  return [
    CACHE_DIRECTORY?.split(':')[0],
    STATE_DIRECTORY?.split(':')[0],
    XDG_CACHE_HOME && join(XDG_CACHE_HOME, 'secushare-box'),
    isAbsolute(home) ? join(home, '.cache', 'secushare-box') : undefined,
    uid === 0 ? '/var/cache/secushare-box' : undefined,
    join(tmpdir(), `secushare-box-${uid}`),
  ].filter((path): path is string => path !== undefined && isAbsolute(path))
}

/** The addon's file in a directory of ours; written where there is none, or another one. */
export function layDown(directory: string, content: Uint8Array): string {
  makeOwn(directory)
  const hash = createHash('sha256').update(content).digest('hex')
  const path = join(directory, `pty-${hash.slice(0, 32)}.node`)
  if (isIntact(path, hash)) return path
  // A process that does the same at the same time has another name, and the same content.
  const aside = join(directory, `.new-pty-${process.pid}`)
  try {
    rmSync(aside, { force: true })
    writeFileSync(aside, content, { mode: 0o600, flag: 'wx' })
    renameSync(aside, path)
  } catch (cause) {
    rmSync(aside, { force: true })
    throw cause
  }
  if (!isIntact(path, hash)) throw new Error('what was written is not what lies there')
  return path
}

/** Makes the directory, and the one above it; refuses one in which others could replace the file. */
function makeOwn(directory: string): void {
  for (const path of [join(directory, '..'), directory])
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
    }
  const stat = lstatSync(directory)
  if (!stat.isDirectory() || stat.uid !== process.getuid?.() || stat.mode & OTHERS_MAY_WRITE)
    throw new Error('not ours alone')
}

function isIntact(path: string, hash: string): boolean {
  const stat = lstatSync(path, { throwIfNoEntry: false })
  if (!stat?.isFile() || stat.uid !== process.getuid?.() || stat.mode & OTHERS_MAY_WRITE)
    return false
  return createHash('sha256').update(readFileSync(path)).digest('hex') === hash
}
