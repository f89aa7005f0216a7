import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { COMMANDS } from '../../controller/cli.ts'
import type { Command } from '../../controller/command.ts'
import { explainWords } from '../../controller/explain-words.ts'
import { readWords } from '../../controller/read-words.ts'

const described = new Map(Object.keys(COMMANDS).map(name => [name, '']))

/** All commands are loaded once, which takes a while where everything else is tested beside. */
const LOAD_MS = 120_000
beforeAll(async () => {
  for (const one of Object.values(COMMANDS)) await one.load()
}, LOAD_MS)

/** What yargs takes the words for; null where it refuses them, or gives help. */
async function explained(name: string, command: Command, words: readonly string[]) {
  try {
    const read = await explainWords([name, ...words], 0, { name, command }, described)
    if ('help' in read) return null
    const given = Object.entries(read.args).filter(([, value]) => value !== undefined)
    return Object.fromEntries(given)
  } catch {
    return null
  }
}

async function alike(name: string, words: readonly string[]) {
  const command = await COMMANDS[name]!.load()
  const read = readWords(words, command)
  if (read === null) return false
  const other = await explained(name, command, words)
  // What yargs keeps for itself: other words, its own name, and the short names of options.
  const own = Object.keys(other ?? {}).filter(
    key => key === '_' || key === '$0' || /^\w$/.test(key),
  )
  for (const key of own) delete other![key]
  expect({ words, read }).toEqual({ words, read: other })
  return true
}

test.for([
  'ls',
  'ls @routers --json',
  'ls --state /tmp/x --mesh embedded',
  'ssh kitchen',
  'ssh ada@kitchen --timeout 2.5 -- uname -a --json',
  'ssh kitchen --tty -- tty',
  'proxy kitchen.box --user=ada',
  'exec @routers --parallel 8 --no-stdin -- sh -c exit\n1',
  'exec --all --script fix.sh -- now',
  'pair AAAA BBBB --as kitchen',
  'status @routers',
  'hub add gnunet://hello/X?a=b',
  'name lookup kitchen.home TXT',
  'audit kitchen --last 7',
  'cp ./a kitchen:/b',
  'init --ego home',
])('box %s is read without yargs, and means the same', async line => {
  const [name, ...words] = line.split(' ')
  expect(await alike(name!, words)).toBe(true)
})

test.for([
  'ls --help',
  'ls -h',
  'ls one two',
  'ls --nonsense',
  'ls --json --json',
  'ls --json true',
  'ls --json=true',
  'ls --mesh loud',
  'ls --state',
  'ls --state --json',
  'ls --state=',
  "ls 'kitchen'",
  'ssh -t kitchen',
  'ssh kitchen --timeout soon',
  'proxy',
  'tag kitchen -old',
  'bundle crack x',
])('box %s is left to yargs', async line => {
  const [name, ...words] = line.split(' ')
  expect(readWords(words, await COMMANDS[name!]!.load())).toBeNull()
})

test('what the device is to run stays as it was typed, whoever reads it', async () => {
  const words = ['kitchen', '--', 'install', '1.10', '0x10', '007']
  const command = await COMMANDS.exec!.load()
  const read = [readWords(words, command), await explained('exec', command, words)]
  for (const args of read) expect(args?.['--']).toEqual(['install', '1.10', '0x10', '007'])
})

const word = fc.oneof(
  fc.constantFrom(
    'kitchen',
    '@routers',
    'add',
    'ls',
    'check',
    'lookup',
    'true',
    'false',
    '--',
    '-',
    '',
  ),
  fc.constantFrom('0', '7', '007', '1e3', '0x10', '1.5', '-1', '.5', '1.', 'NaN', 'Infinity'),
  fc.string({ maxLength: 6 }),
)
const option = (names: readonly string[]) =>
  fc
    .tuple(fc.constantFrom('--', '--no-', '-'), fc.constantFrom(...names), fc.option(word))
    .map(([dashes, name, value]) => `${dashes}${name}${value === null ? '' : `=${value}`}`)

test.for(Object.keys(COMMANDS))('what is read of box %s means the same to yargs', async name => {
  const command = await COMMANDS[name]!.load()
  const names = ['json', 'state', 'mesh', 'gnunet-conf', 'constructor', 'no-json']
  const recorder: object = new Proxy(
    {},
    {
      get: () => (key: unknown) => {
        if (typeof key === 'string' && /^[\w-]+$/.test(key)) names.push(key)
        return recorder
      },
    },
  )
  command.options(recorder as Parameters<Command['options']>[0])
  const line = fc.array(fc.oneof(word, option(names)), { maxLength: 6 })
  await fc.assert(fc.asyncProperty(line, async words => void (await alike(name, words))))
})
