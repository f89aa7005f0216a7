/** The shape of the packages, as plain tar and ar show it; test/interop/packages.test.ts installs them. */

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { apk, deb, ipk, type Package } from '../../deploy/package-formats.ts'
import { type Entry, tar, withFolders } from '../../deploy/tar.ts'
import { scratchDirectory } from '../sys/scratch.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const FILES: readonly Entry[] = [
  { path: 'usr/lib/box/box', is: 'file', content: bytes('program'), mode: 0o755 },
  { path: 'usr/bin/box', is: 'link', to: '../lib/box/box' },
  { path: 'etc/config/box', is: 'file', content: bytes('settings'), mode: 0o600 },
]
const PACKAGE: Package = {
  name: 'box',
  version: '1.2.3',
  revision: 4,
  architecture: 'all',
  depends: ['node'],
  summary: 'a box',
  description: ['that is', 'a box'],
  files: FILES,
  settings: ['etc/config/box'],
  scripts: { postinst: '#!/bin/sh\n' },
}

/** What the real tar says of an archive. */
function listed(archive: Uint8Array): string[] {
  const path = join(scratchDirectory(), 'x.tar')
  writeFileSync(path, archive)
  const out = execFileSync('tar', ['--utc', '-tvf', path], { encoding: 'utf8' })
  return out.trimEnd().split('\n')
}

/** The content of one file of an archive. */
function member(archive: Uint8Array, name: string): Buffer {
  const path = join(scratchDirectory(), 'x.tar')
  writeFileSync(path, archive)
  return execFileSync('tar', ['-xOf', path, name])
}

test('an archive holds its entries sorted, all of root, with the folders that lead to them', () => {
  expect(listed(tar(withFolders(FILES, './')))).toEqual([
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./etc/',
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./etc/config/',
    '-rw------- root/root         8 2026-01-01 00:00 ./etc/config/box',
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./usr/',
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./usr/bin/',
    'lrwxrwxrwx root/root         0 2026-01-01 00:00 ./usr/bin/box -> ../lib/box/box',
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./usr/lib/',
    'drwxr-xr-x root/root         0 2026-01-01 00:00 ./usr/lib/box/',
    '-rwxr-xr-x root/root         7 2026-01-01 00:00 ./usr/lib/box/box',
  ])
})

test('a name that does not fit its header is refused', () => {
  const path = 'x'.repeat(101)
  expect(() => tar([{ path, is: 'file', content: bytes('') }])).toThrow(RangeError)
})

test('every format gives the same bytes for the same package', () => {
  for (const format of [ipk, apk, deb]) {
    const [one, two] = [format(PACKAGE), format(structuredClone(PACKAGE))]
    expect(Buffer.from(one).equals(Buffer.from(two))).toBe(true)
  }
})

test('an ipk is an archive of two archives', () => {
  const outer = gunzipSync(ipk(PACKAGE))
  expect(listed(outer).map(line => line.split(' ').at(-1))).toEqual([
    './debian-binary',
    './data.tar.gz',
    './control.tar.gz',
  ])
  const control = gunzipSync(member(outer, './control.tar.gz'))
  expect(String(member(control, './control'))).toContain('Version: 1.2.3-r4\nArchitecture: all\n')
  expect(String(member(control, './control'))).toContain('Depends: node\n')
  expect(String(member(control, './conffiles'))).toBe('/etc/config/box\n')
  expect(listed(control).find(line => line.endsWith('./postinst'))).toMatch(/^-rwxr-xr-x/)
  expect(listed(gunzipSync(member(outer, './data.tar.gz')))).toHaveLength(9)
})

test('an apk tells the hash of its files, of all together and of each', () => {
  const made = Buffer.from(apk({ ...PACKAGE, scripts: { '.post-install': '#!/bin/sh\n' } }))
  // Two gzip streams in a row: the second begins with the magic that is not at the start.
  const second = made.indexOf(Buffer.of(0x1f, 0x8b, 8), 1)
  const told = gunzipSync(made.subarray(0, second))
  const info = String(member(told, '.PKGINFO'))
  const data = made.subarray(second)
  expect(info).toContain(`datahash = ${createHash('sha256').update(data).digest('hex')}\n`)
  expect(info).toContain('pkgver = 1.2.3-r4\n')
  // Open at its end, so that both streams together are one archive.
  expect(told.subarray(-1_024).every(byte => byte === 0)).toBe(false)
  expect(listed(gunzipSync(made))).toHaveLength(15)
  const sum = createHash('sha1').update('program').digest('hex')
  expect(gunzipSync(data).includes(`APK-TOOLS.checksum.SHA1=${sum}\n`)).toBe(true)
  expect(String(member(gunzipSync(data), 'lib/apk/packages/box.conffiles'))).toBe(
    '/etc/config/box\n',
  )
})

test('a deb is what dpkg-deb takes, and its sums are right', () => {
  const path = join(scratchDirectory(), 'x.deb')
  writeFileSync(path, deb({ ...PACKAGE, architecture: 'amd64' }))
  const field = (name: string) =>
    execFileSync('dpkg-deb', ['--field', path, name], { encoding: 'utf8' }).trim()
  expect(field('Version')).toBe('1.2.3-4')
  expect(field('Description')).toBe('a box\n that is\n a box')
  const root = scratchDirectory()
  execFileSync('dpkg-deb', ['--raw-extract', path, root])
  expect(readFileSync(join(root, 'DEBIAN', 'conffiles'), 'utf8')).toBe('/etc/config/box\n')
  execFileSync('md5sum', ['--check', '--strict', 'DEBIAN/md5sums'], { cwd: root })
})
