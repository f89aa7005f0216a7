/**
 * What a person at a shell notices, with stock ssh and scp over one connection that is there already (ControlMaster).
 *
 *     node shell.mjs [--rounds 3] [--mib 200] [box-hub box openssh hypershell]
 *
 * The prompt over the warm connection; echo of single characters on a terminal, alone and while a bulk transfer saturates the same
 * connection in either direction, and what of that was carried meanwhile; scp, up and down. `box-hub` goes through one of our hubs, `box` straight to the
 * device, `openssh` is plain OpenSSH over TCP (needs root: the account is made and removed). `hypershell`, over hyperdht,
 * keeps no connection: its prompt is that of a new one, and only its own file copy is measured beside it.
 */

import { spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { folder, startProgram } from './lib/children.mjs'
import { box, startAgent, startHub } from './lib/fleet.mjs'
import { bounded, now, quantile, sleep } from './lib/measure.mjs'
import { startSshd } from './lib/openssh.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'
import { untilPrints } from './lib/terminal.mjs'
import { startHypershell } from './targets/hypershell.mjs'

const SUBJECTS = ['box-hub', 'box', 'openssh', 'hypershell']
const SHELL = '/bin/sh'
const PROMPT = /[#$] $/
const STEP_MS = 280_000
const ECHOES = 200
/** A person types ten characters a second at most; this is faster. */
const APART_MS = 20
/** Until a bulk transfer runs at its full rate. */
const RAMP_MS = 1_500

/** How long each of some characters took to come back from a terminal on the other side. */
async function echoes(command) {
  const child = startProgram([...command, 'cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
  const times = []
  const once = () => new Promise(resolve => child.stdout.once('data', resolve))
  for (let n = 0; n < ECHOES; n++) {
    const begin = now()
    const back = once()
    child.stdin.write('x')
    await back
    times.push(now() - begin)
    await sleep(APART_MS)
  }
  child.kill()
  return times
}

/** The same while `bulk` runs beside it, whose program over there has left its number in `place`; MiB a second that it was fast. */
async function echoesBeside(command, bulk, place, counter) {
  await sleep(RAMP_MS)
  const pid = readFileSync(join(place, 'pid'), 'utf8').trim()
  const carried = () => Number(new RegExp(`^${counter}: (\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/io`, 'utf8'))[1])
  const [before, begin] = [carried(), now()]
  const times = await echoes(command)
  const rate = (carried() - before) / 1_048_576 / ((now() - begin) / 1_000)
  bulk.kill('SIGKILL')
  process.kill(Number(pid))
  return { ms50: quantile(times, 0.5), ms99: quantile(times, 0.99), rate }
}

const numbered = (place, program) => `echo $$ >${place}/pid; exec ${program}`
const down = (command, place) => startProgram([...command, numbered(place, 'cat /dev/zero')])
const up = (command, place) => {
  const zeros = openSync('/dev/zero', 'r')
  const child = startProgram([...command, numbered(place, 'cat >/dev/null')], { stdio: [zeros, 'ignore', 'ignore'] })
  closeSync(zeros)
  return child
}

/** MiB a second of one scp. */
function copy(words, from, to) {
  const begin = now()
  const { status, stderr } = spawnSync('scp', ['-q', ...words, from, to], { encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return mib / ((now() - begin) / 1000)
}

/** `words` make ssh reach `host`; `place` is a folder there. */
async function measure({ words, host, place }) {
  const socket = join(folder('c'), 's')
  const control = [...words, '-o', `ControlPath=${socket}`]
  const master = spawn('ssh', [...control, '-N', '-M', host], { stdio: ['ignore', 'ignore', 'inherit'] })
  process.once('exit', () => master.kill())
  const command = ['ssh', ...control, host]
  for (let n = 0; n < 100 && spawnSync('ssh', [...control, '-O', 'check', host]).status !== 0; n++) await sleep(100)
  const warmPrompts = []
  for (let n = 0; n < 5; n++) warmPrompts.push(await untilPrints(['ssh', '-tt', ...control, host], PROMPT))
  const terminal = ['ssh', '-tt', ...control, host]
  const alone = await echoes(terminal)
  const besideDown = await echoesBeside(terminal, down(command, place), place, 'wchar')
  const besideUp = await echoesBeside(terminal, up(command, place), place, 'rchar')
  const file = join(folder('file'), 'file')
  writeFileSync(file, '')
  truncateSync(file, mib * 1_048_576)
  const there = join(place, 'copy')
  const upRate = copy(control, file, `${host}:${there}`)
  rmSync(file)
  const downRate = copy(control, `${host}:${there}`, file)
  if (readFileSync(file).length !== mib * 1_048_576) throw new Error('scp lost something')
  master.kill()
  return {
    promptMs: quantile(warmPrompts, 0.5),
    echoMs: quantile(alone, 0.5),
    downMs50: besideDown.ms50,
    downMs99: besideDown.ms99,
    downBeside: besideDown.rate,
    upMs50: besideUp.ms50,
    upMs99: besideUp.ms99,
    upBeside: besideUp.rate,
    upRate,
    downRate,
  }
}

async function ofBox(isDirect) {
  const hub = await startHub()
  const listening = isDirect ? ['--listen', '127.0.0.1:0'] : []
  const device = await startAgent('device', ['--hub-url', hub.status.hello, ...listening, '--shell', SHELL], 1)
  const state = join(folder('controller'), 'state')
  await box(state, 'init', '--ego', 'home')
  await box(state, 'hub', 'add', isDirect ? device.status.hello : hub.status.hello)
  const { code } = await device.ask('pair', '--no-wait')
  await box(state, 'pair', code, '--as', 'kitchen')
  const config = join(folder('ssh'), 'config')
  writeFileSync(config, await box(state, 'ssh-config'))
  return { words: ['-F', config], host: 'kitchen.box', place: folder('there') }
}

async function measureHypershell() {
  const { env, shell, copy, there } = await startHypershell(SHELL)
  const prompts = []
  for (let n = 0; n < 5; n++) prompts.push(await untilPrints(shell, PROMPT, env))
  const [near, far] = ['near', 'far'].map(name => join(folder(name), 'file'))
  const timed = async (from, to) => {
    const begin = now()
    await copy(from, to)
    return mib / ((now() - begin) / 1000)
  }
  writeFileSync(near, '')
  truncateSync(near, mib * 1_048_576)
  const upRate = await timed(near, there(far))
  rmSync(near)
  const downRate = await timed(there(far), near)
  for (const path of [far, near])
    if (statSync(path).size !== mib * 1_048_576) throw new Error('hypershell lost something')
  return { promptMs: quantile(prompts, 0.5), upRate, downRate }
}

async function ofOpenssh() {
  const { options, host, home } = await startSshd(SHELL)
  return { words: options, host, place: home }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
const mib = option(words, 'mib', 200)
if (words[0] === '--one') {
  const subject = {
    'box-hub': () => ofBox(false).then(measure),
    box: () => ofBox(true).then(measure),
    openssh: () => ofOpenssh().then(measure),
    hypershell: measureHypershell,
  }[words[1]]
  console.log(JSON.stringify(await bounded(subject(), STEP_MS, words[1])))
  process.exit(0)
}
const rows = runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds, () => ['--mib', String(mib)])
const columns = [
  ['promptMs', 'warm prompt ms', 0, { 'box-hub': '<= 100' }],
  ['echoMs', 'echo p50 ms', 1],
  ['downMs50', 'p50 beside a download', 1],
  ['downMs99', 'p99', 1, { 'box-hub': '<= 50' }],
  ['downBeside', 'that MiB/s', 1],
  ['upMs50', 'p50 beside an upload', 1],
  ['upMs99', 'p99', 1, { 'box-hub': '<= 50' }],
  ['upBeside', 'that MiB/s', 1],
  ['upRate', 'scp up MiB/s', 1],
  ['downRate', 'scp down MiB/s', 1],
]
printTable('a shell that is there', rows, columns, { 'box-hub': ['openssh', 'hypershell'], box: ['openssh', 'hypershell'] })
