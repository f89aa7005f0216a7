/** Our own programs as a person uses them: hubs, a device, a controller, each with a state directory of its own. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { folder, startProgram } from './children.mjs'
import { sleep } from './measure.mjs'

const run = promisify(execFile)
const DIST = join(import.meta.dirname, '..', '..', 'dist')
const AGENT = join(DIST, 'bin', 'box-agent.js')
const LOOK_EVERY_MS = 100
const START_MS = 60_000

/** A running `box-agent`; resolves to { pid, state, status } when it has `neighbours` of them. */
export async function startAgent(name, words, neighbours = 0) {
  const state = folder(name)
  const child = startProgram([process.execPath, AGENT, 'run', '--state', state, ...words])
  const ask = async (...order) =>
    JSON.parse((await run(process.execPath, [AGENT, ...order, '--state', state, '--json'])).stdout)
  for (const deadline = Date.now() + START_MS; ; await sleep(LOOK_EVERY_MS)) {
    const status = await ask('status').catch(() => null)
    const up = status?.neighbours.filter(neighbour => neighbour.state === 'up').length ?? -1
    if (up >= neighbours) return { pid: child.pid, status, ask }
    if (Date.now() > deadline) throw new Error(`${name} has ${up} neighbours`)
  }
}

export const startHub = (words = []) => startAgent('hub', ['--hub', '--listen', '127.0.0.1:0', ...words])

/** The command line of a `box`. */
export const boxCommand = (state, ...words) => [
  process.execPath,
  join(DIST, 'bin', 'box.js'),
  ...['--state', state, ...words],
]

export async function box(state, ...words) {
  const [program, ...args] = boxCommand(state, ...words)
  return (await run(program, args)).stdout
}
