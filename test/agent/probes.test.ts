/** What is read from the texts of the kernel: samples that were recorded on real machines, and others. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { measure, ownMachine, variablesOf } from '../../agent/probes.ts'
import {
  parseInterfaces,
  parseLoad,
  parseMemory,
  parseMounts,
  parseSystemName,
  parseTemperature,
  parseUptime,
} from '../../agent/proc-text.ts'
import { State } from '../../src/psyc/state.ts'

/** Debian 13, and an OpenWrt router with an old kernel. */
const SAMPLES = {
  loadavg: '16.69 14.96 12.26 23/488 26386\n',
  meminfo:
    'MemTotal:       24683620 kB\nMemFree:        17428532 kB\nMemAvailable:   20183588 kB\n',
  oldMeminfo:
    'MemTotal:          61132 kB\nMemFree:           20312 kB\nBuffers:            4024 kB\nCached:            14720 kB\n',
  uptime: '350735.47 234388.90\n',
  netDev: [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    '    lo: 2427290653  541400    0    0    0     0          0         0 2427290653  541400    0    0    0     0       0          0',
    '  eth0: 1049301   2000    0    0    0     0          0         0   994443    1500    0    0    0     0       0          0',
    'br-lan:12 1 0 0 0 0 0 0 34 1 0 0 0 0 0 0',
    '',
  ].join('\n'),
  mounts: [
    'proc /proc proc rw,nosuid 0 0',
    '/dev/root /rom squashfs ro,relatime 0 0',
    '/dev/mmcblk0p2 / ext4 rw,noatime 0 0',
    '/dev/mmcblk0p2 /var/lib/x ext4 rw,noatime 0 0',
    '/dev/sda1 /media/my\\040disk vfat rw 0 0',
    'overlayfs:/overlay /over overlay rw 0 0',
    'tmpfs /tmp tmpfs rw 0 0',
    '',
  ].join('\n'),
  osRelease: 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nNAME="Debian GNU/Linux"\n',
}

describe('the texts of the kernel', () => {
  test('load, uptime, temperature', () => {
    expect(parseLoad(SAMPLES.loadavg)).toBe(1_669)
    expect(parseUptime(SAMPLES.uptime)).toBe(350_735)
    expect(parseTemperature('48312\n')).toBe(48_312)
    expect(parseTemperature('-5000\n')).toBe(-5_000)
    for (const text of ['', 'x\n', '999999\n', '-274000\n'])
      expect(parseTemperature(text)).toBe(null)
  })

  test('memory, of kernels that say what is available and of those that do not', () => {
    expect(parseMemory(SAMPLES.meminfo)).toEqual({
      total: 24_683_620 * 1_024,
      available: 20_183_588 * 1_024,
    })
    expect(parseMemory(SAMPLES.oldMeminfo)).toEqual({
      total: 61_132 * 1_024,
      available: (20_312 + 4_024 + 14_720) * 1_024,
    })
  })

  test('interfaces, with the number hard by the colon or not', () => {
    expect(parseInterfaces(SAMPLES.netDev)).toEqual([
      { name: 'eth0', received: 1_049_301, sent: 994_443 },
      { name: 'br-lan', received: 12, sent: 34 },
    ])
  })

  test('mounts of real file systems, each device once, with blanks in names', () => {
    expect(parseMounts(SAMPLES.mounts)).toEqual(['/', '/media/my disk', '/over'])
  })

  test('what the system calls itself, in each way of quoting', () => {
    expect(parseSystemName(SAMPLES.osRelease)).toBe('Debian GNU/Linux 13 (trixie)')
    expect(parseSystemName("PRETTY_NAME='OpenWrt 23.05'\n")).toBe('OpenWrt 23.05')
    expect(parseSystemName('PRETTY_NAME=Alpine\n')).toBe('Alpine')
    expect(parseSystemName('NAME=x\n')).toBe(null)
  })

  test('noise gives nothing, and never an exception', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), text => {
        for (const parse of [parseLoad, parseMemory, parseUptime, parseSystemName])
          expect(parse(text)).toBe(null)
        parseInterfaces(text)
        parseMounts(text)
      }),
    )
  })
})

test('what was pushed is told as variables, and nothing where nothing can be pushed', () => {
  const figures = measure(ownMachine(0))
  const told = (configuration: typeof figures.configuration) =>
    Object.fromEntries(
      [...variablesOf({ ...figures, configuration }, 'kitchen')]
        .filter(([name]) => name.includes('configuration'))
        .map(([name, value]) => [name, new TextDecoder().decode(value)]),
    )
  expect(told(null)).toEqual({})
  const last = '"firewall" was put back: Nobody confirmed it within 90 s.'
  expect(
    told({
      ...{ generation: 3, bundle: 'firewall', version: 17, state: 'put_back' },
      ...{ unconfirmed: null, last, drift: 0 },
    }),
  ).toEqual({
    _configuration_state: 'put_back',
    _amount_configuration_generation: '3',
    _configuration_bundle: 'firewall',
    _amount_configuration_version: '17',
    _configuration_last: last,
    _amount_configuration_drift: '0',
  })
})

describe('a machine', () => {
  let root: string
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'box-probes-'))
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const look = () =>
    measure({
      root,
      now: 1_800_000_000_000,
      addresses: () => ['192.0.2.7', '2001:db8::7'],
      disk: path => (path === '/' ? { total: 1_000, used: 400 } : null),
    })

  test('is measured as its files say, and what it does not have is left out', () => {
    put('proc/loadavg', SAMPLES.loadavg)
    put('proc/meminfo', SAMPLES.meminfo)
    put('proc/uptime', SAMPLES.uptime)
    put('proc/net/dev', SAMPLES.netDev)
    put('proc/mounts', SAMPLES.mounts)
    put('etc/os-release', SAMPLES.osRelease)
    put('sys/class/thermal/thermal_zone0/type', 'cpu-thermal\n')
    put('sys/class/thermal/thermal_zone0/temp', '48312\n')
    put('sys/class/thermal/thermal_zone1/type', 'cpu-thermal\n')
    put('sys/class/thermal/thermal_zone1/temp', '50000\n')
    // The zone once more; a processor with labels, a disk without; a wireless card that is off.
    put('sys/class/hwmon/hwmon0/name', 'cpu_thermal\n')
    put('sys/class/hwmon/hwmon0/temp1_input', '48312\n')
    put('sys/class/hwmon/hwmon1/name', 'coretemp\n')
    put('sys/class/hwmon/hwmon1/temp1_input', '61000\n')
    put('sys/class/hwmon/hwmon1/temp1_label', 'Package id 0\n')
    put('sys/class/hwmon/hwmon1/temp10_input', '60000\n')
    put('sys/class/hwmon/hwmon1/temp2_input', '59000\n')
    put('sys/class/hwmon/hwmon2/name', 'drivetemp\n')
    put('sys/class/hwmon/hwmon2/temp1_input', '35000\n')
    put('sys/class/hwmon/hwmon3/name', 'drivetemp\n')
    put('sys/class/hwmon/hwmon3/temp1_input', '36000\n')
    put('sys/class/hwmon/hwmon4/name', 'iwlwifi_1\n')
    const figures = look()
    expect(figures.temperatures).toEqual(
      new Map([
        ['cpu-thermal', 48_312],
        ['thermal_zone1', 50_000],
        ['coretemp Package id 0', 61_000],
        ['coretemp temp2', 59_000],
        ['coretemp temp10', 60_000],
        ['drivetemp', 35_000],
        ['drivetemp hwmon3', 36_000],
      ]),
    )
    expect(figures.disks).toEqual(new Map([['/', { total: 1_000, used: 400 }]]))
    expect(figures.bootedAt).toBe(1_800_000_000_000 - 350_735_000)
    const texts = new Map(
      [...variablesOf(figures, 'kitchen')].map(([name, value]) => [
        name,
        Buffer.from(value).toString(),
      ]),
    )
    expect(texts.get('_amount_load_hundredths')).toBe('1669')
    expect(texts.get('_dict_disks_used')).toBe('{/} 400')
    expect(texts.get('_dict_interfaces_sent')).toBe('{eth0} 994443{br-lan} 34')
    expect(texts.get('_list_addresses')).toBe('| 192.0.2.7|11 2001:db8::7')
  })

  test('with nothing at all still has a name and a version', () => {
    const variables = variablesOf(look(), 'kitchen')
    expect([...variables.keys()].sort()).toEqual([
      '_amount_processors',
      '_list_addresses',
      '_nick',
      '_version_agent',
      '_version_system',
    ])
  })

  test('of our own can be looked at, and fits a state', () => {
    const state = new State()
    const variables = variablesOf(measure(ownMachine(Date.now())), 'here')
    state.apply({
      sync: null,
      entity: [...variables].map(([name, value]) => ({ operator: '=' as const, name, value })),
    })
    expect(state.get('_amount_memory_total')).not.toBe(null)
  })
})
