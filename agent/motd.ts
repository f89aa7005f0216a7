/** The message of the day, as login(1) shows it before a shell on a terminal, unless its user wants silence. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Made at boot by Debian's update-motd and friends, then what the administrator wrote. */
const FILES = ['/run/motd.dynamic', '/etc/motd']
/** In the home directory: no messages at login. */
const SILENCE = '.hushlogin'
/** A few screens; more is not a message. */
const SIZE_MAX = 16_384

/** With the line ends of a terminal; empty where there is none. */
export function messageOfTheDay(home: string, files: readonly string[] = FILES): Uint8Array {
  if (existsSync(join(home, SILENCE))) return new Uint8Array(0)
  const text = files.map(readOrNothing).join('')
  return Buffer.from(text.replaceAll(/\r?\n/g, '\r\n'), 'latin1')
}

/** One character a byte: a message in another encoding is its own matter. */
function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'latin1').slice(0, SIZE_MAX)
  } catch {
    return ''
  }
}
