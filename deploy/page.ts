/**
 * The page of `box up` (controller/web) for a browser: bundled, minified, in a few files that `box up` serves.
 *
 *     node dist/deploy/page.js      writes them into dist/controller/web
 */

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const SOURCES = ['controller', 'web']
const AS_THEY_ARE = ['index.html', 'icon.svg']

/** The files by their names. What few views need is in files of its own, so that the first is quick. */
export async function buildPage(root: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(root, ...SOURCES)
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(folder, 'main.ts'), out: 'page' },
      { in: join(folder, 'page.css'), out: 'page' },
    ],
    outdir: join(root, 'dist', ...SOURCES),
    chunkNames: 'part-[hash]',
    write: false,
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: ['es2022', 'chrome109', 'firefox115', 'safari16'],
    // xterm.js and uPlot want their notice kept.
    legalComments: 'eof',
    logLevel: 'warning',
  })
  const files = new Map(AS_THEY_ARE.map(name => [name, readFileSync(join(folder, name), 'utf8')]))
  for (const { path, text } of outputFiles) files.set(basename(path), text)
  return files
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, '..', '..')
  const out = join(root, 'dist', ...SOURCES)
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  for (const [name, text] of await buildPage(root)) writeFileSync(join(out, name), text)
}
