/**
 * What the executable runs first: it loads the parts of the program (deploy/script.ts), each when it is asked for, so
 * that a command waits for what it uses and not for all that is there.
 */

import { getRawAsset } from 'node:sea'
import { pathToFileURL } from 'node:url'
import { Script } from 'node:vm'
import { MAIN, type Module, type Part } from './part.ts'

const modules = new Map<string, Module>()
const bundleUrl = pathToFileURL(__filename).href

/** What a part requires: another part, or what Node has. */
const required = (name: string): unknown =>
  name.startsWith('./') ? load(name.slice('./'.length)) : require(name)

function load(name: string): unknown {
  const known = modules.get(name)
  if (known) return known.exports
  const module: Module = { exports: {} }
  // Before it runs: two parts may ask for one another.
  modules.set(name, module)
  // Without a copy of the bytes; each is a character, and V8 keeps them as such.
  const text = Buffer.from(getRawAsset(name) as ArrayBuffer).toString('latin1')
  const part = new Script(text, { filename: name }).runInThisContext() as Part
  part(module.exports, required, module, __filename, __dirname, bundleUrl)
  return module.exports
}

load(MAIN)
