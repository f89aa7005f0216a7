/**
 * What `box` and `box-agent` in dist/bin are themselves: this loads the parts of the program, each when it is asked
 * for, from a file of its own or from a pack of several (packs.ts).
 */

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import type { Module, Part } from './part.ts'

/** Set by deploy/programs.ts: the part that starts, and of parts in packs in which one they are. */
declare const MAIN_PART: string
declare const PACKED: Readonly<Record<string, string>>

const modules = new Map<string, Module>()
const packs = new Map<string, Readonly<Record<string, Part>>>()
const bundleUrl = pathToFileURL(__filename).href

/** What a part requires: another part, or what Node finds. */
const required = (name: string): unknown =>
  name.startsWith('./') ? load(name.slice('./'.length)) : require(name)

function load(name: string): unknown {
  const known = modules.get(name)
  if (known) return known.exports
  const part = partOf(name)
  const module: Module = { exports: {} }
  // Before it runs: two parts may ask for one another.
  modules.set(name, module)
  part(module.exports, required, module, __filename, __dirname, bundleUrl)
  return module.exports
}

function partOf(name: string): Part {
  const pack = PACKED[name]
  if (pack === undefined) return run(join(__dirname, name)) as Part
  let parts = packs.get(pack)
  if (!parts) {
    parts = run(join(__dirname, `${pack}.js`), cacheOf(pack)) as Readonly<Record<string, Part>>
    packs.set(pack, parts)
  }
  return parts[name]!
}

/** All texts are ASCII: V8 keeps a byte for each character. */
const run = (filename: string, cachedData?: Buffer): unknown =>
  new Script(readFileSync(filename, 'latin1'), {
    filename,
    ...(cachedData && { cachedData }),
  }).runInThisContext()

/** What V8 made of it when it was built; it does without where that is not there, or of another V8. */
function cacheOf(pack: string): Buffer | undefined {
  try {
    return readFileSync(join(__dirname, `${pack}.cache`))
  } catch {
    return undefined
  }
}

load(MAIN_PART)
