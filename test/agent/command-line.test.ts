import { describe, expect, test } from 'vitest'
import type { Command } from '../../agent/command.ts'
import { pair } from '../../agent/commands/pair.ts'
import { reset } from '../../agent/commands/reset.ts'
import { run } from '../../agent/commands/run.ts'
import { status } from '../../agent/commands/status.ts'
import { explainWords } from '../../agent/explain-words.ts'
import { readWords } from '../../agent/read-words.ts'
import { Terminal } from '../../agent/terminal.ts'
import { BoxError, ERRORS, EXIT_CODES } from '../../src/base/errors.ts'

const COMMANDS: readonly Command[] = [run, pair, status, reset]
const HUB = 'gnunet://hello/X'

describe('a command line', () => {
  test.for([
    'status',
    'status --json',
    'status --state /tmp/x',
    'pair --minutes 5 --no-wait --qr',
    'pair --no-qr',
    `run --hub --listen 0.0.0.0:2086 --listen [::]:2086 --advertise 192.0.2.1:1`,
    `run --hub-url ${HUB} --hub-url=${HUB} --name attic --shell /bin/ash --log debug`,
    'reset --yes',
  ])('%s means the same to both readers', async line => {
    const words = line.split(' ')
    const read = readWords(words, COMMANDS)!
    const explained = await explainWords(words, COMMANDS)
    if ('text' in explained) throw new Error(explained.text)
    expect(read.command).toBe(explained.command)
    for (const [key, value] of Object.entries(read.args)) expect(explained.args[key]).toEqual(value)
  })

  test.for([
    '',
    '--help',
    '--version',
    'status --help',
    'fly',
    'status now',
    'pair --minutes soon',
    'run --log loud',
    'run --listen',
    'run --nonsense',
    'run --no-listen',
  ])('%s is left to the one that explains', line => {
    expect(readWords(line.split(' ').filter(Boolean), COMMANDS)).toBeNull()
  })

  test.for(['fly', 'status now', 'run --nonsense', 'run --log loud', ''])(
    '%s is refused as a mistake of whoever types',
    async line => {
      await expect(explainWords(line.split(' ').filter(Boolean), COMMANDS)).rejects.toMatchObject({
        code: 'INPUT_INVALID',
      })
    },
  )

  test('asks for help and gets it, with an example of each command', async () => {
    for (const { name, examples } of COMMANDS) {
      const help = await explainWords([name, '--help'], COMMANDS)
      expect('text' in help && help.text).toContain(examples[0]![0])
    }
  })
})

describe('a failure', () => {
  const failing = (json: boolean, error: unknown) => {
    let said = ''
    const out = () => {}
    const err = (text: string) => {
      said += text
    }
    const code = new Terminal({ json, isTerminal: false, out, err }).failure(error)
    return { code, said }
  }

  test('is one sentence and the exit code of its family', () => {
    for (const code of Object.keys(ERRORS) as (keyof typeof ERRORS)[]) {
      const { code: exit, said } = failing(false, new BoxError(code, 'Because.'))
      expect(exit).toBe(EXIT_CODES[ERRORS[code][0]])
      expect(said).toBe(`box-agent: ${ERRORS[code][1]} Because.\n`)
    }
  })

  test('is one line of JSON where JSON was asked for', () => {
    const { said } = failing(true, new BoxError('STATE_LOCKED'))
    expect(JSON.parse(said)).toEqual({
      error: { code: 'STATE_LOCKED', family: 'setup', message: ERRORS.STATE_LOCKED[1] },
    })
  })

  test('does not carry a control character to the terminal', () => {
    expect(failing(false, new BoxError('INPUT_INVALID', 'a\u001b[2Jb\nc')).said).toMatch(
      /^[^\p{Cc}]+\n$/u,
    )
  })

  test('of ours shows where it is', () => {
    const { code, said } = failing(false, new TypeError('oops'))
    expect(code).toBe(70)
    expect(said).toContain('TypeError: oops\n    at ')
  })
})
