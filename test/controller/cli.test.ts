import { expect, test } from 'vitest'
import { COMMANDS, run } from '../../controller/cli.ts'

/** Runs a command line that never gets as far as a context. */
async function typed(...words: string[]) {
  const said = { out: '', err: '' }
  const sink = (name: 'out' | 'err') => ({
    isTerminal: false,
    write: (bytes: string | Uint8Array) => {
      said[name] += String(bytes)
    },
  })
  const code = await run(words, {
    out: sink('out'),
    err: sink('err'),
    context: () => Promise.reject(new Error('nothing should be run')),
  })
  return { code, ...said }
}

const names = Object.keys(COMMANDS)

test.for(names)('box %s --help says what it is for, with an example', async name => {
  const { code, out, err } = await typed(name, '--help')
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toContain(COMMANDS[name]!.describe)
  expect(out.split('Examples:')[1]).toMatch(new RegExp(`^ +box ${name}`, 'm'))
  expect(await typed('help', name)).toMatchObject({ code: 0, out })
})

test('the help lists every command; without any word it is an error', async () => {
  const { out } = await typed('--help')
  for (const name of names) expect(out).toContain(`box ${name} `)
  const { code, err } = await typed()
  expect(code).toBe(64)
  expect(err).toBe(out)
})

test('what belongs to the device is not taken for ours', async () => {
  expect(await typed('nonsense', '--', '--json')).toMatchObject({
    code: 64,
    err: expect.stringMatching(/^box: /),
  })
})

test('options stand before or after the command', async () => {
  expect((await typed('--state', '/tmp', 'id', '--help')).out).toContain('box id')
  expect((await typed('--json', 'nonsense')).err).toContain('"nonsense\\"')
})
