/** What this machine has of GNUnet: its configuration files, its sockets and who may use them, its version. */

import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

const FILE_SIZE_MAX = 1024 * 1024
const VERSION_MS = 3_000

/** The text of a file; null where there is none, or none that we may read. */
function read(path: string): string | null {
  try {
    if (statSync(path).size > FILE_SIZE_MAX) return null
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted()
  } catch {
    return []
  }
}

/** The group of a file or, where that cannot be looked at, of its directory; null where there is none. */
function groupOf(path: string): string | null {
  const gid = gidOf(path) ?? gidOf(dirname(path))
  for (const line of (read('/etc/group') ?? '').split('\n')) {
    const [name, , number] = line.split(':')
    if (name && gid !== null && number === `${gid}`) return name
  }
  return null
}

function gidOf(path: string): number | null {
  try {
    return statSync(path).gid
  } catch {
    return null
  }
}

/** Whether there is such a file, or may be one where we must not look. */
function exists(path: string): boolean {
  try {
    statSync(path)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}

export const gnunetInstallation = { env: process.env, read, list, exists, groupOf, version }

/** The version of the installed tools (`0.19.3`); null where there are none. They need not be the daemon's. */
function version(): string | null {
  const { status, stdout } = spawnSync('gnunet-config', ['--version'], {
    encoding: 'utf8',
    timeout: VERSION_MS,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  return status === 0 ? (/(\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? null) : null
}
