/**
 * Our code and all it uses as one CommonJS file, the only kind that an executable of Node 24 runs. With a
 * Node that is there already, as on OpenWrt, it runs as it is: `node box.cjs box-agent run`.
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { buildPage } from './page.ts'

/** Runs in the bundle before anything else: what stands for the address of every module. */
const BANNER = `const bundleUrl=require('node:url').pathToFileURL(__filename).href;`
/** Sources load noble when it is needed, with a require of their own; in the bundle that is esbuild's. */
const OWN_REQUIRE = /^const require = createRequire\(import\.meta\.url\)$/m

/** Bundles `deploy/one-file.ts` of the source tree into `outfile`. */
export const buildScript = (root: string, outfile: string): Promise<void> =>
  bundle(root, 'deploy/one-file.ts', outfile)

/** The keeper of shells alone: it stays for hours, and in one script with all else it takes three times the memory. */
export const buildKeeperScript = (root: string, outfile: string): Promise<void> =>
  bundle(root, 'agent/keeper/main.ts', outfile)

async function bundle(root: string, entry: string, outfile: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, entry)],
    outfile,
    bundle: true,
    minify: true,
    // Stack traces are for whoever reads a report: names of functions stay.
    keepNames: true,
    format: 'cjs',
    platform: 'node',
    // The same file runs with the Node of OpenWrt and of Debian 13.
    target: 'node20',
    // The executable's own require knows what is built in; its import() does not.
    supported: { 'dynamic-import': false },
    define: {
      'import.meta.url': 'bundleUrl',
      BUNDLED: 'true',
      ...releaseKey(),
      ...(await page(root)),
    },
    banner: { js: BANNER },
    // Optional and native: ssh2 does without.
    external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [requireOfBundle(root), terminalAddon(root)],
  })
}

/** The key whose releases the program takes; whoever builds for others names it. */
function releaseKey(): Record<string, string> {
  const { BOX_RELEASE_KEY: key } = process.env
  if (!key) return {}
  if (!/^[0-9a-f]{64}$/.test(key)) throw new Error('BOX_RELEASE_KEY is no key in hexadecimal')
  return { RELEASE_KEY: JSON.stringify(key) }
}

/** The page is part of the program. */
const page = async (root: string): Promise<Record<string, string>> => ({
  PAGE_FILES: JSON.stringify(Object.fromEntries(await buildPage(root))),
})

const requireOfBundle = (root: string): Plugin => ({
  name: 'require-of-bundle',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/(src|agent|controller)\/.*\.ts$/ }, ({ path }) => {
      if (!path.startsWith(root) || path.includes('/node_modules/')) return null
      const text = readFileSync(path, 'utf8')
      const contents = text.replace(OWN_REQUIRE, '')
      if (/createRequire\(/.test(contents))
        return { errors: [{ text: `${path} makes a require that the bundle does not know` }] }
      return { contents, loader: 'ts' }
    }),
})

/** node-pty asks this module for its native half. */
const terminalAddon = (root: string): Plugin => ({
  name: 'terminal-addon',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/node-pty\/requireBinary\.js$/ }, () => ({
      contents: `
        const { loadTerminalAddon } = require(${JSON.stringify(join(root, 'deploy', 'terminal-addon.ts'))})
        exports.requireBinary = () => {
          const module = { exports: {} }
          loadTerminalAddon(module)
          return module.exports
        }`,
      loader: 'js',
    })),
})
