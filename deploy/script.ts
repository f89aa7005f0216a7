/**
 * Our code and all it uses: as one file for a Node that is there already, as on OpenWrt (`node box.cjs box-agent run`),
 * and in parts for the executable. Both are CommonJS, the only kind that an executable of Node 24 runs.
 */

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type BuildOptions, build, type Plugin, transform } from 'esbuild'
import { buildPage } from './page.ts'
import { MAIN, partText } from './part.ts'

/** Runs in the bundle before anything else: what stands for the address of every module. */
export const BANNER = `const bundleUrl=require('node:url').pathToFileURL(__filename).href;`
/** Only of use in a file that is started by its name. */
const SHEBANG = /^#!.*\n/
/** The executable's own require knows what is built in; its import() does not. */
const SUPPORTED = { 'dynamic-import': false }
/** Names stay, for stack traces, without a call at the start for each of them. */
export const SHORTER = { minifyWhitespace: true, minifySyntax: true }
/** Which of our modules has the page. */
const PAGE_MODULE = '/controller/up/page-files.ts'
/** Sources load noble when it is needed, with a require of their own; in the bundle that is esbuild's. */
const OWN_REQUIRE = /^const require = createRequire\(import\.meta\.url\)$/m

/** Bundles `deploy/one-file.ts` of the source tree into `outfile`. */
export const buildScript = (root: string, outfile: string): Promise<void> =>
  bundle(root, 'deploy/one-file.ts', outfile)

/** The keeper of shells alone: it stays for hours, and in one script with all else it takes three times the memory. */
export const buildKeeperScript = (root: string, outfile: string): Promise<void> =>
  bundle(root, 'agent/keeper/main.ts', outfile)

/**
 * The texts of the parts by their names: one for each program and command, and what several of them use. As one script
 * all of it is read at each start, which takes 200 ms.
 */
export async function buildParts(root: string): Promise<ReadonlyMap<string, string>> {
  // Only modules can be split: first these are made, then a script of each.
  const { outputFiles } = await build({
    ...(await common(root)),
    entryPoints: { [MAIN.replace('.js', '')]: join(root, 'deploy/one-file.ts') },
    outdir: join(root, 'dist', 'parts'),
    write: false,
    splitting: true,
    format: 'esm',
    ...SHORTER,
  })
  const parts = outputFiles.map(
    async ({ path, text }) => [basename(path), partText(await scriptOf(text))] as const,
  )
  return new Map(await Promise.all(parts))
}

/** The text of a module as that of a script. */
export async function scriptOf(module: string): Promise<string> {
  const options = { format: 'cjs', platform: 'node', target: 'node20', ...SHORTER } as const
  const { code } = await transform(module.replace(SHEBANG, ''), {
    ...options,
    supported: SUPPORTED,
  })
  return code
}

/** What the executable runs first. */
export async function buildStart(root: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'deploy/start.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'cjs',
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
  })
  return outputFiles[0]!.text
}

async function bundle(root: string, entry: string, outfile: string): Promise<void> {
  await build({
    ...(await common(root)),
    entryPoints: [join(root, entry)],
    outfile,
    minify: true,
    // Stack traces are for whoever reads a report: names of functions stay.
    keepNames: true,
    format: 'cjs',
    supported: SUPPORTED,
    banner: { js: BANNER },
  })
}

const common = async (root: string) =>
  ({
    absWorkingDir: root,
    bundle: true,
    platform: 'node',
    // The same file runs with the Node of OpenWrt and of Debian 13.
    target: 'node20',
    define: { 'import.meta.url': 'bundleUrl', BUNDLED: 'true', ...releaseKey() },
    // Optional and native: ssh2 does without.
    external: ['cpu-features', './crypto/build/Release/sshcrypto.node'],
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [ownSources(root, await buildPage(root)), terminalAddon(root), lessOfSsh2],
  }) satisfies BuildOptions

/** The key whose releases the program takes; whoever builds for others names it. */
function releaseKey(): Record<string, string> {
  const { BOX_RELEASE_KEY: key } = process.env
  if (!key) return {}
  if (!/^[0-9a-f]{64}$/.test(key)) throw new Error('BOX_RELEASE_KEY is no key in hexadecimal')
  return { RELEASE_KEY: JSON.stringify(key) }
}

/** Our own code as it is in a bundle: with the bundle's require, and with the page. */
const ownSources = (root: string, page: ReadonlyMap<string, string>): Plugin => ({
  name: 'own-sources',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/(src|agent|controller)\/.*\.ts$/ }, ({ path }) => {
      if (!path.startsWith(root) || path.includes('/node_modules/')) return null
      const text = readFileSync(path, 'utf8')
      const contents = text.replace(OWN_REQUIRE, '')
      if (/createRequire\(/.test(contents))
        return { errors: [{ text: `${path} makes a require that the bundle does not know` }] }
      if (!path.endsWith(PAGE_MODULE)) return { contents, loader: 'ts' }
      // Here and not as a `define`, which puts it where every part has to load it.
      const files = JSON.stringify(Object.fromEntries(page))
      return { contents: `const PAGE_FILES = ${files}\n${contents}`, loader: 'ts' }
    }),
})

/** Our sources with the bundle's require, so that noble is in the bundle too. */
export const bundledRequire = (root: string): Plugin => ({
  name: 'bundled-require',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/src\/crypto\/.*\.ts$/ }, ({ path }) => {
      if (!path.startsWith(join(root, 'src'))) return null
      return { contents: readFileSync(path, 'utf8').replace(OWN_REQUIRE, ''), loader: 'ts' }
    }),
})

/** ssh2 without its agents for HTTP, which nobody here uses: they load Node's http and https. */
export const lessOfSsh2: Plugin = {
  name: 'less-of-ssh2',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/ssh2\/lib\/http-agents\.js$/ }, () => ({ contents: '', loader: 'js' })),
}

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
