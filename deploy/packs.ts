/**
 * Packs: parts of a program in dist/bin that are always used together, in one file, and beside it what V8 makes of it.
 * To read each of them from a file of its own and to compile it took more than half of what a cold `box proxy` spent.
 *
 * V8 takes its cache only where its version and its flags are those it was made with, and compiles otherwise.
 * Of the text it looks at the length alone, so the name of a pack tells what is in it.
 */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import type { Metafile } from 'esbuild'

/** What a pack is made of: the modules that are asked for, and all that these load. */
export interface Wanted {
  readonly name: string
  readonly modules: readonly string[]
  /** What is loaded by then anyway. */
  readonly without?: readonly string[]
}

/** The outputs that loading the modules loads, by esbuild's account of what imports what. */
export function loadedBy(metafile: Metafile, modules: readonly string[]): ReadonlySet<string> {
  const { outputs } = metafile
  const waiting = modules.map(module => {
    const found = Object.keys(outputs).find(path => outputs[path]!.entryPoint === module)
    if (!found) throw new Error(`Nothing begins with ${module}`)
    return found
  })
  const loaded = new Set<string>()
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (loaded.has(next)) continue
    loaded.add(next)
    for (const { path, kind } of outputs[next]!.imports)
      if (kind === 'import-statement' && Object.hasOwn(outputs, path)) waiting.push(path)
  }
  return loaded
}

/** The text of a pack: an object with the functions of its parts. */
export const packText = (parts: ReadonlyMap<string, string>): string =>
  `({${[...parts].map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',\n')}})`

/** The name of a pack without its ending. */
export const packName = (name: string, text: string): string =>
  `${name}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`

/** Runs in a process of its own: flags are for the whole of it. All is compiled at once, not when it is first called. */
const MAKE_CACHE = `
const { setFlagsFromString } = require('node:v8')
const [filename, ...flags] = process.argv.slice(1)
for (const flag of flags) setFlagsFromString(flag)
setFlagsFromString('--no-lazy')
const script = new (require('node:vm').Script)(require('node:fs').readFileSync(0, 'latin1'), { filename })
setFlagsFromString('--lazy')
process.stdout.write(script.createCachedData())
`
const CACHE_MAX = 64 * 1024 * 1024

/** What V8, with these flags, makes of the text of a pack that is in a file of that name. */
export function cacheOf(text: string, filename: string, flags: readonly string[]): Uint8Array {
  const { NODE_OPTIONS: _, ...env } = process.env
  return execFileSync(process.execPath, ['-e', MAKE_CACHE, filename, ...flags], {
    env,
    input: text,
    maxBuffer: CACHE_MAX,
  })
}
