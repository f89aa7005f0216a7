/**
 * The last step of npm run build: `box`, `box-agent`, its `box-keeper` and its `box-seat` in dist/bin, with all they use but the terminal's native
 * half, as a few files that are read when they are needed. As the hundreds of modules they are written in, a
 * command takes half as long again to start.
 */

import { readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

const ROOT = join(import.meta.dirname, '..', '..')
const OUT = join(ROOT, 'dist', 'bin')

/** What CommonJS modules expect to have, under names that no module uses. */
const BANNER = `\
import { createRequire as bundleCreateRequire } from 'node:module'
const require = bundleCreateRequire(import.meta.url)
const bundleFile = import.meta.filename, bundleFolder = import.meta.dirname`

const { metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: {
    box: 'controller/main.ts',
    'box-agent': 'agent/main.ts',
    'box-keeper': 'agent/keeper/main.ts',
    'box-seat': 'agent/seat/main.ts',
  },
  outdir: OUT,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // Names stay: stack traces are for whoever reads a report.
  minifyWhitespace: true,
  minifySyntax: true,
  define: { PROGRAMS_BESIDE: 'true', __filename: 'bundleFile', __dirname: 'bundleFolder' },
  banner: { js: BANNER },
  // Native; ssh2 does without the first two.
  external: ['cpu-features', './crypto/build/Release/sshcrypto.node', 'node-pty'],
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
})

const written = new Set(Object.keys(metafile.outputs).map(path => basename(path)))
for (const name of readdirSync(OUT)) if (!written.has(name)) rmSync(join(OUT, name))
