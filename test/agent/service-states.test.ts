/** How services are: what systemd 252 and the procd of OpenWrt 23.05 say, and the process table. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { askedMachine, type RunAnswer, serviceAsker } from '../../agent/service-asking.ts'
import {
  isServiceName,
  parseProcd,
  parseStartTime,
  parseUnits,
  SERVICE_STATES,
} from '../../agent/service-states.ts'

const unit = (load: string, active: string, sub: string, at = '') =>
  `LoadState=${load}\nActiveState=${active}\nSubState=${sub}\nStateChangeTimestamp=${at}\n`

const UNITS = [
  unit('loaded', 'active', 'running', 'Thu 2026-11-26 10:00:00 UTC'),
  unit('loaded', 'failed', 'failed', 'Thu 2026-11-26 10:00:01 UTC'),
  unit('not-found', 'inactive', 'dead'),
  unit('loaded', 'active', 'exited', 'n/a'),
  unit('loaded', 'activating', 'auto-restart', 'Thu 2026-11-26 10:00:02 UTC'),
  unit('loaded', 'inactive', 'dead', 'Thu 2026-11-26 10:00:03 UTC'),
]

const PROCD = JSON.stringify({
  dnsmasq: {
    instances: { cfg01411c: { running: true, pid: 1_234, command: ['/usr/sbin/dnsmasq'] } },
  },
  uhttpd: { instances: { instance1: { running: false, exit_code: 1 } } },
  log: { instances: { instance1: { running: true, pid: 7 }, instance2: { running: false } } },
  firewall: {},
})

describe('what systemctl says', () => {
  test('is read in the order of the question, with the second of the last change', () => {
    const at = Date.parse('2026-11-26T10:00:00Z')
    expect(parseUnits(UNITS.join('\n'), 6)).toEqual([
      { state: 'running', since: at },
      { state: 'failed', since: at + 1_000 },
      { state: 'missing', since: null },
      { state: 'done', since: null },
      // It ends again and again.
      { state: 'failed', since: at + 2_000 },
      { state: 'stopped', since: at + 3_000 },
    ])
  })

  test('is not believed where it is about another number of units', () => {
    expect(parseUnits(UNITS.join('\n'), 5)).toBe(null)
    expect(parseUnits('', 1)).toBe(null)
  })
})

test('procd says what runs, what has failed, and with which process', () => {
  expect(parseProcd(PROCD)).toEqual(
    new Map([
      ['dnsmasq', { state: 'running', pid: 1_234 }],
      ['uhttpd', { state: 'failed', pid: null }],
      ['log', { state: 'running', pid: 7 }],
      ['firewall', { state: 'stopped', pid: null }],
    ]),
  )
  for (const text of ['', '[]', '7', '{']) expect(parseProcd(text)).toBe(null)
})

test('a process may have any name, parentheses too', () => {
  const stat = `7 (a ) b) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 2\n`
  expect(parseStartTime(stat)).toBe(123.45)
  expect(parseStartTime('7 (a) S 1')).toBe(null)
})

test('a name is one of the manager, and never an option', () => {
  for (const name of ['nginx', 'getty@tty1.service', 'process:dnsmasq', 'dev-sda\\x2d.mount'])
    expect(isServiceName(name), name).toBe(true)
  for (const name of ['', '-H', '--host=evil', 'a b', 'a;b', '../x', 'x*', 'process:', 'a\nb'])
    expect(isServiceName(name), name).toBe(false)
})

describe('a machine', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'box-services-'))
    put('proc/uptime', '1000.00 1.00\n')
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const process = (pid: number, comm: string, startS: number, cmdline = comm) => {
    put(`proc/${pid}/comm`, `${comm}\n`)
    put(`proc/${pid}/cmdline`, `${cmdline}\0--flag\0`)
    put(`proc/${pid}/stat`, `${pid} (${comm}) S ${'0 '.repeat(18)}${startS * 100} 0\n`)
  }
  const NOW = 1_800_000_000_000
  const { signal } = new AbortController()
  const asked: string[][] = []
  const ask = (answers: Record<string, RunAnswer>) =>
    serviceAsker({
      root,
      now: () => NOW,
      run: async (program, args) => {
        asked.push([program, ...args])
        return answers[program] ?? { is: 'absent' }
      },
    })

  test('with systemd is asked once for all services, and the process table for the rest', async () => {
    process(7, 'dnsmasq', 900)
    process(8, 'dnsmasq', 400)
    asked.length = 0
    const services = ask({ systemctl: { is: 'said', text: UNITS.slice(0, 2).join('\n') } })
    const names = ['nginx', 'process:dnsmasq', 'process:absent', 'uhttpd']
    expect(await services(names, signal)).toEqual([
      { state: 'running', since: Date.parse('2026-11-26T10:00:00Z') },
      { state: 'running', since: NOW - 600_000 },
      { state: 'stopped', since: null },
      { state: 'failed', since: Date.parse('2026-11-26T10:00:01Z') },
    ])
    expect(asked).toHaveLength(1)
    expect(asked[0]!.slice(-3)).toEqual(['--', 'nginx', 'uhttpd'])
  })

  test('with a name that the kernel cuts is looked at more closely', async () => {
    process(7, 'secushare-box-a', 900, '/usr/bin/secushare-box-agent')
    process(8, 'secushare-box-a', 900, '/usr/bin/secushare-box-attic')
    const said = await ask({})(['process:secushare-box-agent', 'process:secushare-box-air'], signal)
    expect(said.map(({ state }) => state)).toEqual(['running', 'stopped'])
  })

  test('of OpenWrt has procd, and scripts of what it does not know', async () => {
    process(1_234, 'dnsmasq', 40)
    put('etc/init.d/sysctl', '#!/bin/sh\n')
    const services = ask({ ubus: { is: 'said', text: PROCD } })
    expect(await services(['dnsmasq', 'uhttpd', 'sysctl', 'nginx'], signal)).toEqual([
      { state: 'running', since: NOW - 960_000 },
      { state: 'failed', since: null },
      { state: 'stopped', since: null },
      { state: 'missing', since: null },
    ])
  })

  test('that cannot be asked says so, and not that all is well', async () => {
    const unknown = [{ state: 'unknown', since: null }]
    expect(await ask({ systemctl: { is: 'failed' } })(['nginx'], signal)).toEqual(unknown)
    expect(await ask({ systemctl: { is: 'said', text: 'x' } })(['nginx'], signal)).toEqual(unknown)
    expect(await ask({})(['nginx'], signal)).toEqual(unknown)
    rmSync(join(root, 'proc'), { recursive: true })
    expect(await ask({})(['process:nginx'], signal)).toEqual(unknown)
  })

  test('of our own has this process in its table, since before now', async () => {
    const services = serviceAsker(askedMachine(() => Date.now()))
    const [own] = await services([`process:${globalThis.process.title}`], signal)
    // A title that was changed is in the table as well, or in none.
    expect(SERVICE_STATES).toContain(own!.state)
    if (own!.since !== null) expect(own!.since).toBeLessThanOrEqual(Date.now() + 1_000)
  })
})
