/**
 * npm run bundle: one executable for each machine, and with --archive a .tar.xz around it, in dist/bundle.
 *
 *     npm run bundle -- [--machine linux-x64] [--archive]
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { VERSION } from '../src/base/version.ts'
import { KEEPER_SCRIPT } from '../src/sys/own-programs.ts'
import { buildExecutable } from './executable.ts'
import { MACHINES, type Machine, NODE_VERSION, runtimeFor } from './runtime.ts'
import { buildKeeperScript, buildParts, buildScript, buildStart } from './script.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const LINKED = 'box-agent'

const { values } = parseArgs({
  options: {
    machine: { type: 'string', multiple: true },
    archive: { type: 'boolean', default: false },
    out: { type: 'string', default: join(ROOT, 'dist', 'bundle') },
  },
})
const OUT = resolve(values.out)
const machines = values.machine ?? MACHINES
mkdirSync(OUT, { recursive: true })
const scripts = { box: join(OUT, 'box.cjs'), keeper: join(OUT, KEEPER_SCRIPT) }
await buildScript(ROOT, scripts.box)
await buildKeeperScript(ROOT, scripts.keeper)
for (const script of Object.values(scripts)) tell(script)
const program = { start: await buildStart(ROOT), parts: await buildParts(ROOT) }
for (const machine of machines) {
  if (!isMachine(machine)) throw new Error(`"${machine}" is none of ${MACHINES.join(', ')}`)
  const folder = join(OUT, machine)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  await buildExecutable(machine, program, join(folder, 'box'))
  symlinkSync('box', join(folder, LINKED))
  tell(join(folder, 'box'))
  if (values.archive) tell(archive(machine, folder))
}

function isMachine(word: string): word is Machine {
  return (MACHINES as readonly string[]).includes(word)
}

/** Both names and the licences, as one file; the same bytes for the same content. */
function archive(machine: Machine, folder: string): string {
  const name = `secushare-box-${VERSION}-${machine}`
  const path = join(OUT, `${name}.tar.xz`)
  const work = mkdtempSync(join(OUT, 'archive-'))
  try {
    const inside = join(work, name)
    mkdirSync(inside)
    copyFileSync(join(folder, 'box'), join(inside, 'box'))
    symlinkSync('box', join(inside, LINKED))
    copyFileSync(join(ROOT, 'LICENSE'), join(inside, 'LICENSE'))
    copyFileSync(runtimeFor(machine).nodeLicence, join(inside, `LICENSE.node-${NODE_VERSION}`))
    const plain = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner']
    const tar = [...plain, '--mode=u=rwX,go=rX', '-I', 'xz -9 -T1', '-cf', path, '-C', work, name]
    execFileSync('tar', tar)
    return path
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** One line for each thing made: hash, size, name. */
function tell(path: string): void {
  const hash = createHash('sha256').update(readFileSync(path)).digest('hex')
  const size = (statSync(path).size / 1e6).toFixed(1)
  process.stdout.write(`${hash}  ${size.padStart(6)} MB  ${relative(ROOT, path)}\n`)
}
