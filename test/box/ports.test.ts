import { expect, test } from 'vitest'
import { zoneKey } from '../../src/base/ids.ts'
import { portText, type Service, servicePort } from '../../src/box/ports.ts'

const DEVICE = zoneKey(
  Uint8Array.from([0, 1, 0, 20, ...Array.from({ length: 32 }, (_, i) => i + 1)]),
)

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('a port has a text, which names the service and the zone', () => {
  expect(portText('ssh', DEVICE)).toBe(
    'secushare-box ssh 000G0501081G81860W40J2GB1G6GW3RG2491650N2RBHG68T3CE1T7GZ40',
  )
})

test('a port is the hash of its text, as gnunet-cadet computes it', () => {
  // Made with sha512sum of coreutils.
  expect(hex(servicePort('ssh', DEVICE))).toBe(
    '0696b0d66c7371cfde1361846953aa0ebbb9108773d14f0fc26a03ec629fa138' +
      '45ac230930d2f79153fef91adf199ba06608a02b8906bbc39d5d8c63384e2b20',
  )
})

test('no two services and no two devices have the same port', () => {
  const other = zoneKey(DEVICE.with(35, 0))
  const services: readonly Service[] = ['ssh', 'pair', 'control', 'place']
  const ports = [DEVICE, other].flatMap(device => services.map(one => servicePort(one, device)))
  expect(new Set(ports.map(hex)).size).toBe(8)
})
