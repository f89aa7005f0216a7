/** hypershell and its file copy, over a test network of three nodes. Every command is a connection of its own. */

import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { folder, startProgram, startScript } from '../lib/children.mjs'

const PROGRAMS = join(import.meta.dirname, '..', 'node_modules/hypershell/bin')
const NODE = join(import.meta.dirname, '..', 'lib/hypershell-node.cjs')
/** A public key, as hypershell prints it. */
const KEY = /\b[ybndrfg8ejkmcpqxot1uwisza345h769]{52}\b/

/** Resolves to { env, shell, copy, there }: the command of a shell, what copies from and to, and a path on the server. */
export async function startHypershell(shell) {
  const network = await startScript('targets/hyperdht.mjs', ['network'])
  const home = folder('hypershell')
  const env = { ...process.env, HOME: home, SHELL: shell, BENCH_TESTNET_PORT: String(network.info) }
  const program = (name, ...words) => [process.execPath, '-r', NODE, join(PROGRAMS, name), ...words]
  const [server, client, allowed] = ['server', 'client', 'allowed'].map(name => join(home, name))
  const keygen = file => {
    const [command, ...words] = program('keygen.js', '-f', file)
    return KEY.exec(spawnSync(command, words, { env, encoding: 'utf8' }).stdout)[0]
  }
  keygen(server)
  writeFileSync(allowed, `${keygen(client)}\n`)
  const running = startProgram(program('server.js', '-f', server, '--firewall', allowed), {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const key = await new Promise((resolve, reject) => {
    let out = ''
    running.stdout.on('data', chunk => {
      out += chunk
      const found = KEY.exec(out)
      if (found) resolve(found[0])
    })
    running.on('exit', code => reject(new Error(`hypershell ended (${code}): ${out}`)))
  })
  return {
    env,
    shell: program('client.js', key, '-f', client),
    there: path => `${key}:${path}`,
    copy: (from, to) =>
      new Promise((resolve, reject) => {
        const [command, ...words] = program('copy.js', from, to, '-f', client)
        const child = spawn(command, words, { env, stdio: ['ignore', 'ignore', 'inherit'] })
        child.on('exit', code => (code === 0 ? resolve() : reject(new Error(`copy ended (${code})`))))
      }),
  }
}
