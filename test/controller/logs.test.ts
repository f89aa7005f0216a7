/** What `box logs` runs on a device: with journald, with OpenWrt's logread, and with files alone. */

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { LOG_SCRIPT } from '../../controller/commands/logs.ts'

let bin: string
beforeEach(() => {
  bin = mkdtempSync(join(tmpdir(), 'box-logs-'))
  for (const name of ['tail', 'grep']) pass(name, `exec /usr/bin/${name} "$@"`)
})
afterEach(() => rmSync(bin, { recursive: true }))

/** A program of the device. */
function pass(name: string, body: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`)
  chmodSync(join(bin, name), 0o755)
}
const echo = 'echo "$(basename "$0")"; for word in "$@"; do echo "<$word>"; done'
const ask = (...words: string[]) => {
  const script = LOG_SCRIPT.replaceAll('/var/log/', `${bin}/`)
  const { status, stdout, stderr } = spawnSync('/bin/sh', ['-c', script, 'sh', ...words], {
    encoding: 'utf8',
    env: { PATH: bin },
    timeout: 10_000,
  })
  return { status, out: stdout.split('\n').filter(Boolean), err: stderr }
}

test('asks journald for all, or for one unit, once or as it comes', () => {
  pass('basename', 'echo journalctl')
  pass('journalctl', `case $* in "-q -n 1") exit 0;; esac; ${echo}`)
  const usual = ['journalctl', '<-q>', '<--no-pager>', '<-o>', '<short-iso>', '<-n>', '<50>']
  expect(ask('50', '', '').out).toEqual(usual)
  expect(ask('50', '', 'my unit').out).toEqual([...usual, '<-u>', '<my unit>'])
  expect(ask('50', 'follow', 'ssh').out).toEqual([...usual, '<-u>', '<ssh>', '<-f>'])
})

test('asks logread where there is no journal that may be read', () => {
  pass('basename', 'echo logread')
  pass('journalctl', 'exit 1')
  pass('logread', echo)
  expect(ask('5', '', '').out).toEqual(['logread', '<-l>', '<5>'])
  expect(ask('5', 'follow', 'dnsmasq').out).toEqual([
    ...['logread', '<-l>', '<5>', '<-e>', '<dnsmasq>', '<-f>'],
  ])
})

test('reads files where there is neither, and says where there is nothing', () => {
  expect(ask('5', '', '')).toMatchObject({ status: 69, out: [] })
  writeFileSync(join(bin, 'messages'), 'one a\ntwo b\nthree a\n')
  expect(ask('2', '', '').out).toEqual(['two b', 'three a'])
  expect(ask('2', '', 'a').out).toEqual(['one a', 'three a'])
  expect(ask('1', '', join(bin, 'messages')).out).toEqual(['three a'])
  expect(ask('1', '', '/no/such file')).toMatchObject({
    ...{ status: 66, out: [] },
    err: '/no/such file cannot be read.\n',
  })
})
