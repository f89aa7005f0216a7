/** A command and all it starts: how long it takes, and the most memory that all of them have at once. */

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { now } from './measure.mjs'

const LOOK_EVERY_MS = 250
const MARK = 'BOX_BENCH_RUN'

/**
 * All processes that a command has started, wherever they went: by what is in their environment, or, as ssh
 * writes its title over that, by a folder of ours in their title. What was found out once is not read again.
 */
function familyOf(mark, place) {
  const known = new Map()
  const isOurs = pid => {
    try {
      const read = name => readFileSync(`/proc/${pid}/${name}`, 'latin1')
      return read('environ').split('\0').includes(`${MARK}=${mark}`) || (place !== '' && read('cmdline').includes(place))
    } catch {
      return false // Ended meanwhile.
    }
  }
  return () =>
    readdirSync('/proc').filter(pid => {
      if (!/^\d+$/.test(pid) || Number(pid) === process.pid) return false
      if (!known.has(pid)) known.set(pid, isOurs(pid))
      return known.get(pid)
    })
}

/** MiB of all of them, what they share counted once. */
export function sharedMemoryOf(pids) {
  let kib = 0
  for (const pid of pids)
    try {
      kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      // Ended meanwhile.
    }
  return kib / 1024
}

/** Runs a command to its end; what it printed, how long it took, and the most memory that it and its children had at once. */
export function run(command, env = {}, place = '') {
  const mark = `${process.pid}-${now()}`
  const family = familyOf(mark, place)
  const begin = now()
  const child = spawn(command[0], command.slice(1), {
    env: { ...process.env, ...env, [MARK]: mark },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  let most = 0
  for (const stream of [child.stdout, child.stderr]) stream.on('data', data => (said += data))
  const timer = setInterval(() => (most = Math.max(most, sharedMemoryOf(family()))), LOOK_EVERY_MS)
  const endFamily = () => {
    // Asked anew: numbers are given again.
    for (const pid of familyOf(mark, place)())
      try {
        process.kill(Number(pid), 'SIGKILL')
      } catch {
        // Ended meanwhile.
      }
  }
  process.prependOnceListener('exit', endFamily)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', code => {
      clearInterval(timer)
      if (code === 0) resolve({ seconds: (now() - begin) / 1000, mib: most, said })
      else reject(new Error(`${command[0]} ended with ${code}: ${said.slice(-400)}`))
    })
  })
}
