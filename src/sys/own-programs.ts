/**
 * How our programs are started by one another: from the one executable that holds both, or with Node from
 * the folder they were built in.
 */

import { existsSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { isSea } from 'node:sea'
import { fileURLToPath } from 'node:url'

/** Set by deploy/script.ts, where all of the code is in one file. */
declare const BUNDLED: true | undefined
/** Set by deploy/programs.ts, where both lie beside the code they share. */
declare const PROGRAMS_BESIDE: true | undefined

/** Beside the script with all of us, where there is room for more than one file: the keeper alone. */
export const KEEPER_SCRIPT = 'keeper.cjs'

/** The last two are of no use to people: the agent starts them, for its shells, and to do things as other users. */
export type OwnProgram = 'box' | 'box-agent' | 'box-keeper' | 'box-seat'

const FOLDERS = {
  box: 'controller',
  'box-agent': 'agent',
  'box-keeper': 'agent/keeper',
  'box-seat': 'agent/seat',
} as const

/** Program and arguments that stand for one of ours, with this version of the code. */
export function ownProgram(name: OwnProgram): readonly string[] {
  if (isSea()) return [lastingPath(process.execPath), name]
  if (typeof BUNDLED !== 'undefined') {
    const file = fileURLToPath(import.meta.url)
    const keeper = join(dirname(file), KEEPER_SCRIPT)
    if (name === 'box-keeper' && existsSync(keeper)) return [process.execPath, keeper]
    return [process.execPath, lastingPath(file), name]
  }
  const main =
    typeof PROGRAMS_BESIDE === 'undefined' ? `../../${FOLDERS[name]}/main.js` : `./${name}.js`
  return [process.execPath, fileURLToPath(new URL(main, import.meta.url))]
}

/** Where versions lie beside each other (`1.2.3/box`), the name that stays: `current/box`. */
function lastingPath(path: string): string {
  const lasting = join(dirname(dirname(path)), 'current', 'box')
  try {
    return realpathSync(lasting) === realpathSync(path) ? lasting : path
  } catch {
    return path // It lies alone.
  }
}

/** The folder in which this executable lies beside its other versions; null where it does not. */
export function versionsDirectory(): string | null {
  const file = ownFile()
  if (file === null) return null
  const directory = dirname(dirname(file))
  return existsSync(join(directory, 'current', 'box')) ? directory : null
}

/** All of us in one file: the executable, or the script that a Node runs; null where we are many. */
function ownFile(): string | null {
  if (isSea()) return process.execPath
  return typeof BUNDLED === 'undefined' ? null : fileURLToPath(import.meta.url)
}

/** Whether this process is the one executable. */
export const isOneFile = (): boolean => isSea()
