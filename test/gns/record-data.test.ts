import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { peerId, zoneKey } from '../../src/base/ids.ts'
import type { Codec } from '../../src/gns/codec.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import * as data from '../../src/gns/record-data.ts'
import { WireError } from '../../src/wire/layout.ts'

const u8 = fc.integer({ min: 0, max: 0xff })
const u16 = fc.integer({ min: 0, max: 0xffff })
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length })
const peer = bytes(32).map(peerId)
const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const textNul = text.filter(value => !value.includes('\0'))
const dnsLabel = fc.stringMatching(/^[!-\-/-~]{1,20}$/)
const dnsName = fc.oneof(
  fc.array(dnsLabel, { minLength: 1, maxLength: 6 }).map(labels => labels.join('.')),
  fc.constant('.'),
)

/** Every codec with values it must carry. */
const CODECS: Record<string, readonly [Codec<unknown>, fc.Arbitrary<unknown>]> = {
  text: [data.text, text],
  A: [data.a, bytes(4)],
  AAAA: [data.aaaa, bytes(16)],
  'NS, CNAME, PTR': [data.host, dnsName],
  SRV: [
    data.srv as Codec<unknown>,
    fc.record({ priority: u16, weight: u16, port: u16, target: dnsName }),
  ],
  MX: [data.mx as Codec<unknown>, fc.record({ preference: u16, host: dnsName })],
  SSHFP: [
    data.sshfp as Codec<unknown>,
    fc.record({ algorithm: u8, hash: u8, fingerprint: fc.uint8Array({ maxLength: 64 }) }),
  ],
  BOX: [
    data.box as Codec<unknown>,
    fc.record({ protocol: u16, service: u16, type: u32, data: fc.uint8Array({ maxLength: 64 }) }),
  ],
  VPN: [data.vpn as Codec<unknown>, fc.record({ peer, protocol: u16, service: textNul })],
  PLACE: [
    data.place as Codec<unknown>,
    fc.record({ key: bytes(32), origin: peer, relays: fc.array(peer, { maxLength: 4 }) }),
  ],
  PKEY: [
    data.delegation(RECORD_TYPE.PKEY) as Codec<unknown>,
    bytes(32).map(key => zoneKey(Uint8Array.of(0, 1, 0, 0, ...key))),
  ],
  EDKEY: [
    data.delegation(RECORD_TYPE.EDKEY) as Codec<unknown>,
    bytes(32).map(key => zoneKey(Uint8Array.of(0, 1, 0, 0x14, ...key))),
  ],
} as Record<string, readonly [Codec<unknown>, fc.Arbitrary<unknown>]>

describe.for(Object.entries(CODECS))('the data of %s', ([, [codec, values]]) => {
  test('come back from their bytes', () => {
    fc.assert(
      fc.property(values, value => {
        expect(codec.decode(codec.encode(value))).toEqual(value)
      }),
    )
  })

  test('of noise, and of real data cut or changed, are a value or a WireError', () => {
    const mutated = fc.tuple(values, fc.nat(), u8, fc.nat()).map(([value, at, byte, cut]) => {
      const raw = codec.encode(value).slice()
      if (raw.length > 0) raw[at % raw.length] = byte
      return raw.subarray(0, raw.length - (cut % (raw.length + 1)))
    })
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 120 }), mutated), raw => {
        try {
          codec.decode(raw)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('GNS2DNS', () => {
  test('is written as the RFC has it', () => {
    const raw = data.gns2dns.encode({ name: 'example.org', server: '9.9.9.9' })
    expect(Buffer.from(raw).toString()).toBe('example.org\x009.9.9.9\0')
    expect(data.gns2dns.decode(raw)).toEqual({ name: 'example.org', server: '9.9.9.9' })
  })

  test('is read as GNUnet up to 0.22.0 writes it, too', () => {
    const raw = Buffer.from('\x07example\x03org\x00ns.+\0')
    expect(data.gns2dns.decode(raw)).toEqual({ name: 'example.org', server: 'ns.+' })
  })

  test('is refused without its ends', () => {
    for (const bad of ['', 'a', 'a\0', 'a\0b', 'a\0b\0c'])
      expect(() => data.gns2dns.decode(Buffer.from(bad))).toThrow(WireError)
  })
})

describe('names of the DNS', () => {
  test('are never compressed', () => {
    expect(() => data.host.decode(Uint8Array.of(0xc0, 0))).toThrow(WireError)
  })

  test('have labels of 63 characters and 255 bytes at most', () => {
    const long = 'x'.repeat(63)
    const longest = `${long}.${long}.${long}.${'y'.repeat(61)}`
    expect(data.host.decode(data.host.encode(longest))).toBe(longest)
    expect(data.host.encode(longest)).toHaveLength(255)
    for (const bad of ['x'.repeat(64), `${longest}y`, `${longest}.z`, 'ü', '', 'a..b'])
      expect(() => data.host.encode(bad)).toThrow(WireError)
  })

  test('may be written with a dot at their end', () => {
    expect(data.host.encode('a.b.')).toEqual(data.host.encode('a.b'))
  })
})

test('a zone is not delegated to by a record of the other type', () => {
  const zone = zoneKey(Uint8Array.of(0, 1, 0, 0x14, ...new Uint8Array(32)))
  expect(() => data.delegation(RECORD_TYPE.PKEY).encode(zone)).toThrow(WireError)
  expect(data.delegationRecord(zone, { afterMs: 1 })).toMatchObject({ type: 65_556, flags: 1 })
})
