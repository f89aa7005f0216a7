/** Builds what is shipped, once for all tests of it: both executables and the packages around them, in dist/bundle. */

import { join } from 'node:path'
import { missing, ROOT, succeed } from './program.ts'

const BUILD_MS = 900_000
const NEEDED = ['xz', 'patchelf', 'x86_64-linux-gnu-strip', 'aarch64-linux-gnu-strip']

export default async function build(): Promise<void> {
  // Who works on one of these tests need not build each time; what lacks a tool is skipped, and says so.
  if (process.env.BOX_PACKAGES_BUILT || missing(NEEDED, { root: true }) !== null) return
  for (const [program, ...words] of [['bundle.js'], ['packages.js', '--quick']] as const) {
    const command = [process.execPath, join(ROOT, 'dist', 'deploy', program), ...words]
    await succeed(command, { ms: BUILD_MS })
  }
}
