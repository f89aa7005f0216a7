import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { peerId } from '../../src/base/ids.ts'
import {
  type DeviceRecord,
  deviceRecords,
  formatDeviceRecord,
  HUBS_MAX,
  helloPeer,
  parseDeviceRecord,
  readDeviceRecords,
  waysTo,
} from '../../src/box/device-record.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import { txtRecord } from '../../src/gns/record-data.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'

const HOUR = { afterMs: 3_600_000 }
const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const hub = key.map(pid => ({
  pid: peerId(pid),
  hello: `gnunet://hello/${encodeBase32(pid)}+20301231235959+tcp+tcp.0.192.0.2.1:2086`,
}))
const anyRecord: fc.Arbitrary<DeviceRecord> = fc.record({
  pid: key.map(peerId),
  services: fc.integer({ min: 1, max: 9_999 }),
  hostKey: key,
  hubs: fc.array(hub, { maxLength: HUBS_MAX }),
})

const PID = encodeBase32(new Uint8Array(32))
const HOSTKEY = 'ab'.repeat(32)
const good = `box1 pid=${PID} services=1 hostkey=${HOSTKEY}`

function complaint(line: string): string {
  try {
    parseDeviceRecord(line)
  } catch (error) {
    expect((error as BoxError).code).toBe('INPUT_INVALID')
    return (error as BoxError).message
  }
  return 'none'
}

describe('a device record', () => {
  test('comes back as it was, as text and as GNS records', () => {
    fc.assert(
      fc.property(anyRecord, record => {
        expect(parseDeviceRecord(formatDeviceRecord(record))).toEqual(record)
        expect(readDeviceRecords(deviceRecords(record, HOUR))).toEqual(record)
      }),
    )
  })

  test('is found among other records', () => {
    const record = parseDeviceRecord(good)
    const others = [txtRecord('v=spf1 -all', HOUR), { type: 1, flags: 0, data: new Uint8Array(4) }]
    expect(readDeviceRecords([...others, ...deviceRecords(record, HOUR)])).toEqual(record)
  })

  test('may say more than this version knows', () => {
    expect(parseDeviceRecord(`${good} colour=blue`)).toEqual(parseDeviceRecord(good))
  })

  test('counts for nothing without the host key as SSHFP', () => {
    const [text] = deviceRecords(parseDeviceRecord(good), HOUR)
    expect(() => readDeviceRecords([text!])).toThrow(BoxError)
    const other = deviceRecords(parseDeviceRecord(good.replace('abab', 'cdcd')), HOUR)
    const fingerprint = other.find(({ type }) => type === RECORD_TYPE.SSHFP)!
    expect(() => readDeviceRecords([text!, fingerprint])).toThrow(BoxError)
  })

  test.for([
    ['', 'does not describe'],
    ['box2 pid=x', 'does not describe'],
    [good.replace(' services=1', ''), '0 fields "services"'],
    [`${good} pid=${PID}`, '2 fields "pid"'],
    [good.replace(PID, 'ABC'), 'no peer'],
    [good.replace('services=1', 'services=-1'), 'no version'],
    [good.replace(HOSTKEY, 'zz'), 'host key'],
    [`${good} hub=http://example.org`, 'no HELLO URL'],
    [`${good} =x`, 'no field'],
    [good + ` hub=gnunet://hello/${PID}/x`.repeat(9), 'More than 8'],
  ])('%# is refused for what is wrong with it', ([line, why]) => {
    expect(complaint(line!)).toContain(why)
  })

  test('of noise is a value or INPUT_INVALID', () => {
    fc.assert(fc.property(fc.string(), noise => void complaint(`box1 ${noise}`)))
    const noisy = fc.record({
      type: fc.constantFrom(RECORD_TYPE.TXT, RECORD_TYPE.SSHFP),
      flags: fc.constant(0),
      data: fc.uint8Array(),
    })
    fc.assert(
      fc.property(fc.array(noisy), records => {
        expect(() => readDeviceRecords(records)).toThrow(BoxError)
      }),
    )
  })
})

test('the ways to a device lead over its hubs, and straight where it can be dialled', () => {
  const [device, hub, self] = [1, 2, 3].map(n => peerId(new Uint8Array(32).fill(n)))
  const hubs = [device, hub, self].map(pid => ({ pid: pid!, hello: '' }))
  const record = { pid: device!, services: 1, hostKey: new Uint8Array(32), hubs }
  expect(waysTo(record, self!)).toEqual([[], [hub]])
})

test('the peer of a HELLO URL is read from it, whatever its wire class', () => {
  for (const rest of ['', '+0+tcp+tcp.0.192.0.2.1:2086', '/SIGNATURE/1?x'])
    expect(helloPeer(`gnunet://hello/${PID}${rest}`)).toEqual(new Uint8Array(32))
  expect(() => helloPeer('gnunet://hello/')).toThrow(BoxError)
})
