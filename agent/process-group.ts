/** Process groups: signalling them, and which one of a terminal is in the foreground. */

import { readFileSync } from 'node:fs'

/** In /proc/PID/stat (proc(5)), after the name of the program: state, ppid, pgrp, session, tty_nr, tpgid. */
const TPGID = 5

/** The group that ^C would reach on the terminal of `pid`; null where there is none. */
export function foregroundGroup(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name stands in parentheses and may hold anything, parentheses and spaces included.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const group = Number(fields[TPGID])
    return group > 1 ? group : null
  } catch {
    return null
  }
}

/** Sends a signal to all processes of a group; to none where it has ended. */
export function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // It has just ended, or belongs to somebody else by now.
  }
}

/** What the program in the foreground of the terminal of `pid` is called; null where nothing runs there. */
export function foregroundName(pid: number): string | null {
  const group = foregroundGroup(pid)
  if (group === null) return null
  try {
    return readFileSync(`/proc/${group}/comm`, 'utf8').trimEnd()
  } catch {
    return null
  }
}
