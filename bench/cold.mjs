/**
 * What a person waits for, from the start of the program: nothing of the device is cached, only the hub is known.
 *
 *     node cold.mjs [--rounds 5]
 *
 * `box proxy` until the first byte of the device's SSH server, `box ssh` in a terminal until the prompt of the shell;
 * beside them stock OpenSSH over TCP on an account with the same shell (needs root: the account is made and removed).
 */

import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, startProgram } from './lib/children.mjs'
import { box, boxCommand, startAgent, startHub } from './lib/fleet.mjs'
import { bounded, now } from './lib/measure.mjs'
import { startSshd } from './lib/openssh.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'
import { untilPrints } from './lib/terminal.mjs'

const SUBJECTS = ['box', 'openssh', 'node']
const SHELL = '/bin/sh'
const PROMPT = /[#$] $/
const STEP_MS = 120_000

/** Milliseconds until the first byte of its standard output. */
const untilFirstByte = command =>
  new Promise((resolve, reject) => {
    const begin = now()
    const child = startProgram(command, { stdio: ['pipe', 'pipe', 'inherit'] })
    child.stdout.once('data', () => {
      resolve(now() - begin)
      child.kill()
    })
    child.once('exit', code => reject(new Error(`ended (${code})`)))
  })

async function measureBox() {
  const hub = await startHub()
  const device = await startAgent('device', ['--hub-url', hub.status.hello, '--shell', SHELL], 1)
  const paired = join(folder('controller'), 'state')
  await box(paired, 'init', '--ego', 'home')
  await box(paired, 'hub', 'add', hub.status.hello)
  const { code } = await device.ask('pair', '--no-wait')
  await box(paired, 'pair', code, '--as', 'kitchen')
  /** The state of a controller that has never met the device since. */
  const cold = () => {
    const state = join(folder('cold'), 'state')
    cpSync(paired, state, { recursive: true })
    const fleet = JSON.parse(readFileSync(join(state, 'fleet'), 'utf8'))
    for (const one of fleet.devices) one.last = null
    writeFileSync(join(state, 'fleet'), JSON.stringify(fleet))
    return state
  }
  const firstByteMs = await untilFirstByte(boxCommand(cold(), 'proxy', 'kitchen'))
  const promptMs = await untilPrints(boxCommand(cold(), 'ssh', 'kitchen'), PROMPT)
  const cachedMs = await untilPrints(boxCommand(paired, 'ssh', 'kitchen'), PROMPT)
  return { firstByteMs, promptMs, cachedMs }
}

async function measureOpenssh() {
  const { options, host } = await startSshd(SHELL)
  return { promptMs: await untilPrints(['ssh', ...options, host], PROMPT) }
}

/** What no program in Node can do without. */
const measureNode = async () => ({ firstByteMs: await untilFirstByte([process.execPath, '-e', 'console.log(1)']) })

// Where it is set, Node reads all certificates at each start (here: 80 ms); none of our programs uses any.
delete process.env.NODE_EXTRA_CA_CERTS

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 5)
if (words[0] === '--one') {
  const measure = { box: measureBox, openssh: measureOpenssh, node: measureNode }[words[1]]
  console.log(JSON.stringify(await bounded(measure(), STEP_MS, words[1])))
  process.exit(0)
}
const rows = runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds)
const columns = [
  ['firstByteMs', 'first byte ms', 0, { box: '<= 250' }],
  ['promptMs', 'shell prompt ms', 0, { box: '<= 400' }],
  ['cachedMs', 'prompt, device known, ms', 0],
]
printTable('cold, whole program', rows, columns, { box: ['openssh'] })
