import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type InstallationOptions, look, pieces, place, remove } from '../../agent/installation.ts'
import { VERSION } from '../../src/base/version.ts'
import { scratchDirectory } from '../sys/scratch.ts'

function machine(options: Partial<InstallationOptions> = {}) {
  const root = join(scratchDirectory(), 'root')
  mkdirSync(root)
  const executable = join(scratchDirectory(), 'downloaded')
  writeFileSync(executable, 'the program')
  const wanted = pieces({ role: 'device', executable, program: ['/x'], ...options })
  const install = () => wanted.map(piece => place(piece, root))
  const uninstall = (dryRun = false) => wanted.map(piece => remove(piece, root, { dryRun }))
  const files = () =>
    readdirSync(root, { recursive: true, encoding: 'utf8' })
      .filter(name => !name.includes('/current/'))
      .filter(name => !lstatSync(join(root, name)).isDirectory())
      .toSorted()
  return { root, executable, wanted, install, uninstall, files }
}

const OPTIONS = 'etc/default/secushare-box'

test('the device gets its program, its unit and its options; the program under two names', () => {
  const { root, install, files } = machine()
  expect(new Set(install())).toEqual(new Set(['new']))
  expect(files()).toEqual([
    OPTIONS,
    'etc/systemd/system/secushare-box-mesh.service',
    'etc/systemd/system/secushare-box.service',
    'etc/sysusers.d/secushare-box.conf',
    'etc/tmpfiles.d/secushare-box.conf',
    'usr/local/bin/box',
    'usr/local/bin/box-agent',
    `usr/local/lib/secushare-box/${VERSION}/box`,
    'usr/local/lib/secushare-box/current',
    'usr/local/lib/secushare-box/start',
  ])
  expect(readFileSync(join(root, 'usr/local/bin/box-agent'), 'utf8')).toBe('the program')
  expect(statSync(realpathSync(join(root, 'usr/local/bin/box'))).mode & 0o777).toBe(0o755)
  expect(statSync(join(root, 'usr/local/lib/secushare-box')).mode & 0o777).toBe(0o755)
  expect(statSync(join(root, 'etc')).mode & 0o777).toBe(0o755)
  expect(readlinkSync(join(root, 'usr/local/lib/secushare-box/current'))).toBe(VERSION)
})

test('installing again changes nothing, and keeps what the owner has edited', () => {
  const { root, install, files } = machine()
  install()
  writeFileSync(join(root, OPTIONS), 'DEVICE_OPTIONS="--name mine"\n')
  const before = files().map(name => lstatSync(join(root, name)).ino)
  expect(new Set(install())).toEqual(new Set(['same', 'kept']))
  expect(files().map(name => lstatSync(join(root, name)).ino)).toEqual(before)
  expect(readFileSync(join(root, OPTIONS), 'utf8')).toContain('mine')
})

test('what has been changed otherwise is put right', () => {
  const { root, install } = machine()
  install()
  writeFileSync(join(root, 'etc/systemd/system/secushare-box.service'), 'x')
  expect(install().filter(change => change === 'changed')).toHaveLength(1)
  expect(new Set(install())).toEqual(new Set(['same', 'kept']))
})

test('looking changes nothing', () => {
  const { root, wanted, files, install, uninstall } = machine()
  expect(new Set(wanted.map(piece => look(piece, root)))).toEqual(new Set(['new']))
  expect(files()).toEqual([])
  install()
  const all = files()
  expect(new Set(uninstall(true))).toEqual(new Set(['removed']))
  expect(files()).toEqual(all)
})

test('uninstalling leaves nothing but what the owner has edited', () => {
  const { root, install, uninstall, files } = machine({ role: 'hub' })
  install()
  writeFileSync(join(root, OPTIONS), 'HUB_OPTIONS="--advertise 192.0.2.1:2086"\n')
  uninstall()
  expect(files()).toEqual([OPTIONS])
  expect(new Set(uninstall())).toEqual(new Set(['absent', 'kept']))
  const again = machine()
  again.install()
  const library = join(again.root, 'usr/local/lib/secushare-box')
  mkdirSync(join(library, '0.0.1'))
  writeFileSync(join(library, '0.0.1', 'box'), 'an older one')
  writeFileSync(join(library, 'failed'), '0.0.2')
  again.uninstall()
  expect(again.files()).toEqual([])
  expect(readdirSync(join(again.root, 'usr/local/lib'))).toEqual([])
})

test('where nothing is copied, the unit starts what runs now', () => {
  const { root, install } = machine({
    executable: null,
    program: ['/opt/node', '/opt/box/main.js'],
  })
  install()
  expect(readFileSync(join(root, 'etc/systemd/system/secushare-box.service'), 'utf8')).toContain(
    '\nExecStart=/opt/node /opt/box/main.js run $DEVICE_OPTIONS\n',
  )
})

test('a place that cannot be written is named', () => {
  const { root, install } = machine()
  writeFileSync(join(root, 'etc'), 'a file')
  expect(install).toThrow(expect.objectContaining({ code: expect.stringMatching(/^STATE_UN/) }))
})
