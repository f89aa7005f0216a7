/**
 * A script, Node and the terminal library made into one executable (Node's "single executable application").
 * The same input gives the same bytes: nothing in it tells when or where it was made.
 */

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inject } from 'postject'
import { HERE, type Machine, type Runtime, runtimeFor } from './runtime.ts'
import { ASSET } from './terminal-addon.ts'

/** By which Node finds out that it holds a program. */
const SENTINEL_FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
const RESOURCE = 'NODE_SEA_BLOB'

const STRIP: Readonly<Record<Machine, string>> = {
  'linux-x64': 'x86_64-linux-gnu-strip',
  'linux-arm64': 'aarch64-linux-gnu-strip',
}

/**
 * What Node runs first: the script that was asked for, as Node would have run it. The keeper of shells is one of its
 * own, so that its process need not hold the text of all else.
 */
const START = `'use strict'
const { getAsset } = require('node:sea')
const { Script } = require('node:vm')
const isKeeper = process.argv[2] === 'box-keeper'
if (isKeeper) process.argv.splice(2, 1)
const filename = isKeeper ? 'keeper.cjs' : 'box.cjs'
const text = getAsset(filename, 'utf8')
new Script('(function(exports,require,module,__filename,__dirname){' + text + '\\n})', { filename })
  .runInThisContext()(exports, require, module, __filename, __dirname)
`

/** Both bundles of script.ts. */
export interface Scripts {
  readonly box: string
  readonly keeper: string
}

/** Makes `outfile` for a machine. Needs Debian's binutils for that machine. */
export async function buildExecutable(
  machine: Machine,
  scripts: Scripts,
  outfile: string,
): Promise<void> {
  const runtime = runtimeFor(machine)
  const work = mkdtempSync(join(tmpdir(), 'box-bundle-'))
  try {
    const blob = makeBlob(scripts, runtime, work)
    copyFileSync(runtime.node, outfile)
    chmodSync(outfile, 0o755)
    // Before the blob goes in: strip would take it for rubbish.
    execFileSync(STRIP[machine], ['--strip-all', outfile])
    await inject(outfile, RESOURCE, blob, { sentinelFuse: SENTINEL_FUSE })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** What goes in: the same for every machine but for the library; made by the Node of this one. */
function makeBlob({ box, keeper }: Scripts, runtime: Runtime, work: string): Buffer {
  // Names without folders: the blob holds them.
  writeFileSync(join(work, 'start.cjs'), START)
  copyFileSync(box, join(work, 'box.cjs'))
  copyFileSync(keeper, join(work, 'keeper.cjs'))
  copyFileSync(runtime.pty, join(work, ASSET))
  const config = {
    main: 'start.cjs',
    output: 'box.blob',
    disableExperimentalSEAWarning: true,
    useSnapshot: false,
    useCodeCache: false,
    // NODE_OPTIONS is for other programs of the user.
    execArgvExtension: 'none',
    assets: { [ASSET]: ASSET, 'box.cjs': 'box.cjs', 'keeper.cjs': 'keeper.cjs' },
  }
  writeFileSync(join(work, 'config.json'), JSON.stringify(config))
  execFileSync(runtimeFor(HERE).node, ['--experimental-sea-config', 'config.json'], {
    cwd: work,
    env: {},
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  return readFileSync(join(work, 'box.blob'))
}
