/** What runs as another user, as a process of its own: it ends as that does. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SeatWords } from '../../agent/seat/seat.ts'
import { compile } from '../sys/program.ts'

const NOBODY = 65_534

describe.skipIf(process.getuid?.() !== 0)('a command as another user', () => {
  let programs: string
  let seat: string
  beforeAll(() => {
    programs = mkdtempSync(join(tmpdir(), 'box-seat-'))
    seat = compile('../../agent/seat/main.ts', programs)
  })
  afterAll(() => rmSync(programs, { recursive: true }))

  const run = async (command: string) => {
    const words: SeatWords = {
      ...{ do: 'run', shell: '/bin/sh', command, cwd: '/', env: {} },
      identity: { uid: NOBODY, gid: NOBODY, groups: [NOBODY] },
    }
    const child = spawn(process.execPath, [seat, JSON.stringify(words)], {
      stdio: ['ignore', 'inherit', 'inherit'],
    })
    const [code, signal] = await once(child, 'exit')
    return { code, signal }
  }

  test.for([0, 5, 255])('exits with %i', async code => {
    expect(await run(`exit ${code}`)).toEqual({ code, signal: null })
  })

  test.for(['HUP', 'KILL', 'PIPE', 'USR1', 'USR2', 'TERM', 'BUS', 'XCPU', 'XFSZ', 'SYS', 'PROF'])(
    'is ended by SIG%s',
    async name => {
      expect(await run(`ulimit -c 0; kill -${name} $$`)).toEqual({
        code: null,
        signal: `SIG${name}`,
      })
    },
  )
})
