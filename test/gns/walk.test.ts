import { describe, expect, test } from 'vitest'
import { zoneToText } from '../../src/gns/name.ts'
import { RECORD_TYPE } from '../../src/gns/record.ts'
import * as data from '../../src/gns/record-data.ts'
import type { Dns } from '../../src/gns/resolver.ts'
import { code, HOUR_MS, hour, of, texts, to, ZoneWorld } from './zone-world.ts'

const T = RECORD_TYPE
const txt = (text: string) => data.txtRecord(text, hour)

describe('a BOX record', () => {
  test('is opened for its service, under the name and through a delegation', async () => {
    const w = new ZoneWorld()
    const [home, device] = [w.zone(), w.zone('PKEY')]
    w.put(home, 'kitchen', [to(device.zone)])
    w.put(device, '@', [of(T.BOX, '6 22 SRV 0 0 4022 host.+'), of(T.BOX, '6 80 TXT web'), txt('t')])
    const end = `kitchen.${zoneToText(home.zone)}`
    for (const name of [`_22._tcp.${end}`, `_ssh._tcp.${end}`, `_22._6.${end}`]) {
      const found = await w.resolve(name, T.SRV)
      expect(texts(found)).toEqual([`0 0 4022 host.${zoneToText(device.zone)}`])
    }
    expect(texts(await w.resolve(`_http._tcp.${zoneToText(device.zone)}`))).toEqual(['web'])
    expect(await code(w.resolve(`_22._udp.${end}`))).toBe('NAME_UNKNOWN')
    expect(await code(w.resolve(`_ssh._tcp.${end}`, T.TXT))).toBe('NAME_UNKNOWN')
  })

  test('stays closed where no service is named', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [of(T.BOX, '6 80 TXT web')])
    const found = await w.resolve(`a.${zoneToText(zone.zone)}`, T.BOX)
    expect(texts(found)).toEqual(['6 80 16 web'])
  })
})

describe('a redirection', () => {
  test('goes on in the same zone, in another, or under a name known here', async () => {
    const w = new ZoneWorld()
    const [zone, other] = [w.zone(), w.zone('PKEY')]
    w.suffixes.set('friend', other.zone)
    w.put(zone, 'here', [of(T.REDIRECT, 'end.+')])
    w.put(zone, 'apex', [of(T.REDIRECT, '+')])
    w.put(zone, 'key', [of(T.REDIRECT, `end.${zoneToText(other.zone)}`)])
    w.put(zone, 'word', [of(T.REDIRECT, 'end.friend')])
    w.put(zone, 'alias', [of(T.CNAME, 'end.+')])
    w.put(zone, 'end', [txt('here')])
    w.put(zone, '@', [txt('apex')])
    w.put(other, 'end', [txt('other')])
    const expected = { here: 'here', apex: 'apex', key: 'other', word: 'other', alias: 'here' }
    for (const [label, text] of Object.entries(expected))
      expect(texts(await w.resolve(`${label}.${zoneToText(zone.zone)}`, T.TXT))).toEqual([text])
  })

  test('takes the rest of the name along', async () => {
    const w = new ZoneWorld()
    const [zone, other] = [w.zone(), w.zone()]
    w.put(zone, 'a', [of(T.REDIRECT, 'b.+')])
    w.put(zone, 'b', [to(other.zone)])
    w.put(other, 'x', [txt('found')])
    expect(texts(await w.resolve(`x.a.${zoneToText(zone.zone)}`))).toEqual(['found'])
  })

  test('is itself the answer where it is asked for, with a whole name', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [of(T.REDIRECT, 'b.+')])
    const found = await w.resolve(`a.${zoneToText(zone.zone)}`, T.REDIRECT)
    expect(texts(found)).toEqual([`b.${zoneToText(zone.zone)}`])
  })

  test('in a circle is noticed, short or long, growing or not', async () => {
    const w = new ZoneWorld()
    const [zone, other] = [w.zone(), w.zone()]
    const text = zoneToText(zone.zone)
    w.put(zone, 'self', [of(T.REDIRECT, 'self.+')])
    w.put(zone, 'a', [of(T.REDIRECT, `b.${zoneToText(other.zone)}`)])
    w.put(other, 'b', [of(T.REDIRECT, `a.${text}`)])
    w.put(zone, 'grow', [of(T.REDIRECT, 'x.grow.+')])
    for (let n = 0; n < 60; n++) w.put(zone, `n${n}`, [of(T.REDIRECT, `n${n + 1}.+`)])
    for (const label of ['self', 'a', 'n0'])
      expect(await code(w.resolve(`${label}.${text}`))).toBe('NAME_LOOP')
    expect(['NAME_LOOP', 'WIRE_MALFORMED']).toContain(await code(w.resolve(`grow.${text}`)))
  })

  test('in a circle of delegations is noticed', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'me', [to(zone.zone)])
    w.put(zone, '@', [txt('here')])
    const name = `${'me.'.repeat(20)}${zoneToText(zone.zone)}`
    expect(texts(await w.resolve(name, T.TXT))).toEqual(['here'])
    await w.world.pass(HOUR_MS)
    w.put(zone, '@', [of(T.REDIRECT, 'me.+')])
    w.put(zone, 'me', [to(zone.zone)])
    expect(await code(w.resolve(zoneToText(zone.zone), T.TXT))).toBe('NAME_LOOP')
  })

  test('to a name that is none is the fault of whoever published it', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [{ ...of(T.REDIRECT, 'x'), data: Uint8Array.of(0xff) }])
    w.put(zone, 'b', [of(T.REDIRECT, 'x..y')])
    for (const label of ['a', 'b'])
      expect(await code(w.resolve(`${label}.${zoneToText(zone.zone)}`))).toBe('WIRE_MALFORMED')
  })

  test('to a name of the DNS needs somebody who asks there', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [of(T.REDIRECT, 'www.example.org')])
    const asking = w.resolve(`a.${zoneToText(zone.zone)}`)
    await expect(asking).rejects.toThrow(/It is www\.example\.org there/)
  })
})

describe('a delegation to the DNS', () => {
  const answers: Dns = {
    lookup: async (name, type, servers) => [
      {
        type: T.TXT,
        flags: 0,
        data: data.text.encode(`${name} ${type} ${servers}`),
        expiresAt: Infinity,
      },
    ],
  }

  test('is a clear error without somebody who asks there, with name and servers', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [
      of(T.GNS2DNS, 'example.org@9.9.9.9'),
      of(T.GNS2DNS, 'example.org@2620:fe::fe'),
    ])
    const name = `www.a.${zoneToText(zone.zone)}`
    expect(await code(w.resolve(name))).toBe('NAME_IN_DNS')
    await expect(w.resolve(name)).rejects.toThrow(/www\.example\.org.*9\.9\.9\.9, 2620:fe::fe/)
  })

  test('is itself the answer where it is asked for', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [of(T.GNS2DNS, 'example.org@9.9.9.9')])
    const found = await w.resolve(`a.${zoneToText(zone.zone)}`, T.GNS2DNS)
    expect(texts(found)).toEqual(['example.org@9.9.9.9'])
  })

  test('is followed by whoever can, with name servers found in GNS, and gives the name along', async () => {
    const w = new ZoneWorld(1, answers)
    const [zone, other] = [w.zone(), w.zone('PKEY')]
    const there = `ns.${zoneToText(other.zone)}`
    w.put(zone, 'a', [
      of(T.GNS2DNS, 'example.org@ns.+'),
      of(T.GNS2DNS, `example.org@${there}`),
      of(T.GNS2DNS, 'example.org@ns.example.net'),
      of(T.GNS2DNS, 'example.org@missing.+'),
      of(T.GNS2DNS, 'elsewhere.org@1.1.1.1'),
    ])
    w.put(zone, 'missing', [txt('no address')])
    w.put(zone, 'ns', [of(T.A, '192.0.2.1')])
    w.put(other, 'ns', [of(T.AAAA, '2001:db8::1')])
    const found = await w.resolve(`www.a.${zoneToText(zone.zone)}`, T.TXT)
    const servers = ['192.0.2.1', '2001:db8::1', 'ns.example.net']
    expect(texts(found)).toEqual([`www.example.org 16 ${servers}`])
    expect(found.dns).toEqual({ name: 'www.example.org', servers })
    expect(texts({ records: found.supplemental })).toEqual(['www.example.org'])
    expect(found.fromCache).toBe(false)
  })

  test('to name servers that lead in circles ends, and soon', async () => {
    const w = new ZoneWorld(1, answers)
    const zone = w.zone()
    const servers = Array.from({ length: 8 }, (_, n) => of(T.GNS2DNS, `example.org@n${n}.+`))
    w.put(zone, 'a', servers)
    for (let n = 0; n < 8; n++) w.put(zone, `n${n}`, servers)
    expect(await code(w.resolve(`a.${zoneToText(zone.zone)}`, T.TXT))).toBe('NAME_LOOP')
    expect(w.asked.length).toBeLessThanOrEqual(9)
  })
})
