/**
 * One OpenSSH server at so many addresses of the loopback interface, each a host of its own to ssh; and what Ansible
 * needs to reach them. Needs root: an account is made, and removed at the end.
 */

import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram } from './children.mjs'
import { listening } from './openssh.mjs'

/** Of its own, with a plain shell: what an administrator's bash does at its start is no figure of anybody's. */
const ACCOUNT = 'boxbenchpush'

/** A directory that the account may write to. */
export function makeFor(home, name) {
  mkdirSync(join(home, name))
  execFileSync('chown', [ACCOUNT, join(home, name)])
}

/** `ansible` is how to begin its command line. */
export async function startSshdFleet(home, count) {
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
  // The account reaches its own directories alone; keys and sockets are of whoever measures.
  chmodSync(home, 0o711)
  makeFor(home, 'remote')
  const names = Array.from({ length: count }, (_, i) => `d${String(i).padStart(3, '0')}`)
  const addresses = names.map((_, i) => `127.0.1.${i + 1}`)
  const about = `ansible_port=${port} ansible_user=${ACCOUNT} ansible_ssh_private_key_file=${home}/user ansible_python_interpreter=/usr/bin/python3`
  const hosts = names.map((name, i) => `${name} ansible_host=${addresses[i]} ${about}`)
  writeFileSync(join(home, 'hosts'), `${hosts.join('\n')}\n`)
  writeFileSync(join(home, 'ansible.cfg'), '')
  const env = {
    ...{ ANSIBLE_HOST_KEY_CHECKING: 'False', ANSIBLE_LOCAL_TEMP: join(home, 'local'), ANSIBLE_CONFIG: join(home, 'ansible.cfg') },
    ...{ ANSIBLE_SSH_CONTROL_PATH_DIR: join(home, 'cp'), ANSIBLE_REMOTE_TMP: join(home, 'remote'), HOME: home },
  }
  const key = join(home, 'user')
  return { names, addresses, port, account: ACCOUNT, key, ansible: ['ansible', 'all', '-i', join(home, 'hosts')], env }
}
