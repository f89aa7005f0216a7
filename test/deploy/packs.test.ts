import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import type { Metafile } from 'esbuild'
import { expect, test } from 'vitest'
import { V8_FLAGS } from '../../agent/v8-flags.ts'
import { cacheOf, loadedBy, packName, packText } from '../../deploy/packs.ts'
import { partText } from '../../deploy/part.ts'
import { scratchDirectory } from '../sys/scratch.ts'

const TEXT = packText(
  new Map([
    ['a.js', partText('exports.one=function one(){return 1}')],
    ['b.js', partText('exports.two=require("./a.js").one()+1')],
  ]),
)

/** Takes the cache in a process of its own, as a program does; prints whether V8 would not have it. */
const TAKE = `
const { readFileSync } = require('node:fs')
const [file, cache, ...flags] = process.argv.slice(1)
for (const flag of flags) require('node:v8').setFlagsFromString(flag)
const cachedData = readFileSync(cache)
const script = new (require('node:vm').Script)(readFileSync(file, 'latin1'), { filename: file, cachedData })
const parts = script.runInThisContext()
const modules = {}
const load = name => {
  const module = { exports: {} }
  parts[name](module.exports, other => load(other.slice(2)), module)
  return module.exports
}
console.log(script.cachedDataRejected, load('b.js').two)
`

test('has its parts as functions by their names', () => {
  const parts = new Script(TEXT).runInThisContext() as Record<string, unknown>
  expect(Object.keys(parts)).toEqual(['a.js', 'b.js'])
})

test('another text of the same length has another name', () => {
  expect(packName('pack', TEXT.replace('1', '2'))).not.toBe(packName('pack', TEXT))
})

test.for([
  ['as Node starts', []],
  ['of the agent', V8_FLAGS],
] as const)('V8 takes what was made with the flags %s, and no other', ([, flags]) => {
  const file = join(scratchDirectory(), 'pack.js')
  const cache = `${file}.cache`
  writeFileSync(file, TEXT)
  writeFileSync(cache, cacheOf(TEXT, file, flags))
  const { NODE_OPTIONS: _, ...env } = process.env
  const taken = (more: readonly string[]) =>
    execFileSync(process.execPath, ['-e', TAKE, file, cache, ...flags, ...more], {
      env,
      encoding: 'utf8',
    }).trim()
  expect(taken([])).toBe('false 2')
  // Then it compiles, and does the same.
  expect(taken(['--no-opt'])).toBe('true 2')
})

test('all functions are compiled ahead, not only those that run at once', () => {
  const lazy = new Script(TEXT, { filename: 'pack.js' }).createCachedData()
  expect(cacheOf(TEXT, 'pack.js', []).length).toBeGreaterThan(lazy.length)
})

test('what a module loads is what it imports, and what that imports; not what waits until it is asked for', () => {
  const output = (imports: Metafile['outputs'][string]['imports'], entryPoint?: string) => ({
    ...{ imports, bytes: 0, inputs: {}, exports: [] },
    ...(entryPoint && { entryPoint }),
  })
  const metafile: Metafile = {
    inputs: {},
    outputs: {
      'out/main.js': output(
        [
          { path: 'out/chunk-a.js', kind: 'import-statement' },
          { path: 'out/later.js', kind: 'dynamic-import' },
          { path: 'node:fs', kind: 'import-statement', external: true },
        ],
        'main.ts',
      ),
      'out/later.js': output([], 'later.ts'),
      'out/chunk-a.js': output([{ path: 'out/chunk-b.js', kind: 'import-statement' }]),
      'out/chunk-b.js': output([{ path: 'out/chunk-a.js', kind: 'import-statement' }]),
    },
  }
  expect([...loadedBy(metafile, ['main.ts'])].toSorted()).toEqual([
    'out/chunk-a.js',
    'out/chunk-b.js',
    'out/main.js',
  ])
  expect(() => loadedBy(metafile, ['gone.ts'])).toThrow('Nothing begins with gone.ts')
})
