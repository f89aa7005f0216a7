import { spawnSync } from 'node:child_process'
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { install, stanza, uninstall } from '../../controller/ssh-stanza.ts'

const TEXT = stanza({
  box: ['/usr/bin/node', '/opt/se cu/box.js', '--state', '/home/me/state'],
  identityFile: '/home/me/state/ssh_key',
  knownHosts: '/home/me/state/known_hosts',
})

let home: string
let ssh: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'box-ssh-'))
  ssh = join(home, '.ssh')
})
afterEach(() => rmSync(home, { recursive: true }))

const config = () => readFileSync(join(ssh, 'config'), 'utf8')

test('what is written where nothing was is private, and gone afterwards', () => {
  install(ssh, TEXT)
  expect(statSync(ssh).mode & 0o777).toBe(0o700)
  expect(statSync(join(ssh, 'config')).mode & 0o777).toBe(0o600)
  expect(config()).toBe('Include secushare-box.conf\n')
  expect(uninstall(ssh)).toBe(true)
  expect(config()).toBe('')
  expect(uninstall(ssh)).toBe(false)
  expect(readdirSync(ssh)).toEqual(['config'])
})

test("the owner's own configuration stays as it was, to the byte and the mode", () => {
  const own = 'Host old\n  User me\n\n# a remark\nHost *\n  Compression yes\n'
  mkdirSync(ssh)
  writeFileSync(join(ssh, 'config'), own, { mode: 0o644 })
  install(ssh, TEXT)
  install(ssh, TEXT)
  expect(config()).toBe(`Include secushare-box.conf\n\n${own}`)
  expect(statSync(join(ssh, 'config')).mode & 0o777).toBe(0o644)
  uninstall(ssh)
  expect(config()).toBe(own)
})

test('a configuration that is a link stays one', () => {
  mkdirSync(ssh)
  writeFileSync(join(home, 'dotfile'), 'Host a\n')
  symlinkSync('../dotfile', join(ssh, 'config'))
  install(ssh, TEXT)
  expect(lstatSync(join(ssh, 'config')).isSymbolicLink()).toBe(true)
  expect(readFileSync(join(home, 'dotfile'), 'utf8')).toContain('Include secushare-box.conf')
})

test('a path that ssh could misread is refused', () => {
  const options = { box: ['box'], identityFile: '/a"b', knownHosts: '/k' }
  expect(() => stanza(options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
})

const hasSsh = existsSync('/usr/bin/ssh')
test.runIf(hasSsh)('ssh reads it as it is meant', () => {
  writeFileSync(join(home, 'stanza'), TEXT)
  const { stdout, stderr, status } = spawnSync(
    'ssh',
    ['-T', '-G', '-F', join(home, 'stanza'), 'kitchen.box'],
    { encoding: 'utf8' },
  )
  expect(stderr).toBe('')
  expect(status).toBe(0)
  expect(stdout).toContain(
    'proxycommand /usr/bin/node "/opt/se cu/box.js" --state /home/me/state proxy --user %r %h\n',
  )
  expect(stdout).toContain('identityfile /home/me/state/ssh_key\n')
  expect(stdout).toContain('userknownhostsfile /home/me/state/known_hosts\n')
  expect(stdout).toMatch(/stricthostkeychecking (true|yes)\n/)
})
