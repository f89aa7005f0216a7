/** Probes of the owner's: what they may print, and that none of them harms anything, whatever it does. */

import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseProbeOutput } from '../../agent/probe-output.ts'
import { PROBE_LASTS_MS } from '../../agent/probe-run.ts'
import { ScriptProbes } from '../../agent/script-probes.ts'
import type { Clock } from '../../src/base/clock.ts'
import { silentLog } from '../../src/base/log.ts'
import { systemClock } from '../../src/sys/clock.ts'
import { utf8 } from '../vectors.ts'

describe('what a probe prints', () => {
  test.for([
    [
      '{"charge": 42.5, "On-Battery": true, "state": "on line", "gone": null}',
      {
        ...{ charge: '42.5', on_battery: 'true', state: 'on line' },
      },
    ],
    ['\n=_queue_length\t7\n:_queue_name 4\tmail\n|\n', { queue_length: '7', queue_name: 'mail' }],
    ['\n=_a\t1\n|\n\n=_b\t2\n|\n', { a: '1', b: '2' }],
    ['', {}],
    ['{}', {}],
  ] as const)('%j is values', ([text, values]) => {
    expect(Object.fromEntries(parseProbeOutput(utf8(text)))).toEqual(values)
  })

  test.for([
    ['hello', 'neither JSON nor'],
    ['{"a":', 'no JSON'],
    ['[1]', 'neither JSON nor'],
    ['{"a":{}}', '"a" is no plain value'],
    ['{"a b":1}', 'a name that is none'],
    ['\n+_a\t1\n|\n', 'more than variables that are so'],
    [`{"a":"${'x'.repeat(300)}"}`, '"a" has more than 256 bytes'],
    [
      JSON.stringify(Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`a${i}`, i]))),
      'more than 16',
    ],
    ['x'.repeat(5_000), 'too long'],
  ] as const)('%j is refused', ([text, complaint]) => {
    expect(() => parseProbeOutput(utf8(text))).toThrow(complaint)
  })
})

let directory: string
let running: ScriptProbes[]
/** What takes so long in earnest does not here. */
const clock: Clock = {
  ...systemClock,
  after: (ms, run) => systemClock.after(ms === PROBE_LASTS_MS ? ms / 2 : ms / 10, run),
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'box-probes-'))
  running = []
})
afterEach(() => {
  for (const one of running) one.close()
  rmSync(directory, { recursive: true })
})

function script(name: string, text: string, mode = 0o755): void {
  const path = join(directory, name)
  writeFileSync(path, `#!/bin/sh\n${text}\n`)
  chmodSync(path, mode)
}

function start(of = directory, by = clock): ScriptProbes {
  const probes = new ScriptProbes({ directory: of, clock: by, log: silentLog })
  running.push(probes)
  return probes
}

const shown = (probes: ScriptProbes) =>
  Object.fromEntries(
    probes.all().map(({ name, values, failure }) => [name, failure ?? Object.fromEntries(values)]),
  )
const until = (probes: ScriptProbes, what: object) =>
  expect.poll(() => shown(probes), { timeout: 30_000, interval: 20 }).toEqual(what)

describe('the probes of a directory', () => {
  test('are run, each for itself: what one does to itself it does to no other', async () => {
    script('a-first.1h.sh', `echo '{"a":1}'`)
    script('fails', 'echo \'{"a":1}\'; exit 3')
    script('hangs', 'trap "" TERM; sleep 1000 & sleep 1000')
    script('noise', 'head -c 2000 /dev/urandom | tr "{" "x"; echo')
    script('huge', 'yes | head -c 10000000')
    script('killed', 'kill -9 $$')
    script('leaves', `sleep 1000 & echo '{"a":2}'`)
    script('no-program', 'echo', 0o644)
    script('Odd name', 'echo')
    script('psyc', "printf '\\n=_load\\t7\\n|\\n'")
    script('reads', 'cat; env | grep -c . >/dev/null; echo "{\\"name\\":\\"$BOX_PROBE\\"}"')
    writeFileSync(join(directory, 'wrong'), '#!/no/such/shell\n', { mode: 0o755 })
    const probes = start()
    await expect.poll(() => probes.all().length, { timeout: 60_000 }).toBe(10)
    expect(shown(probes)).toEqual({
      a_first: { a: '1' },
      fails: 'exit code 3',
      hangs: 'took more than 10 s',
      noise: expect.stringMatching(/^what it printed: /),
      huge: 'printed more than 4096 bytes',
      killed: 'ended by SIGKILL',
      leaves: { a: '2' },
      psyc: { load: '7' },
      reads: { name: 'reads' },
      wrong: expect.stringMatching(/^could not be run: /),
    })
  })

  test('come and go with their files', async () => {
    script('one', `echo '{"a":1}'`)
    const probes = start()
    await until(probes, { one: { a: '1' } })
    script('two', `echo '{"a":2}'`)
    await until(probes, { one: { a: '1' }, two: { a: '2' } })
    rmSync(join(directory, 'one'))
    await until(probes, { two: { a: '2' } })
  })

  test('are sixteen at most', async () => {
    for (let i = 0; i < 20; i++) script(`p${i}`, `echo '{"a":${i}}'`)
    const probes = start()
    await expect.poll(() => probes.all().length, { timeout: 60_000 }).toBe(16)
  })

  test('are run only where nobody else can change them', async () => {
    script('open', `echo '{"a":1}'`, 0o777)
    script('right', `echo '{"a":2}'`)
    symlinkSync(join(directory, 'right'), join(directory, 'linked'))
    await until(start(), { right: { a: '2' } })
    chmodSync(directory, 0o777)
    const none = start()
    const below = join(directory, 'below')
    mkdirSync(below, { mode: 0o755 })
    writeFileSync(join(below, 'one'), '#!/bin/sh\necho {}\n', { mode: 0o755 })
    const neither = start(below)
    const absent = start('/nowhere/at/all')
    await new Promise<void>(resolve => void systemClock.after(300, resolve))
    for (const probes of [none, neither, absent]) expect(shown(probes)).toEqual({})
  })

  test('end with the agent', async () => {
    script('hangs', `sleep 1000`)
    const probes = start(directory, systemClock)
    probes.close()
    await new Promise<void>(resolve => void systemClock.after(50, resolve))
    expect(shown(probes)).toEqual({})
  })
})
