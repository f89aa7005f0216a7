/**
 * The page of `box up` (controller/web) for a browser: bundled, minified, in a few files that `box up` serves.
 *
 *     node dist/deploy/page.js      writes them into dist/controller/web
 */

import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'
import { fillFolder } from './output-folder.ts'

const SOURCES = ['controller', 'web']
const FRONT = 'index.html'
const AS_THEY_ARE = [FRONT, 'icon.svg']

/** The files by their names. What few views need is in files of its own, so that the first is quick. */
export async function buildPage(root: string): Promise<ReadonlyMap<string, string>> {
  const folder = join(root, ...SOURCES)
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: [
      { in: join(folder, 'main.ts'), out: 'page' },
      { in: join(folder, 'page.css'), out: 'page' },
    ],
    outdir: join(root, 'dist', ...SOURCES),
    chunkNames: 'part-[hash]',
    write: false,
    metafile: true,
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
  files.set(FRONT, withPreloads(files.get(FRONT)!, metafile))
  return files
}

/** What the first script needs is asked for beside it, not once it was read. */
function withPreloads(html: string, { outputs }: Metafile): string {
  const first = Object.keys(outputs).find(path => basename(path) === 'page.js')!
  const needed = outputs[first]!.imports.filter(({ kind }) => kind === 'import-statement')
  const links = needed.map(
    ({ path }) => `    <link rel="modulepreload" href="/${basename(path)}">\n`,
  )
  const mark = '    <link rel="modulepreload" href="/page.js">\n'
  return html.replace(mark, `${mark}${links.join('')}`)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, '..', '..')
  fillFolder(join(root, 'dist', ...SOURCES), await buildPage(root))
}
