/**
 * The part of ssh's configuration that makes `ssh NAME.box` work, in a file of its own that
 * `~/.ssh/config` includes. Everything else in that file stays as it is.
 */

import {
  chmodSync,
  existsSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BoxError } from '../src/base/errors.ts'
import { makeDirectories } from '../src/sys/file-store.ts'

/** Beside `config`; ssh reads relative names of Include from the same directory. */
const INCLUDED = 'secushare-box.conf'
const INCLUDE = `Include ${INCLUDED}`

/**
 * What stands for a user that was not given. ssh would send the name of its own user, which means something else on
 * the device; and no account is called this.
 */
export const AGENTS_USER = '@agent'

export interface StanzaOptions {
  /** The program and arguments that stand for `box`. */
  readonly box: readonly string[]
  readonly identityFile: string
  readonly knownHosts: string
}

/** The configuration of `*.box`. */
export function stanza({ box, identityFile, knownHosts }: StanzaOptions): string {
  return `# Made by "box ssh-config"; "box ssh-config --remove" takes it away.
Host *.box
  User ${AGENTS_USER}
  ProxyCommand ${box.map(quoted).join(' ')} proxy --user %r %h
  IdentityFile ${quoted(identityFile)}
  IdentitiesOnly yes
  UserKnownHostsFile ${quoted(knownHosts)}
  GlobalKnownHostsFile none
  StrictHostKeyChecking yes
  HostKeyAlgorithms ssh-ed25519
  CheckHostIP no
  UpdateHostKeys no
  # ssh 10.1 and later warn of key exchanges that a quantum computer could break. Below this one
  # lies the encryption of the mesh.
  IgnoreUnknown WarnWeakCrypto
  WarnWeakCrypto no-pq-kex
`
}

/** Puts the stanza in place. Returns the file it is in. */
export function install(sshDirectory: string, text: string): string {
  try {
    makeDirectories(sshDirectory)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new BoxError('STATE_UNWRITABLE', `${sshDirectory}: ${code}.`, cause)
  }
  const path = join(sshDirectory, INCLUDED)
  replace(path, text)
  const config = join(sshDirectory, 'config')
  const old = existsSync(config) ? readFileSync(config, 'utf8') : ''
  // At the top: below a Host line it would hold for that host only.
  if (!lines(old).includes(INCLUDE)) replace(config, `${INCLUDE}\n${old && `\n${old}`}`)
  return path
}

/** Takes the stanza away. Returns whether there was one. */
export function uninstall(sshDirectory: string): boolean {
  const path = join(sshDirectory, INCLUDED)
  const config = join(sshDirectory, 'config')
  const old = existsSync(config) ? readFileSync(config, 'utf8') : ''
  const there = existsSync(path) || lines(old).includes(INCLUDE)
  if (lines(old).includes(INCLUDE))
    replace(config, old.replace(new RegExp(`^[ \\t]*${INCLUDE}[ \\t]*\\n\\n?`, 'm'), ''))
  rmSync(path, { force: true })
  return there
}

const lines = (text: string) => text.split('\n').map(line => line.trim())

/** As ssh_config and the shell that runs ProxyCommand both read it. */
function quoted(word: string): string {
  if (/^[\w@+=:,./~-]+$/.test(word)) return word
  if (/["\n%\\$`]/.test(word))
    throw new BoxError('CONFIG_INVALID', `ssh cannot be given a path like ${word}.`)
  return `"${word}"`
}

/** Replaces the file a path leads to (links are followed), keeping its mode. */
function replace(path: string, text: string): void {
  const target = existsSync(path) ? realpathSync(path) : path
  const mode = existsSync(target) ? statSync(target).mode & 0o777 : 0o600
  const beside = `${target}.${process.pid}.new`
  try {
    writeFileSync(beside, text, { mode })
    chmodSync(beside, mode)
    renameSync(beside, target)
  } catch (cause) {
    rmSync(beside, { force: true })
    throw new BoxError('STATE_UNWRITABLE', `${target} cannot be written.`, cause)
  }
}
