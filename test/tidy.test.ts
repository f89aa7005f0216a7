/** The rules of the house that no linter knows. */

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const ROOT = join(import.meta.dirname, '..')

/** Each layer, and what it may import besides itself. What is not listed may not be imported. */
const LAYERS: Record<string, readonly string[]> = {
  'src/base': [],
  'src/wire': ['src/base'],
  'src/crypto': ['src/base', 'src/wire', '@noble/'],
  'src/sys': ['src/base', 'node:'],
  'src/mesh': ['src/base', 'src/wire', 'src/crypto', 'node:stream', 'node:zlib'],
  'src/gns': ['src/base', 'src/wire', 'src/crypto', 'src/mesh/mesh.ts'],
  'src/psyc': ['src/base', 'src/wire', 'src/crypto', 'src/mesh/mesh.ts', 'src/gns'],
  'src/social': ['src/base', 'src/wire', 'src/crypto', 'src/mesh/mesh.ts', 'src/gns', 'src/psyc'],
  'src/box': [
    'src/base',
    'src/wire',
    'src/crypto',
    'src/mesh/mesh.ts',
    'src/mesh/duplex.ts',
    'src/gns',
    'src/psyc',
    'src/social',
    'yaml', // bundle/yaml-document.ts alone: what people write in bundles needs lines in its errors.
  ],
  agent: ['src/', 'node:', 'ssh2', 'node-pty', 'fastify', 'yargs', 'uqr', 'systemd-notify'],
  // xterm and uplot: the page alone, which runs in a browser.
  controller: [
    ...['src/', 'node:', 'ssh2', 'fastify', '@fastify/swagger', 'yargs', 'uqr', 'ws'],
    ...['@xterm/', 'uplot'],
  ],
}

/** Inside src/mesh, each may import those before it (design.md). */
const MESH_ORDER = ['transport', 'core', 'dht', 'cadet']

const CRYPTO_MODULES = [
  'node:crypto',
  'node:module',
  'node:zlib',
  'node:stream',
  'node:stream/promises',
]

const files = ['src', 'agent', 'controller'].flatMap(root =>
  readdirSync(join(ROOT, root), { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(root, name)),
)

const layerOf = (file: string) =>
  file.startsWith('src/') ? file.split('/').slice(0, 2).join('/') : file.split('/')[0]!

const importsOf = (file: string) =>
  [...readFileSync(join(ROOT, file), 'utf8').matchAll(/(?:from|import\()\s*'([^']+)'/g)].map(
    ([, target]) =>
      target!.startsWith('.') ? relative(ROOT, join(ROOT, file, '..', target!)) : target!,
  )

test.for(files)('%s imports only the layers below it', file => {
  const layer = layerOf(file)
  for (const target of importsOf(file)) {
    if (layerOf(target) === layer) continue
    if (layer === 'src/crypto' && CRYPTO_MODULES.includes(target)) continue
    const allowed = LAYERS[layer]!.some(prefix => target.startsWith(prefix))
    expect(allowed, `${file} imports ${target}`).toBe(true)
  }
})

test.for(files.filter(file => file.startsWith('src/mesh/')))(
  '%s looks only to its left inside the mesh',
  file => {
    const rank = MESH_ORDER.indexOf(file.split('/')[2]!)
    if (rank < 0) return
    for (const target of importsOf(file)) {
      const other = MESH_ORDER.indexOf(target.split('/')[2] ?? '')
      if (target.startsWith('src/mesh/') && other >= 0)
        expect(other, `${file} imports ${target}`).toBeLessThanOrEqual(rank)
    }
  },
)

test.for(files)('%s says what it is for in its first line', file => {
  const text = readFileSync(join(ROOT, file), 'utf8').replace(/^#!.*\n/, '')
  expect(text).toMatch(/^\/\*\*/)
})

test.for(files.filter(file => file.startsWith('src/') && !file.startsWith('src/sys')))(
  '%s takes time and chance from its caller',
  file => {
    expect(readFileSync(join(ROOT, file), 'utf8')).not.toMatch(
      /Date\.now|Math\.random|randomBytes|setTimeout\(/,
    )
  },
)

test.for(files)('%s re-exports nothing and has no default export', file => {
  expect(readFileSync(join(ROOT, file), 'utf8')).not.toMatch(/^export (\*|default|\{[^}]*\} from)/m)
})

test('a signature made for one purpose is none for another: each number of ours is taken once', () => {
  const taken = files.flatMap(file =>
    [
      ...readFileSync(join(ROOT, file), 'utf8').matchAll(
        /^(?:export )?const (\w+_SIGNATURE) = (0x\w+)$/gm,
      ),
    ].map(([, name, number]) => [number, name] as const),
  )
  expect(taken.length).toBeGreaterThan(8)
  expect(new Set(taken.map(([number]) => number)).size, `${taken}`).toBe(taken.length)
})
