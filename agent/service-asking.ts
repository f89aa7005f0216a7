/**
 * Asks the machine how services are: systemd where there is `systemctl`, else the procd of OpenWrt, and the process
 * table for names of processes. All of one manager in one call; nothing is ever changed.
 */

import { execFile } from 'node:child_process'
import { accessSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseUptime } from './proc-text.ts'
import {
  parseProcd,
  parseStartTime,
  parseUnits,
  processNamed,
  type ServiceSaid,
  UNIT_PROPERTIES,
  UNKNOWN,
} from './service-states.ts'

/** A manager that hangs is one that cannot be asked. */
const ANSWER_MS = 10_000
const ANSWER_SIZE_MAX = 1_048_576
/** The kernel cuts the name of a process there. */
const COMM_MAX = 15

export interface AskedMachine {
  readonly root: string
  readonly now: () => number
  /** What a program prints, if it is there and does not fail. */
  readonly run: (
    program: string,
    args: readonly string[],
    signal: AbortSignal,
  ) => Promise<RunAnswer>
}

export type RunAnswer =
  | { readonly is: 'said'; readonly text: string }
  | { readonly is: 'failed' }
  | { readonly is: 'absent' }

export type AskServices = (
  names: readonly string[],
  signal: AbortSignal,
) => Promise<readonly ServiceSaid[]>

/** How each is, in the order of the names. Never fails. */
export function serviceAsker(machine: AskedMachine): AskServices {
  return async (names, signal) => {
    const services = names.filter(name => processNamed(name) === null)
    const ofServices = services.length > 0 ? await askManager(machine, services, signal) : []
    const wanted = new Set(names.flatMap(name => processNamed(name) ?? []))
    const processes = wanted.size > 0 ? processesNamed(machine, wanted) : null
    const byService = new Map(services.map((name, i) => [name, ofServices[i] ?? UNKNOWN]))
    return names.map(name => {
      const process = processNamed(name)
      if (process === null) return byService.get(name)!
      if (!processes) return UNKNOWN
      const since = processes.get(process)
      return since === undefined ? { state: 'stopped', since: null } : { state: 'running', since }
    })
  }
}

async function askManager(
  machine: AskedMachine,
  names: readonly string[],
  signal: AbortSignal,
): Promise<readonly ServiceSaid[]> {
  const show = ['show', '--no-pager', `--property=${UNIT_PROPERTIES}`, '--', ...names]
  const systemd = await machine.run('systemctl', show, signal)
  if (systemd.is === 'said') return parseUnits(systemd.text, names.length) ?? []
  if (systemd.is === 'failed') return []
  const procd = await machine.run('ubus', ['call', 'service', 'list'], signal)
  const list = procd.is === 'said' ? parseProcd(procd.text) : null
  if (!list) return []
  return names.map((name): ServiceSaid => {
    const said = list.get(name)
    if (!said) {
      // One that has done its work is in the list no more, and neither is one that never ran.
      const hasScript = exists(join(machine.root, 'etc/init.d', name))
      return { state: hasScript ? 'stopped' : 'missing', since: null }
    }
    return { state: said.state, since: said.pid === null ? null : startOf(machine, `${said.pid}`) }
  })
}

/** Since when something of a name runs, of the oldest of each; null where the table cannot be read. */
function processesNamed(
  machine: AskedMachine,
  wanted: ReadonlySet<string>,
): Map<string, number | null> | null {
  const found = new Map<string, number | null>()
  const folder = join(machine.root, 'proc')
  let entries: string[]
  try {
    entries = readdirSync(folder).filter(entry => /^\d+$/.test(entry))
  } catch {
    return null
  }
  for (const pid of entries) {
    const comm = textOf(join(folder, pid, 'comm'))?.trimEnd()
    const name = [...wanted].find(one => one.slice(0, COMM_MAX) === comm)
    if (name === undefined || !isWhole(name, join(folder, pid))) continue
    const since = startOf(machine, pid)
    const before = found.get(name)
    found.set(name, before == null || since === null ? since : Math.min(before, since))
  }
  return found
}

/** Longer names are looked for in what was started. */
const isWhole = (name: string, folder: string): boolean =>
  name.length <= COMM_MAX ||
  (textOf(join(folder, 'cmdline')) ?? '').split('\0')[0]?.split('/').at(-1) === name

function startOf({ root, now }: AskedMachine, pid: string): number | null {
  const started = parseStartTime(textOf(join(root, 'proc', pid, 'stat')) ?? '')
  const uptime = parseUptime(textOf(join(root, 'proc/uptime')) ?? '')
  if (started === null || uptime === null) return null
  // Both are rounded, and the clock is read later: whole seconds that do not dance.
  return Math.round(now() / 1_000 - uptime + started) * 1_000
}

function textOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null // The process has ended.
  }
}

function exists(path: string): boolean {
  try {
    accessSync(path)
    return true
  } catch {
    return false
  }
}

/** The machine of this process. Times are asked for in English and in UTC. */
export const askedMachine = (now: () => number): AskedMachine => ({
  root: '/',
  now,
  run: (program, args, signal) =>
    new Promise(resolve => {
      const env = { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' }
      const options = { env, signal, timeout: ANSWER_MS, maxBuffer: ANSWER_SIZE_MAX }
      execFile(program, [...args], { ...options, encoding: 'utf8' }, (error, text) => {
        if (!error) resolve({ is: 'said', text })
        else resolve({ is: error.code === 'ENOENT' ? 'absent' : 'failed' })
      })
    }),
})
