/**
 * The last step of npm run build: `box`, `box-agent`, its `box-keeper` and its `box-seat` in dist/bin, with all they use but the terminal's native
 * half, as a few files that are read when they are needed. As the hundreds of modules they are written in, a command
 * takes twice as long to start; as so few modules, half as long again, because Node takes more steps to each.
 */

import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { BANNER, SHORTER, scriptOf } from './script.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const OUT = join(ROOT, 'dist', 'bin')
const STARTED = '#!/usr/bin/env node\n'
/** The package is one of modules; this folder is none. */
const PACKAGE = { name: 'package.json', text: '{"type":"commonjs"}\n' }

const PROGRAMS = {
  box: 'controller/main.ts',
  'box-agent': 'agent/main.ts',
  'box-keeper': 'agent/keeper/main.ts',
  'box-seat': 'agent/seat/main.ts',
}

const { outputFiles } = await build({
  absWorkingDir: ROOT,
  entryPoints: PROGRAMS,
  outdir: OUT,
  write: false,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  ...SHORTER,
  define: { PROGRAMS_BESIDE: 'true', 'import.meta.url': 'bundleUrl' },
  // Native; ssh2 does without the first two.
  external: ['cpu-features', './crypto/build/Release/sshcrypto.node', 'node-pty'],
  legalComments: 'none',
  logLevel: 'warning',
})

const written = new Set([PACKAGE.name])
mkdirSync(OUT, { recursive: true })
writeFileSync(join(OUT, PACKAGE.name), PACKAGE.text)
for (const { path, text } of outputFiles) {
  const name = basename(path)
  written.add(name)
  const script = await scriptOf(text)
  const isProgram = Object.hasOwn(PROGRAMS, basename(name, '.js'))
  const banner = script.includes('bundleUrl') ? BANNER : ''
  writeFileSync(path, `${isProgram ? STARTED : ''}${banner}${script}`)
  chmodSync(path, isProgram ? 0o755 : 0o644)
}
for (const name of readdirSync(OUT)) if (!written.has(name)) rmSync(join(OUT, name))
