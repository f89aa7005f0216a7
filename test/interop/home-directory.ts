/**
 * A home directory of its own for programs that look it up in /etc/passwd, as OpenSSH does, and a /var/lib:
 * in a mount namespace, this user has others there. Needs root.
 */

import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { BOX, BOX_AGENT, folder } from './program.ts'

const ENTER =
  'mount --bind "$HOME/passwd" /etc/passwd && mount --bind "$HOME/var-lib" /var/lib && exec "$@"'

export class HomeDirectory {
  readonly path: string
  readonly env: Readonly<Record<string, string>>

  constructor(name: string) {
    this.path = folder(name)
    const { username } = userInfo()
    const accounts = readFileSync('/etc/passwd', 'utf8').replace(
      new RegExp(`^(${username}:(?:[^:]*:){4})[^:]*`, 'm'),
      `$1${this.path}`,
    )
    writeFileSync(join(this.path, 'passwd'), accounts)
    for (const name of ['bin', 'var-lib', 'run', 'tmp']) mkdirSync(join(this.path, name))
    this.install('box', BOX)
    this.install('box-agent', BOX_AGENT)
    this.env = {
      HOME: this.path,
      PATH: `${join(this.path, 'bin')}:${process.env.PATH}`,
      XDG_RUNTIME_DIR: join(this.path, 'run'),
      TMPDIR: join(this.path, 'tmp'),
    }
  }

  /** The command, run by somebody who lives here. */
  command(...words: readonly string[]): string[] {
    return ['unshare', '-m', 'sh', '-c', ENTER, 'sh', ...words]
  }

  private install(name: string, program: string): void {
    const path = join(this.path, 'bin', name)
    writeFileSync(path, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`)
    chmodSync(path, 0o755)
  }
}
