import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { options, sysusers, tmpfiles, unit } from '../../agent/systemd-unit.ts'

const FILES = join(import.meta.dirname, '..', '..', 'deploy', 'systemd')
const PROGRAM = ['/usr/bin/box-agent']

test.for([
  ['secushare-box.service', () => unit('device', PROGRAM)],
  ['secushare-box-mesh.service', () => unit('mesh', PROGRAM)],
  ['secushare-box-hub.service', () => unit('hub', PROGRAM)],
  ['secushare-box.sysusers', sysusers],
  ['secushare-box.tmpfiles', tmpfiles],
  ['secushare-box.default', options],
] as const)('deploy/systemd/%s is what the agent installs', ([name, text]) => {
  const path = join(FILES, name)
  if (process.env.WRITE_DOCS) writeFileSync(path, text())
  expect(readFileSync(path, 'utf8') === text(), 'run `npm run docs`').toBe(true)
})

test('a path with blanks, quotes and signs of systemd stays one word', () => {
  const text = unit('device', ['/opt/my "box"/50%/$HOME', 'box-agent'])
  expect(text).toContain(
    '\nExecStart="/opt/my \\"box\\"/50%%/$$HOME" box-agent run $DEVICE_OPTIONS\n',
  )
})
