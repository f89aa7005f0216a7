/** Stock OpenSSH over TCP on loopback, on an account made for it (needs root) and removed at the end. */

import { execFileSync, spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { createConnection } from 'node:net'
import { join } from 'node:path'
import { folder, startProgram } from './children.mjs'
import { now, sleep } from './measure.mjs'

const ACCOUNT = 'boxbench'
const START_MS = 20_000

/** Starts a server whose account has this shell; resolves to the words of ssh and scp, and the host to give them. */
export async function startSshd(shell) {
  const home = folder('home')
  const port = 20_000 + (process.pid % 10_000)
  const leave = () => {
    spawnSync('pkill', ['-KILL', '-u', ACCOUNT])
    spawnSync('userdel', [ACCOUNT])
  }
  leave()
  process.once('exit', leave)
  execFileSync('useradd', ['-M', '-p', '*', '-d', home, '-s', shell, ACCOUNT])
  for (const key of ['host', 'user'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, key)])
  mkdirSync(join(home, '.ssh'))
  copyFileSync(join(home, 'user.pub'), join(home, '.ssh', 'authorized_keys'))
  execFileSync('chown', ['-R', `${ACCOUNT}:`, home])
  mkdirSync('/run/sshd', { recursive: true })
  const settings = [`Port=${port}`, 'ListenAddress=127.0.0.1', `HostKey=${join(home, 'host')}`]
  const sftp = 'Subsystem=sftp internal-sftp'
  const words = [...settings, 'UsePAM=no', 'StrictModes=no', sftp].flatMap(setting => ['-o', setting])
  execFileSync('chown', ['root:', join(home, 'host'), join(home, 'user')])
  startProgram(['/usr/sbin/sshd', '-D', '-f', '/dev/null', ...words])
  await listening(port)
  const trust = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR']
  const options = [...trust, `Port=${port}`, `IdentityFile=${join(home, 'user')}`].flatMap(setting => ['-o', setting])
  return { options, host: `${ACCOUNT}@127.0.0.1`, home }
}

/** Until something listens there. */
export async function listening(port) {
  for (const deadline = now() + START_MS; ; await sleep(20)) {
    const opened = await new Promise(resolve => {
      const socket = createConnection(port, '127.0.0.1')
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (opened) return
    if (now() > deadline) throw new Error('sshd does not listen')
  }
}
