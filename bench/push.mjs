/**
 * A small file to a fleet: how long until every device has it, and what that costs where it is sent from.
 *
 *     node push.mjs [--rounds 3] [box-50 box-200 ansible-50]
 *
 * `box push` to so many agents (targets/agents.mjs) through hubs of fifty each: signed, applied as a transaction, confirmed
 * over a second connection; the first time, when nothing is known of the devices but their keys, and again with another content.
 * Beside it `ansible -m copy` to so many addresses of one OpenSSH server on the loopback interface (needs root,
 * `ansible-core`, `openssh-server`), the second time over the connections that it keeps. Ten at a time, both.
 */

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { Fleet } from '../dist/controller/fleet.js'
import { directoryState } from '../dist/controller/state.js'
import { zoneFromText } from '../dist/src/gns/name.js'
import { systemClock } from '../dist/src/sys/clock.js'
import { folder, startProgram, startScript } from './lib/children.mjs'
import { box, boxCommand, startHub } from './lib/fleet.mjs'
import { bounded, now, sleep } from './lib/measure.mjs'
import { option, printTable, runRounds } from './lib/table.mjs'

const SUBJECTS = ['box-50', 'ansible-50', 'box-200']
const AT_ONCE = 10
/** Less than a round has (lib/table.mjs), so that whatever was started is ended here. */
const STEP_MS = 280_000
const DEVICES_A_HUB = 50
const AGAIN_WITHIN_S = 100
const LOOK_EVERY_MS = 250
const MARK = 'BOX_BENCH_RUN'
/** Of its own, with a plain shell: what an administrator's bash does at its start is no figure of Ansible's. */
const ACCOUNT = 'boxbenchpush'

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
function memoryOf(pids) {
  let kib = 0
  for (const pid of pids)
    try {
      kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
    } catch {
      // Ended meanwhile.
    }
  return kib / 1024
}

/** Runs a command to its end; how long it took, and the most memory that it and its children had at once. */
function run(command, env = {}, place = '') {
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
  const timer = setInterval(() => (most = Math.max(most, memoryOf(family()))), LOOK_EVERY_MS)
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
      if (code === 0) resolve({ seconds: (now() - begin) / 1000, mib: most })
      else reject(new Error(`${command[0]} ended with ${code}: ${said.slice(-400)}`))
    })
  })
}

async function measureBox(count) {
  // A hub takes 64 links from one host (src/mesh/transport/legacy/limits.ts): several share a larger fleet.
  const hubs = [await startHub()]
  while (hubs.length * DEVICES_A_HUB < count) hubs.push(await startHub(['--hub-url', hubs[0].status.hello]))
  const hellos = hubs.map(({ status }) => status.hello)
  const state = join(folder('controller'), 'state')
  await box(state, 'init', '--ego', 'home')
  for (const hello of hellos) await box(state, 'hub', 'add', hello)
  const { id: zone } = JSON.parse(await box(state, 'id', '--json'))
  const top = folder('devices')
  const devices = await startScript('targets/agents.mjs', [String(count), hellos.join(' '), zone, top])
  const fleet = new Fleet(directoryState(state, systemClock))
  for (const device of devices.info)
    await fleet.add({ name: device.name, zone: zoneFromText(device.zone), tags: [], pairedAt: 0, last: null })
  const bundle = folder('bundle')
  const files = 'roots: [/etc/bench]\nfiles: { /etc/bench/motd: { from: motd } }\n'
  writeFileSync(join(bundle, 'bundle.yaml'), `bundle: 1\nname: bench\n${files}`)
  const push = async content => {
    writeFileSync(join(bundle, 'motd'), content)
    const figures = await run(boxCommand(state, 'push', '@all', bundle, '--batch', String(AT_ONCE)))
    for (const { name } of devices.info) mustHave(join(top, name, 'etc', 'motd'), content)
    return figures
  }
  return twice(push, count)
}

async function measureAnsible(count) {
  const home = folder('ansible')
  const port = 20_000 + (process.pid % 10_000)
  const leave = () => {
    spawnSync('pkill', ['-KILL', '-u', ACCOUNT])
    spawnSync('userdel', [ACCOUNT])
  }
  leave()
  process.prependOnceListener('exit', leave)
  execFileSync('useradd', ['-M', '-p', '*', '-d', home, '-s', '/bin/sh', ACCOUNT])
  for (const key of ['host', 'user']) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, key)])
  copyFileSync(join(home, 'user.pub'), join(home, 'authorized_keys'))
  const lines = [`Port ${port}`, 'ListenAddress 0.0.0.0', `HostKey ${home}/host`, `AuthorizedKeysFile ${home}/authorized_keys`]
  const more = ['StrictModes no', 'UsePAM no', 'MaxStartups 200', 'MaxSessions 200', `PidFile ${home}/pid`]
  const sftp = 'Subsystem sftp internal-sftp'
  writeFileSync(join(home, 'sshd_config'), [...lines, ...more, sftp, ''].join('\n'))
  mkdirSync('/run/sshd', { recursive: true })
  startProgram(['/usr/sbin/sshd', '-D', '-f', join(home, 'sshd_config')])
  await listening(port)
  const names = Array.from({ length: count }, (_, i) => `d${String(i).padStart(3, '0')}`)
  for (const name of names) mkdirSync(join(home, name))
  // The account reaches its own directories alone; keys and sockets are of whoever measures.
  chmodSync(home, 0o711)
  execFileSync('chown', [ACCOUNT, ...names.map(name => join(home, name)), ...made(home, 'remote')])
  const about = `ansible_port=${port} ansible_user=${ACCOUNT} ansible_ssh_private_key_file=${home}/user ansible_python_interpreter=/usr/bin/python3`
  // Addresses of their own, so that each is a host of its own to ssh.
  const hosts = names.map((name, i) => `${name} ansible_host=127.0.1.${i + 1} ${about}`)
  writeFileSync(join(home, 'hosts'), `${hosts.join('\n')}\n`)
  writeFileSync(join(home, 'ansible.cfg'), '')
  const env = {
    ...{ ANSIBLE_HOST_KEY_CHECKING: 'False', ANSIBLE_LOCAL_TEMP: join(home, 'local'), ANSIBLE_CONFIG: join(home, 'ansible.cfg') },
    ...{ ANSIBLE_SSH_CONTROL_PATH_DIR: join(home, 'cp'), ANSIBLE_REMOTE_TMP: join(home, 'remote'), HOME: home },
  }
  const copy = async content => {
    writeFileSync(join(home, 'motd'), content)
    const what = `src=${home}/motd dest=${home}/{{inventory_hostname}}/motd`
    const words = ['all', '-i', join(home, 'hosts'), '-f', String(AT_ONCE), '-m', 'copy', '-a', what]
    const figures = await run(['ansible', ...words], env, join(home, 'cp'))
    for (const name of names) mustHave(join(home, name, 'motd'), content)
    return figures
  }
  return twice(copy, count)
}

function made(home, name) {
  mkdirSync(join(home, name))
  return [join(home, name)]
}

/** The first time, and again where the machine is not so busy that there is no time for it. */
async function twice(bring, count) {
  const first = await bring('first\n')
  const figures = { firstSeconds: first.seconds, firstEachMs: (1000 * first.seconds) / count, mib: first.mib }
  if (first.seconds > AGAIN_WITHIN_S) return figures
  const second = await bring('second\n')
  return {
    ...figures,
    ...{ secondSeconds: second.seconds, secondEachMs: (1000 * second.seconds) / count },
    mib: Math.max(first.mib, second.mib),
  }
}

function mustHave(path, content) {
  if (readFileSync(path, 'utf8') !== content) throw new Error(`${path} was not brought`)
}

async function listening(port) {
  for (const deadline = Date.now() + 10_000; ; await sleep(LOOK_EVERY_MS)) {
    const isOpen = await new Promise(resolve => {
      const socket = createConnection(port, '127.0.0.1', () => resolve(true))
      socket.on('error', () => resolve(false)).on('connect', () => socket.destroy())
    })
    if (isOpen) return
    if (Date.now() > deadline) throw new Error('sshd did not start')
  }
}

const words = process.argv.slice(2)
const rounds = option(words, 'rounds', 3)
if (words[0] === '--one') {
  const [what, count] = words[1].split('-')
  const measure = what === 'ansible' ? measureAnsible : measureBox
  console.log(JSON.stringify(await bounded(measure(Number(count)), STEP_MS, words[1])))
  process.exit(0)
}
printTable(
  'a file to a fleet',
  runRounds(import.meta.filename, words.length > 0 ? words : SUBJECTS, rounds),
  [
    ['firstSeconds', 'first time s', 1],
    ['firstEachMs', 'ms a device', 0],
    ['secondSeconds', 'again s', 1],
    ['secondEachMs', 'ms a device', 0],
    ['mib', 'memory MiB', 0],
  ],
  { 'box-50': ['ansible-50'] },
)
