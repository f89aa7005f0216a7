/** The units, as systemd itself reads them. */

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { BOX_AGENT, cleanUp, folder, missing, ROOT, run, succeed } from './program.ts'

const UNITS = join(ROOT, 'deploy', 'systemd')
/** Issue: systemd-analyze security of the sandboxed agent; in tenths. */
const EXPOSURE_MAX = 20

const skipped = missing(['systemd-analyze'])
if (skipped) console.log(`skipped: systemd's view of the units: ${skipped}`)

describe.skipIf(skipped !== null)('systemd', () => {
  afterAll(cleanUp)

  test.for(['secushare-box', 'secushare-box-mesh', 'secushare-box-hub'])(
    'finds nothing wrong in %s',
    async name => {
      // It looks whether the program is there, which it is only where the package is installed.
      const text = readFileSync(join(UNITS, `${name}.service`), 'utf8')
      const path = join(folder('units'), `${name}.service`)
      writeFileSync(path, text.replace('/usr/bin/box-agent', '/bin/true'))
      const said = await run(['systemd-analyze', 'verify', '--man=no', path])
      expect(said).toMatchObject({ code: 0, out: '', err: '' })
      writeFileSync(path, text.replace('/usr/bin/box-agent', '/bin/true').replace('Type=', 'Tipe='))
      expect((await run(['systemd-analyze', 'verify', '--man=no', path])).err).toContain('Tipe')
    },
  )

  test.for(['mesh', 'hub'])('finds the %s exposed no more than 2.0', async name => {
    const path = join(folder('security'), `secushare-box-${name}.service`)
    copyFileSync(join(UNITS, `secushare-box-${name}.service`), path)
    const words = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, path]
    const { code, out } = await run(['systemd-analyze', ...words])
    console.log(out.trim().split('\n').at(-1))
    expect(code).toBe(0)
  })

  test.skipIf(process.getuid?.() !== 0)(
    'gives the mesh side the peer of a device that was one service, once, and follows no link',
    async () => {
      const root = folder('adopt')
      const [before, mesh] = ['secushare-box', 'secushare-box-mesh'].map(name => join(root, name))
      for (const path of [before!, mesh!]) mkdirSync(path)
      const text = readFileSync(join(UNITS, 'secushare-box-mesh.service'), 'utf8')
      const [, script] = /^ExecStartPre=\+\/bin\/sh -c '(.*)'$/m.exec(text)!
      const adopt = () =>
        succeed([
          ...['sh', '-c'],
          script!
            .replaceAll('$$', '$')
            .replaceAll('/var/lib/', `${root}/`)
            .replace('-o secushare-box-mesh -g secushare-box-mesh', '-o nobody -g nogroup'),
        ])
      await adopt()
      expect(readdirSync(mesh!)).toEqual([])
      writeFileSync(join(before!, 'peer-seed'), 'the seed', { mode: 0o600 })
      writeFileSync(join(before!, 'monotime'), 'the time')
      writeFileSync(join(before!, 'device-key'), 'not for it')
      const other = join(root, 'other')
      symlinkSync(other, join(mesh!, 'monotime'))
      await adopt()
      expect(readdirSync(mesh!).toSorted()).toEqual(['monotime', 'peer-seed'])
      expect(existsSync(other)).toBe(false)
      const seed = statSync(join(mesh!, 'peer-seed'))
      expect([seed.mode & 0o777, seed.uid === 0]).toEqual([0o600, false])
      writeFileSync(join(before!, 'peer-seed'), 'another')
      await adopt()
      expect(readFileSync(join(mesh!, 'peer-seed'), 'utf8')).toBe('the seed')
    },
  )

  test('would be told so by an installation that only looks, and is not by one into an image', async () => {
    const agent = [process.execPath, BOX_AGENT]
    const dry = JSON.parse(await succeed([...agent, 'install', '--hub', '--dry-run', '--json']))
    expect(dry.commands).toEqual([
      'systemd-sysusers /etc/sysusers.d/secushare-box.conf',
      'systemctl daemon-reload',
      'systemctl enable --now secushare-box-hub.service',
    ])
    const image = join(folder('image'), 'root')
    mkdirSync(image)
    const install = async (...words: string[]) =>
      JSON.parse(await succeed([...agent, ...words, '--root', image, '--json']))
    const changesOf = ({ changes }: { changes: { change: string }[] }) =>
      [...new Set(changes.map(({ change }) => change))].toSorted()
    const first = await install('install')
    expect(first.commands).toEqual([])
    expect(changesOf(first)).toEqual(['new'])
    expect(changesOf(await install('install'))).toEqual(['kept', 'same'])
    await install('install', '--hub')
    const gone = await install('uninstall')
    expect(gone.changes).toEqual(
      ['secushare-box-mesh', 'secushare-box'].map(name => ({
        path: `/etc/systemd/system/${name}.service`,
        change: 'removed',
      })),
    )
    expect(changesOf(await install('uninstall', '--hub'))).toEqual(['removed'])
  })
})
