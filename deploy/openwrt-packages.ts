/**
 * The packages for OpenWrt. Up to 24.10 it has Node, so the package is the script; later ones have none, so
 * it is the executable with the C library it needs, which OpenWrt has not either.
 */

import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { VERSION } from '../src/base/version.ts'
import { KEEPER_SCRIPT } from '../src/sys/own-programs.ts'
import type { Package } from './package-formats.ts'
import { type Machine, MUSL_ARCHITECTURES, muslPty } from './runtime.ts'
import type { Entry } from './tar.ts'

export const REVISION = 1
const NAME = 'secushare-box'
const LIBRARY = `usr/lib/${NAME}`

/** The C library of the building machine, by the names the loader asks for. */
const LIBRARIES = ['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'libutil.so.1']
const COMPILER_LIBRARIES = ['libgcc_s.so.1', 'libstdc++.so.6']
const LOADERS: Readonly<Record<Machine, string>> = {
  'linux-x64': 'ld-linux-x86-64.so.2',
  'linux-arm64': 'ld-linux-aarch64.so.1',
}
const FOLDERS: Readonly<Record<Machine, readonly string[]>> = {
  'linux-x64': ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64'],
  'linux-arm64': ['/usr/aarch64-linux-gnu/lib'],
}
const KERNEL_NAMES: Readonly<Record<Machine, string>> = {
  'linux-x64': 'x86_64',
  'linux-arm64': 'aarch64',
}

/** Where the project's own files lie. */
export interface Sources {
  readonly root: string
  /** The bundled script. */
  readonly script: string
  /** That of the keeper alone. */
  readonly keeper: string
}

const file = (path: string, from: string, mode?: number): Entry => ({
  path,
  is: 'file',
  content: readFileSync(from),
  ...(mode === undefined ? {} : { mode }),
})

/** What the service needs, whatever runs the program. */
function serviceFiles({ root }: Sources): Entry[] {
  const files = join(root, 'deploy', 'openwrt', 'files')
  return [
    file(`etc/init.d/${NAME}`, join(files, 'secushare-box.init'), 0o755),
    file(`etc/config/${NAME}`, join(files, 'secushare-box.config'), 0o600),
    file(`etc/uci-defaults/90-${NAME}`, join(files, 'secushare-box.defaults'), 0o755),
    file(`lib/upgrade/keep.d/${NAME}`, join(files, 'secushare-box.keep')),
  ]
}

/** As OpenWrt's own packages do: nothing while an image is made, else first boot's work, and the service. */
const AFTER = `#!/bin/sh
[ -n "$IPKG_INSTROOT" ] && exit 0
[ -f /etc/uci-defaults/90-${NAME} ] && sh /etc/uci-defaults/90-${NAME} && rm -f /etc/uci-defaults/90-${NAME}
/etc/init.d/${NAME} enable
/etc/init.d/${NAME} start
exit 0
`
const BEFORE_END = `#!/bin/sh
[ -n "$IPKG_INSTROOT" ] && exit 0
/etc/init.d/${NAME} stop
/etc/init.d/${NAME} disable
exit 0
`

const about = {
  name: NAME,
  version: VERSION,
  revision: REVISION,
  summary: 'Remote administration behind NAT, with no cloud and no account',
  description: [
    'An agent that makes this router reachable for its owners, wherever it is,',
    'over GNUnet; and the program with which they do it.',
  ],
  settings: [`etc/config/${NAME}`],
} as const

/** For opkg, with the Node of the feed, on every machine that Node runs on. */
export function nodePackage(sources: Sources): Package {
  const files = join(sources.root, 'deploy', 'openwrt', 'files')
  return {
    ...about,
    architecture: 'all',
    depends: ['node'],
    files: [
      ...serviceFiles(sources),
      file('usr/bin/box', join(files, 'box.sh'), 0o755),
      file('usr/bin/box-agent', join(files, 'box-agent.sh'), 0o755),
      ...scriptFiles(sources).map(entry => ({ ...entry, path: `${LIBRARY}/${entry.path}` })),
    ],
    scripts: { postinst: AFTER, prerm: BEFORE_END },
  }
}

/** The script, and the terminal library of each machine beside it. */
export const scriptFiles = ({ script, keeper }: Sources): Entry[] => [
  file('box.cjs', script),
  file(KEEPER_SCRIPT, keeper),
  ...MUSL_ARCHITECTURES.map(machine => file(`pty-${machine}-musl.node`, muslPty(machine))),
]

/** For apk, with all that is needed. */
export function bundledPackage(machine: Machine, executable: string, sources: Sources): Package {
  const kernelName = KERNEL_NAMES[machine]
  return {
    ...about,
    // The names of OpenWrt's architectures are many for one instruction set: looked at by the script.
    architecture: 'noarch',
    depends: [],
    files: [
      ...serviceFiles(sources),
      { path: 'usr/bin/box', is: 'link', to: `../lib/${NAME}/box` },
      { path: 'usr/bin/box-agent', is: 'link', to: `../lib/${NAME}/box` },
      {
        path: `${LIBRARY}/box`,
        is: 'file',
        mode: 0o755,
        content: withOwnLoader(machine, executable),
      },
      ...libraries(machine),
    ],
    scripts: {
      '.pre-install': `#!/bin/sh
[ "$(uname -m)" = ${kernelName} ] && exit 0
echo "this package is for ${kernelName}" >&2
exit 1
`,
      '.post-install': AFTER,
      '.post-upgrade': AFTER,
      '.pre-deinstall': BEFORE_END,
    },
  }
}

function libraries(machine: Machine): Entry[] {
  const needed = [LOADERS[machine], ...LIBRARIES, ...COMPILER_LIBRARIES]
  return needed.flatMap(name => {
    const path = FOLDERS[machine].map(folder => join(folder, name)).find(path => existsSync(path))
    if (path) return [file(`${LIBRARY}/${name}`, path, 0o755)]
    throw new Error(`${name} for ${machine} is not installed`)
  })
}

/**
 * The executable, told to use the C library beside it. After the program has been put into it: the other
 * way round it would be damaged. A path of the old kind (RPATH) also holds for the terminal library.
 */
function withOwnLoader(machine: Machine, executable: string): Uint8Array {
  const work = mkdtempSync(join(tmpdir(), 'box-loader-'))
  try {
    const copy = join(work, 'box')
    copyFileSync(executable, copy)
    const interpreter = ['--set-interpreter', `/${LIBRARY}/${LOADERS[machine]}`]
    execFileSync('patchelf', [...interpreter, '--force-rpath', '--set-rpath', `/${LIBRARY}`, copy])
    return readFileSync(copy)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}
