/** The packages, put where they belong: OpenWrt's into a root with busybox alone, Debian's into a Debian. */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { emptyRoot, inRoot } from './empty-root.ts'
import { cleanUp, folder, missing, ROOT, run, shell, succeed } from './program.ts'

const OUT = join(ROOT, 'dist', 'bundle')
const MAKEFILE_STUBS = join(import.meta.dirname, 'openwrt-stubs')

const made = (pattern: RegExp): string => {
  const name = readdirSync(OUT).find(name => pattern.test(name))
  if (!name) throw new Error(`no ${pattern} in ${OUT}`)
  return join(OUT, name)
}
const megabytes = (path: string) => (statSync(path).size / 1e6).toFixed(1)

const programs = [
  'xz',
  'patchelf',
  'x86_64-linux-gnu-strip',
  'aarch64-linux-gnu-strip',
  'lintian',
  'file',
  'debootstrap',
  'make',
]
/** A root that debootstrap has made, to be copied; without it one is made here. */
const DEBIAN_ROOT = process.env.BOX_DEBIAN_ROOT
const LINTIAN_MS = 600_000
const DEBIAN_MS = 900_000

const skipped = missing(programs, { root: true })
if (skipped) console.log(`skipped: the packages: ${skipped}`)

describe.skipIf(skipped !== null || process.arch !== 'x64')('the packages', () => {
  beforeAll(() => {
    const all = [/\.ipk$/, /x64\.apk$/, /arm64\.apk$/, /amd64\.deb$/, /arm64\.deb$/].map(made)
    for (const path of all) console.log(`${megabytes(path)} MB  ${path.slice(OUT.length + 1)}`)
  })
  afterAll(cleanUp)

  test('for OpenWrt 24.10 is a script that Node runs, with the terminal library of each machine', {
    timeout: 120_000,
  }, async () => {
    const root = folder('ipk')
    shell(`cd '${root}' && tar xzf '${made(/\.ipk$/)}' && tar xzf data.tar.gz`)
    const library = join(root, 'usr/lib/secushare-box')
    for (const [machine, kind] of [
      ['x64', 'x86-64'],
      ['arm64', 'aarch64'],
      ['arm', 'ARM'],
    ])
      expect(shell(`file -b '${library}/pty-${machine}-musl.node'`)).toContain(kind)
    expect(shell(`cat '${root}/usr/bin/box-agent'`)).toContain('/usr/bin/node ')
    // The Node of this machine has another C library: its terminal library stands in.
    const pty = join(ROOT, 'node_modules/@lydell/node-pty-linux-x64/pty.node')
    copyFileSync(pty, join(library, 'pty-x64.node'))
    const said = await succeed(
      [process.execPath, join(library, 'box.cjs'), 'box', 'demo', '--json'],
      { ms: 100_000 },
    )
    expect(JSON.parse(said)).toMatchObject({ name: 'kitchen.home', exit_code: 0 })
  })

  test('for OpenWrt 25.12 brings all it needs', { timeout: 180_000 }, async () => {
    const root = emptyRoot()
    shell(`cd '${root}' && tar xzf '${made(/x64\.apk$/)}' 2>/dev/null`)
    expect(existsSync(join(root, 'lib64'))).toBe(false)
    expect(
      await succeed(inRoot(root, '/bin/sh /.pre-install && box --version && box-agent --version')),
    ).toMatch(/^(\d+\.\d+\.\d+\n){2}$/)
    const said = await succeed(inRoot(root, 'box demo --json'), { ms: 150_000 })
    expect(JSON.parse(said)).toMatchObject({ name: 'kitchen.home', exit_code: 0 })
    const other = folder('other')
    shell(`cd '${other}' && tar xzf '${made(/arm64\.apk$/)}' 2>/dev/null`)
    expect((await run(['sh', join(other, '.pre-install')])).code).toBe(1)
    const arm = ['qemu-aarch64-static', '-L', other, join(other, 'usr/lib/secushare-box/box')]
    expect(await succeed([...arm, '--version'])).toMatch(/^\d+\.\d+\.\d+\n$/)
  })

  test('first boot makes the place of the keys, any number of times', async () => {
    const root = emptyRoot()
    shell(`cd '${root}' && tar xzf '${made(/x64\.apk$/)}' 2>/dev/null`)
    const twice = 'for n in 1 2; do sh /etc/uci-defaults/90-secushare-box || exit 1; done'
    await succeed(inRoot(root, twice))
    expect(statSync(join(root, 'etc/secushare-box')).mode & 0o777).toBe(0o700)
    const words = ['sh', join(ROOT, 'deploy/openwrt/test.sh'), 'secushare-box', '9.9.9']
    expect((await run(words, { env: { PATH: `${OUT}/linux-x64:/usr/bin:/bin` } })).code).toBe(1)
    words[3] = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).version
    expect((await run(words, { env: { PATH: `${OUT}/linux-x64:/usr/bin:/bin` } })).code).toBe(0)
  })

  test("the feed's recipe installs the files of the package", () => {
    const work = folder('feed')
    shell(`cd '${work}' && mkdir build && tar xzf '${made(/script\.tar\.gz$/)}' -C build && mkdir ipk &&
      cd ipk && tar xzf '${made(/\.ipk$/)}' && tar xzf data.tar.gz && rm -f *.tar.gz debian-binary`)
    const variables = `TOPDIR='${MAKEFILE_STUBS}' INCLUDE_DIR='${MAKEFILE_STUBS}' BUILD_DIR='${work}/build' DESTINATION='${work}/fed'`
    shell(`make -s -C '${ROOT}/deploy/openwrt' ${variables}`)
    expect(shell(`diff -r '${work}/ipk' '${work}/fed'`)).toBe('')
  })

  test('for Debian passes lintian', { timeout: 2 * LINTIAN_MS }, async () => {
    for (const architecture of ['amd64', 'arm64']) {
      const path = made(new RegExp(`${architecture}\\.deb$`))
      const said = await run(['lintian', '--allow-root', '--fail-on', 'error', path], {
        ms: LINTIAN_MS,
      })
      expect(said.code, said.out).toBe(0)
    }
  })

  test('for Debian installs, upgrades and goes, and what the owner has edited stays', {
    timeout: 2 * DEBIAN_MS,
  }, async () => {
    const root = join(folder('debian'), 'root')
    if (DEBIAN_ROOT) shell(`cp -a '${DEBIAN_ROOT}' '${root}'`)
    else {
      const words = ['--variant=minbase', '--include=systemd', 'bookworm', root]
      await succeed(['debootstrap', ...words], { ms: DEBIAN_MS })
    }
    const deb = made(/amd64\.deb$/)
    copyFileSync(deb, join(root, 'tmp', 'one.deb'))
    writeFileSync(join(root, 'tmp', 'two.deb'), newer(deb))
    const inDebian = (command: string) =>
      succeed(['chroot', root, '/bin/sh', '-ec', command], {
        ms: 400_000,
        env: { LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive', NODE_EXTRA_CA_CERTS: '' },
      })
    const out = await inDebian(
      'apt-get update -qq || true; apt-get install -y ./tmp/one.deb; box-agent --version',
    )
    expect(out).toContain('nothing is started')
    expect(await inDebian('systemctl is-enabled secushare-box secushare-box-hub || true')).toBe(
      'disabled\ndisabled\n',
    )
    for (const user of ['secushare-box', 'secushare-box-mesh'])
      expect(await inDebian(`getent passwd ${user}`)).toContain('/usr/sbin/nologin')
    const options = join(root, 'etc/default/secushare-box')
    writeFileSync(options, 'DEVICE_OPTIONS="--name mine"\n')
    mkdirSync(join(root, 'var/lib/secushare-box'))
    // dpkg asks about settings that both sides have changed: the Enter key takes what it proposes.
    await inDebian('echo | apt-get install -y ./tmp/two.deb')
    expect(await inDebian('dpkg-query -W secushare-box')).toMatch(/-2\n$/)
    expect(readFileSync(options, 'utf8')).toContain('mine')
    await inDebian('apt-get remove -y secushare-box')
    expect(existsSync(join(root, 'usr/bin/box-agent'))).toBe(false)
    expect(readFileSync(options, 'utf8')).toContain('mine')
    expect(existsSync(join(root, 'var/lib/secushare-box'))).toBe(true)
    await inDebian('apt-get purge -y secushare-box')
    expect(existsSync(options)).toBe(false)
    expect(existsSync(join(root, 'var/lib/secushare-box'))).toBe(false)
  })
})

/** The same package with the next revision. */
function newer(deb: string): Uint8Array {
  const work = folder('newer')
  shell(`dpkg-deb --raw-extract '${deb}' '${work}/x' && sed -i 's/^\\(Version: .*-\\)1$/\\12/' '${work}/x/DEBIAN/control' &&
    echo '# A new line in the new version.' >> '${work}/x/etc/default/secushare-box' &&
    dpkg-deb -Zgzip -z1 --root-owner-group --build '${work}/x' '${work}/y.deb'`)
  return readFileSync(join(work, 'y.deb'))
}
