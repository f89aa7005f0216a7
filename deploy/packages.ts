/**
 * npm run packages: every package of this version, in dist/bundle, around the executables that lie there.
 * With --quick the Debian packages are larger, and made in a tenth of the time.
 */

import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { constants, gzipSync } from 'node:zlib'
import { VERSION } from '../src/base/version.ts'
import { KEEPER_SCRIPT } from '../src/sys/own-programs.ts'
import { debianPackage } from './debian-package.ts'
import {
  bundledPackage,
  nodePackage,
  REVISION,
  type Sources,
  scriptFiles,
} from './openwrt-packages.ts'
import { apk, deb, ipk } from './package-formats.ts'
import { MACHINES, runtimeFor } from './runtime.ts'
import { type Entry, tar, withFolders } from './tar.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const OUT = join(ROOT, 'dist', 'bundle')
const NAME = 'secushare-box'

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false } } })
const sources: Sources = {
  root: ROOT,
  script: join(OUT, 'box.cjs'),
  keeper: join(OUT, KEEPER_SCRIPT),
}
put(`${NAME}-${VERSION}-script.tar.gz`, scriptArchive())
put(`${NAME}_${VERSION}-r${REVISION}_all.ipk`, ipk(nodePackage(sources)))
for (const machine of MACHINES) {
  const executable = join(OUT, machine, 'box')
  if (!existsSync(executable)) continue
  const bundled = bundledPackage(machine, executable, sources)
  put(`${NAME}-${VERSION}-r${REVISION}.${machine}.apk`, apk(bundled))
  const { nodeLicence } = runtimeFor(machine)
  const debian = debianPackage(machine, { root: ROOT, executable, nodeLicence })
  put(
    `${NAME}_${debian.version}-${debian.revision}_${debian.architecture}.deb`,
    deb(debian, { quick: values.quick }),
  )
}

/** For whoever has a Node: the feed of OpenWrt builds its package of it. */
function scriptArchive(): Uint8Array {
  const licence: Entry = {
    path: 'LICENSE',
    is: 'file',
    content: readFileSync(join(ROOT, 'LICENSE')),
  }
  const files = withFolders([...scriptFiles(sources), licence], `${NAME}-${VERSION}/`)
  const level = constants.Z_BEST_COMPRESSION
  return new Uint8Array(gzipSync(tar(files), { level }))
}

/** One line for each: hash, size, name. */
function put(name: string, content: Uint8Array): void {
  writeFileSync(join(OUT, name), content)
  const hash = createHash('sha256').update(content).digest('hex')
  const size = (content.length / 1e6).toFixed(1)
  process.stdout.write(`${hash}  ${size.padStart(6)} MB  dist/bundle/${name}\n`)
}
