/** Where on this machine a bundle may write, and who its files shall belong to. */

import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { pathFault, rootOf } from '../../src/box/bundle/file-path.ts'
import type { Disk } from '../../src/sys/disk.ts'
import { refused } from './state-of-files.ts'

/**
 * Throws PUSH_REFUSED where a path is outside the roots, or a symbolic link leads away from what it says.
 * `kept` is the agent's own state, which no bundle touches.
 */
export function checkPath(disk: Disk, path: string, roots: readonly string[], kept: string): void {
  const fault = pathFault(path)
  if (fault) throw refused(`The path ${JSON.stringify(path)} ${fault}.`)
  const root = rootOf(path, roots)
  if (!root) throw refused(`${path} lies outside of what this device allows: ${roots.join(', ')}.`)
  if (path === kept || path.startsWith(`${kept}/`) || kept.startsWith(`${path}/`))
    throw refused(`${path} belongs to the agent itself.`)
  // The root may be a link (OpenWrt's /var is one); below it, none may.
  for (let above = dirname(path); above.length > root.length; above = dirname(above)) {
    const entry = disk.look(above)
    if (entry?.is === 'link') throw refused(`${path}: ${above} is a symbolic link.`)
    if (entry && entry.is !== 'directory') throw refused(`${path}: ${above} is no directory.`)
  }
  if (disk.look(path)?.is === 'link') throw refused(`${path} is a symbolic link.`)
}

/** The directories above a path that are missing, outer ones first. */
export function missingAbove(disk: Disk, path: string): string[] {
  const missing: string[] = []
  for (let above = dirname(path); above !== '/' && !disk.look(above); above = dirname(above))
    missing.unshift(above)
  return missing
}

/** User and group of `user`, `user:group` or numbers. Throws PUSH_REFUSED where the machine has none so called. */
export function ownerIds(owner: string): { uid: number; gid: number } {
  const [user, group] = owner.split(':')
  const account = lookUp('/etc/passwd', user!)
  const uid = account ? Number(account[2]) : numberOf(user!)
  if (uid === null) throw refused(`There is no user "${user}" on this device.`)
  if (group === undefined) return { uid, gid: account ? Number(account[3]) : uid }
  const entry = lookUp('/etc/group', group)
  const gid = entry ? Number(entry[2]) : numberOf(group)
  if (gid === null) throw refused(`There is no group "${group}" on this device.`)
  return { uid, gid }
}

function lookUp(file: string, name: string): string[] | undefined {
  try {
    const rows = readFileSync(file, 'utf8').split('\n')
    return rows.map(row => row.split(':')).find(([first]) => first === name)
  } catch {
    return undefined
  }
}

const numberOf = (text: string): number | null => (/^\d+$/.test(text) ? Number(text) : null)
