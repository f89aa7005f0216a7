/** The units, as systemd itself reads them. */

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
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

  test.for(['secushare-box', 'secushare-box-hub'])('finds nothing wrong in %s', async name => {
    // It looks whether the program is there, which it is only where the package is installed.
    const text = readFileSync(join(UNITS, `${name}.service`), 'utf8')
    const path = join(folder('units'), `${name}.service`)
    writeFileSync(path, text.replace('/usr/bin/box-agent', '/bin/true'))
    const said = await run(['systemd-analyze', 'verify', '--man=no', path])
    expect(said).toMatchObject({ code: 0, out: '', err: '' })
    writeFileSync(path, text.replace('/usr/bin/box-agent', '/bin/true').replace('Type=', 'Tipe='))
    expect((await run(['systemd-analyze', 'verify', '--man=no', path])).err).toContain('Tipe')
  })

  test('finds the hub exposed no more than 2.0', async () => {
    const path = join(folder('security'), 'secushare-box-hub.service')
    copyFileSync(join(UNITS, 'secushare-box-hub.service'), path)
    const words = ['security', '--offline=true', `--threshold=${EXPOSURE_MAX}`, path]
    const { code, out } = await run(['systemd-analyze', ...words])
    console.log(out.trim().split('\n').at(-1))
    expect(code).toBe(0)
  })

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
    expect(gone.changes).toEqual([
      { path: '/etc/systemd/system/secushare-box.service', change: 'removed' },
    ])
    expect(changesOf(await install('uninstall', '--hub'))).toEqual(['removed'])
  })
})
