/**
 * OpenSSH of Debian 13 (10.0), out of the root that GNUNET_TRIXIE_ROOT names, or a later one out of OPENSSH_ROOT
 * (`PACKAGES=openssh-client bash test/interop/mkroot.sh ROOT sid`): from 10.1 on it warns of what it finds weak.
 */

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Household, household } from './household.ts'
import { cleanUp, folder, run, succeed } from './program.ts'

const PORT = Number(process.env.LAB_PORT ?? 18_000) + 70
const ROOT = process.env.OPENSSH_ROOT ?? process.env.GNUNET_TRIXIE_ROOT ?? ''

const isThere = existsSync(join(ROOT, 'usr/bin/ssh')) && ROOT !== ''
if (!isThere && process.env.CI) throw new Error('must not be skipped in CI: no OpenSSH in a root')
if (!isThere) console.warn('skipped: neither OPENSSH_ROOT nor GNUNET_TRIXIE_ROOT has an ssh')

describe.skipIf(!isThere)('a later OpenSSH', { timeout: 120_000 }, () => {
  let home: Household
  let programs: string
  const at = (name: string) => join(home.files, name)
  const tool = (name: string, ...words: string[]) =>
    run([join(programs, name), '-F', home.sshConfig, ...words])

  beforeAll(async () => {
    home = await household([`127.0.0.1:${PORT}`])
    programs = folder('openssh')
    for (const name of ['ssh', 'scp', 'sftp']) {
      // Those that start ssh are told which one.
      const more = name === 'ssh' ? '' : `-S '${programs}/ssh'`
      const library = `--library-path '${ROOT}/usr/lib/x86_64-linux-gnu'`
      const start = `'${ROOT}/usr/lib64/ld-linux-x86-64.so.2' ${library} '${ROOT}/usr/bin/${name}'`
      writeFileSync(join(programs, name), `#!/bin/sh\nexec ${start} ${more} "$@"\n`, {
        mode: 0o755,
      })
    }
    const { err } = await run([join(programs, 'ssh'), '-V'])
    console.log(err.trim())
    expect(err).toMatch(/^OpenSSH_[1-9]\d/)
  })
  afterAll(cleanUp)

  test('runs a command, and adds nothing to its standard error', async () => {
    const said = await tool('ssh', 'kitchen.box', 'cat /etc/hostname; echo err >&2; exit 7')
    expect(said.err).toBe('err\n')
    expect(said.out).toBe(readFileSync('/etc/hostname', 'utf8'))
    expect(said.code).toBe(7)
  })

  test('opens a terminal', async () => {
    const said = await tool('ssh', '-tt', 'kitchen.box', 'tty; stty size')
    expect(said.out).toMatch(/^\/dev\/pts\/\d+\r\n\d+ \d+\r\n$/)
    expect(said.code).toBe(0)
  })

  test('carries files by scp and sftp, both ways', async () => {
    writeFileSync(at('from'), Buffer.alloc(3_000_000, 'wörter '))
    for (const [name, ...words] of [
      ['scp', '-q', at('from'), `kitchen.box:${at('scp')}`],
      ['scp', '-q', '-O', `kitchen.box:${at('scp')}`, at('back')],
      ['sftp', '-q', `kitchen.box:${at('back')}`, at('sftp')],
    ] as const) {
      const said = await tool(name, ...words)
      expect(said.err).toBe('')
      expect(said.code).toBe(0)
    }
    await succeed(['cmp', at('from'), at('sftp')])
  })

  test('keeps a connection for the next command', async () => {
    const master = ['-o', 'ControlMaster=auto', '-o', `ControlPath=${at('cm-%C')}`]
    const first = await tool('ssh', ...master, '-o', 'ControlPersist=60', 'kitchen.box', 'true')
    expect(first.code).toBe(0)
    expect(await tool('ssh', ...master, 'kitchen.box', 'echo again')).toMatchObject({
      ...{ code: 0, out: 'again\n', err: '' },
    })
    await tool('ssh', ...master, '-O', 'exit', 'kitchen.box')
  })
})
