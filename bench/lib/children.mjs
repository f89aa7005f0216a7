/** Child processes of a measurement: started until they say READY and a JSON value; all ended at exit. */

import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const children = new Set()
const folders = []

export function folder(name) {
  const path = mkdtempSync(join(tmpdir(), `box-bench-${name}-`))
  folders.push(path)
  return path
}

/** A program that runs until it is ended. */
export function startProgram(command, options = {}) {
  const child = spawn(command[0], command.slice(1), { stdio: 'ignore', ...options })
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}

/** Starts a Node script of this folder; resolves to { pid, info, exited, kill }. */
export function startScript(file, args, { flags = [] } = {}) {
  const child = spawn(process.execPath, [...flags, join(import.meta.dirname, '..', file), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const exited = new Promise(resolve => child.on('exit', resolve))
  void exited.then(() => children.delete(child))
  return new Promise((resolve, reject) => {
    let out = ''
    child.stdout.on('data', chunk => {
      out += chunk
      const ready = /^READY (.*)$/m.exec(out)
      if (ready)
        resolve({ pid: child.pid, info: JSON.parse(ready[1]), exited, kill: signal => child.kill(signal) })
    })
    child.on('exit', code => reject(new Error(`${file} ended (${code}) before it was ready`)))
  })
}

function endAll() {
  for (const child of children) child.kill('SIGKILL')
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true })
}
process.on('exit', endAll)
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1))
