import { expect, test } from 'vitest'
import { unitPath, userUnit } from '../../../controller/up/user-unit.ts'

test('the unit of box up starts it by words that systemd reads as they are', () => {
  const text = userUnit(['/usr/bin/node', '/home/o "x"/$HOME/50%/box', 'up'])
  expect(text).toContain('ExecStart=/usr/bin/node "/home/o \\"x\\"/$$HOME/50%%/box" up\n')
  expect(text).toContain('WantedBy=default.target\n')
})

test('it belongs where the systemd of a person looks', () => {
  const name = 'systemd/user/secushare-box-up.service'
  expect(unitPath({}, '/home/x')).toBe(`/home/x/.config/${name}`)
  expect(unitPath({ XDG_CONFIG_HOME: '/etc/x' }, '/home/x')).toBe(`/etc/x/${name}`)
})
