/**
 * The last step of npm run build: `box`, `box-agent`, its `box-keeper` and its `box-seat` in dist/bin, with all they use but the terminal's native
 * half, as a few files that are read when they are needed. As the hundreds of modules they are written in, a command
 * takes twice as long to start; as so few modules, half as long again, because Node takes more steps to each.
 */

import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { V8_FLAGS } from '../agent/v8-flags.ts'
import { fillFolder } from './output-folder.ts'
import { cacheOf, loadedBy, packName, packText, type Wanted } from './packs.ts'
import { partText } from './part.ts'
import { bundledRequire, lessOfSsh2, SHORTER, scriptOf } from './script.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const OUT = join(ROOT, 'dist', 'bin')
const STARTED = '#!/usr/bin/env node\n'
/** The package is one of modules; this folder is none. */
const PACKAGE = { name: 'package.json', text: '{"type":"commonjs"}\n' }

interface Program {
  readonly entry: string
  /** Each without what is in those before it. */
  readonly packs?: readonly Wanted[]
  /** With which it sets V8's up before it loads a pack. */
  readonly flags?: readonly string[]
}

const PROGRAMS: Readonly<Record<string, Program>> = {
  box: {
    entry: 'controller/main.ts',
    packs: [
      {
        name: 'box-start',
        modules: ['controller/main.ts', 'src/sys/clock.ts', 'controller/context.ts'],
      },
      {
        name: 'box-reach',
        modules: [
          'controller/commands/proxy.ts',
          'controller/commands/ssh.ts',
          'controller/engine.ts',
        ],
      },
      { name: 'box-ssh', modules: ['node_modules/ssh2/lib/index.js'] },
    ],
  },
  // The rest stays in files: one pack would be in the memory of an agent that waits.
  'box-agent': {
    entry: 'agent/main.ts',
    packs: [
      {
        name: 'agent-ssh',
        modules: ['agent/ssh-connection.ts'],
        without: ['agent/main.ts', 'agent/life.ts'],
      },
    ],
    flags: V8_FLAGS,
  },
  'box-keeper': { entry: 'agent/keeper/main.ts' },
  'box-seat': { entry: 'agent/seat/main.ts' },
}

const { outputFiles, metafile } = await build({
  absWorkingDir: ROOT,
  entryPoints: Object.fromEntries(
    Object.entries(PROGRAMS).map(([name, { entry }]) => [`main-${name}`, entry]),
  ),
  outdir: OUT,
  write: false,
  metafile: true,
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
  plugins: [bundledRequire(ROOT), lessOfSsh2],
})

const parts = new Map<string, string>()
for (const { path, text } of outputFiles) parts.set(basename(path), partText(await scriptOf(text)))

const files = new Map<string, string | Uint8Array>([[PACKAGE.name, PACKAGE.text], ...parts])
for (const [name, program] of Object.entries(PROGRAMS)) {
  const packed = makePacks(program)
  files.set(`${name}.js`, `${STARTED}${await startOf(name, packed)}`)
}
fillFolder(OUT, files)

/** Resolves each part that is in a pack to the name of that. */
function makePacks({ packs = [], flags = [] }: Program): ReadonlyMap<string, string> {
  const packed = new Map<string, string>()
  for (const { name, modules, without = [] } of packs) {
    const loaded = loadedBy(metafile, without)
    const names = [...loadedBy(metafile, modules)]
      .filter(path => !loaded.has(path))
      .map(path => basename(path))
      .filter(part => !packed.has(part))
    const text = packText(new Map(names.map(part => [part, parts.get(part)!])))
    const file = packName(name, text)
    files.set(`${file}.js`, text)
    files.set(`${file}.cache`, cacheOf(text, join(OUT, `${file}.js`), flags))
    for (const part of names) packed.set(part, file)
  }
  return packed
}

/** The text of what is started by its name. */
async function startOf(name: string, packed: ReadonlyMap<string, string>): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: [join(ROOT, 'deploy', 'program-start.ts')],
    bundle: true,
    write: false,
    ...SHORTER,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    define: {
      MAIN_PART: JSON.stringify(`main-${name}.js`),
      PACKED: JSON.stringify(Object.fromEntries(packed)),
    },
    legalComments: 'none',
    logLevel: 'warning',
  })
  return outputFiles[0]!.text
}
