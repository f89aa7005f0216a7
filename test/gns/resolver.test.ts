import { describe, expect, test } from 'vitest'
import { zoneKey } from '../../src/base/ids.ts'
import { blockQuery } from '../../src/gns/block.ts'
import { zoneToText } from '../../src/gns/name.ts'
import { RECORD_FLAG, RECORD_TYPE } from '../../src/gns/record.ts'
import * as data from '../../src/gns/record-data.ts'
import { code, HOUR_MS, hour, of, texts, to, ZoneWorld } from './zone-world.ts'

const T = RECORD_TYPE
const txt = (text: string) => data.txtRecord(text, hour)

describe.for([
  ['EDKEY', 'EDKEY'],
  ['EDKEY', 'PKEY'],
  ['PKEY', 'EDKEY'],
  ['PKEY', 'PKEY'],
] as const)('from a zone of type %s into one of type %s', ([above, below]) => {
  test('a name is followed through both, from a zTLD', async () => {
    const w = new ZoneWorld()
    const [home, device] = [w.zone(above), w.zone(below)]
    w.put(home, 'kitchen', [to(device.zone)])
    w.put(device, '@', [txt('hello')])
    w.put(device, 'status', [txt('fine')])
    const found = await w.resolve(`kitchen.${zoneToText(home.zone)}`, T.TXT)
    expect(texts(found)).toEqual(['hello'])
    expect(found.zone).toEqual(device.zone)
    expect(found.label).toBe('@')
    expect(found.chain).toEqual([
      { zone: home.zone, label: 'kitchen' },
      { zone: device.zone, label: '@' },
    ])
    expect(found.fromCache).toBe(false)
    expect(texts(await w.resolve(`status.kitchen.${zoneToText(home.zone)}`))).toEqual(['fine'])
  })

  test('the delegation itself is the answer where it is asked for', async () => {
    const w = new ZoneWorld()
    const [home, device] = [w.zone(above), w.zone(below)]
    w.put(home, 'kitchen', [to(device.zone)])
    const found = await w.resolve(`kitchen.${zoneToText(home.zone)}`, T[below])
    expect(texts(found)).toEqual([zoneToText(device.zone)])
    expect(found.label).toBe('kitchen')
  })
})

describe('a name', () => {
  test('begins in the zone of its longest known suffix', async () => {
    const w = new ZoneWorld()
    const [alt, gns] = [w.zone(), w.zone()]
    w.suffixes.set('alt', alt.zone).set('gns.alt', gns.zone)
    w.put(alt, 'a', [txt('short')])
    w.put(gns, 'a', [txt('long')])
    w.put(gns, '@', [txt('apex')])
    expect(texts(await w.resolve('a.alt'))).toEqual(['short'])
    expect(texts(await w.resolve('A.GNS.alt'))).toEqual(['long'])
    expect(texts(await w.resolve('gns.alt'))).toEqual(['apex'])
    expect(texts(await w.resolve('@.gns.alt'))).toEqual(['apex'])
  })

  test('in our own zone is answered without asking anybody', async () => {
    const w = new ZoneWorld()
    const home = w.zone()
    w.suffixes.set('home', home.zone)
    const secret = data.txtRecord('private', hour, { flags: RECORD_FLAG.private })
    w.database.replace(home.zone, 'kitchen', [txt('here'), secret])
    const found = await w.resolve('kitchen.home', T.TXT)
    expect(texts(found)).toEqual(['here', 'private'])
    expect(found.fromCache).toBe(true)
    expect(await code(w.resolve('garage.home', T.TXT))).toBe('NAME_UNKNOWN')
    expect(await code(w.resolve('kitchen.home', T.A))).toBe('NAME_UNKNOWN')
    expect(w.asked).toEqual([])
  })

  test('that goes through our own zone to a device costs one question', async () => {
    const w = new ZoneWorld()
    const [home, device] = [w.zone(), w.zone()]
    w.suffixes.set('home', home.zone)
    w.database.replace(home.zone, 'kitchen', [to(device.zone)])
    w.put(device, '@', [txt('hello')])
    expect(texts(await w.resolve('kitchen.home', T.TXT))).toEqual(['hello'])
    expect(w.asked).toHaveLength(1)
  })

  test.for(['', 'a..b', '@', 'x'.repeat(64)])('that is none is refused: %j', async name => {
    expect(await code(new ZoneWorld().resolve(name))).toBe('NAME_INVALID')
  })

  test('nobody knows where it begins is unknown at once', async () => {
    const w = new ZoneWorld()
    expect(await code(w.resolver.resolve('kitchen.nowhere', 'any'))).toBe('NAME_UNKNOWN')
  })

  test('nobody answers for fails when its time is over, and not before', async () => {
    const w = new ZoneWorld()
    const before = w.world.now()
    const name = `kitchen.${zoneToText(w.zone().zone)}`
    expect(await code(w.resolve(name, 'any', { timeoutMs: 3_000 }))).toBe('PEER_TIMEOUT')
    expect(w.world.now() - before).toBe(3_000)
    expect(w.world.pending).toBe(0)
  })

  test('is given up when the caller says so, for the reason the caller gives', async () => {
    const w = new ZoneWorld()
    const ending = new AbortController()
    const reason = new Error('changed my mind')
    w.world.after(100, () => ending.abort(reason))
    const asking = w.resolve(zoneToText(w.zone().zone), 'any', { signal: ending.signal })
    await expect(asking).rejects.toBe(reason)
    await expect(w.resolve('a.b', 'any', { signal: ending.signal })).rejects.toBe(reason)
    expect(w.world.pending).toBe(0)
  })

  test('leads no further than its records do', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(zone, 'a', [txt('end')])
    expect(await code(w.resolve(`b.a.${zoneToText(zone.zone)}`))).toBe('NAME_UNKNOWN')
  })

  test('with a key that is no point of the curve fails as bad input does', async () => {
    const w = new ZoneWorld()
    const bad = zoneKey(Uint8Array.of(0, 1, 0, 0x14, ...new Uint8Array(32).fill(0xff)))
    expect(await code(w.resolve(zoneToText(bad)))).toBe('INPUT_INVALID')
    expect(w.world.pending).toBe(0)
  })

  test('does not follow a delegation at the apex', async () => {
    const w = new ZoneWorld()
    const [zone, other] = [w.zone(), w.zone()]
    w.put(zone, '@', [to(other.zone)])
    w.put(other, '@', [txt('no')])
    expect(await code(w.resolve(zoneToText(zone.zone), T.TXT))).toBe('NAME_UNKNOWN')
  })
})

describe('blocks', () => {
  test('that are forged or of another label are passed over, and the true one counts', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const key = blockQuery(zone.zone, 'a')
    const expiresAt = w.world.now() + 9 * HOUR_MS
    w.put(zone, 'a', [txt('true')])
    const [good] = w.net.dht.stored()
    const forged = good!.data.slice()
    forged[forged.length - 1]! ^= 1
    w.putRaw({ key, data: forged, expiresAt })
    w.put(zone, 'b', [txt('other')])
    w.putRaw({ key, data: w.net.dht.stored().at(-1)!.data, expiresAt })
    w.putRaw({ key, data: new Uint8Array(50), expiresAt })
    expect(texts(await w.resolve(`a.${zoneToText(zone.zone)}`))).toEqual(['true'])
    expect(w.resolver.counters.read()).toEqual({
      'gns.refused.SIGNATURE_INVALID': 1,
      'gns.refused.WIRE_MALFORMED': 2,
    })
  })

  test('that expired do not count, whatever the DHT says', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    w.put(
      zone,
      'a',
      [data.txtRecord('old', { atMs: w.world.now() + 2 * HOUR_MS })],
      w.world.now() + 1,
    )
    const [block] = w.net.dht.stored()
    w.putRaw({ ...block!, expiresAt: w.world.now() + HOUR_MS })
    expect(await code(w.resolve(`a.${zoneToText(zone.zone)}`))).toBe('PEER_TIMEOUT')
  })

  test('that are newer win, in whatever order they come', async () => {
    for (const order of [1, -1]) {
      const w = new ZoneWorld()
      const zone = w.zone()
      const puts = [
        () => w.put(zone, 'a', [txt('old')], w.world.now() + HOUR_MS),
        () => w.put(zone, 'a', [txt('new')], w.world.now() + 2 * HOUR_MS),
      ]
      for (const put of order > 0 ? puts : puts.reverse()) put()
      expect(texts(await w.resolve(`a.${zoneToText(zone.zone)}`))).toEqual(['new'])
    }
  })

  test('are asked for once by however many ask at a time, and kept until they expire', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    w.put(zone, 'a', [txt('x')])
    const all = Promise.all(Array.from({ length: 20 }, () => w.resolver.resolve(name, T.TXT)))
    expect((await w.world.until(all, 1_000)).map(found => found.fromCache)).not.toContain(true)
    expect(w.asked).toHaveLength(1)
    expect((await w.resolve(name, T.TXT)).fromCache).toBe(true)
    await w.world.pass(HOUR_MS)
    w.put(zone, 'a', [txt('y')])
    expect(texts(await w.resolve(name, T.TXT))).toEqual(['y'])
    expect(w.asked).toHaveLength(2)
  })

  test('are looked for again where the caller finds the known ones outdated', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    w.put(zone, 'a', [txt('old')])
    await w.resolve(name)
    await w.world.pass(10_000)
    w.put(zone, 'a', [txt('new')], w.world.now() + HOUR_MS)
    expect(texts(await w.resolve(name))).toEqual(['old'])
    expect(texts(await w.resolve(name, 'any', { fresh: true }))).toEqual(['new'])
    expect(texts(await w.resolve(name))).toEqual(['new'])
    expect(texts(await w.resolve(name, 'any', { fresh: true }))).toEqual(['new'])
  })

  test('that have expired in a block that has not are no answer while a newer block may come', async () => {
    // A device whose clock was ahead once leaves such blocks, hours long.
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    const end = w.world.now() + 48 * HOUR_MS
    w.put(zone, 'a', [txt('old')], end)
    w.world.run(2 * HOUR_MS)
    w.world.after(1_000, () => w.put(zone, 'a', [txt('new')], end + 1))
    for (const fresh of [false, true])
      expect(texts(await w.resolve(name, 'any', { fresh }))).toEqual(['new'])
    w.world.run(2 * HOUR_MS)
    expect(await code(w.resolve(name))).toBe('NAME_UNKNOWN')
  })

  test('that come a little later replace the cached one', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    w.put(zone, 'a', [txt('old')])
    expect(texts(await w.resolve(name))).toEqual(['old'])
    w.put(zone, 'a', [txt('new')], w.world.now() + HOUR_MS)
    expect(texts(await w.resolve(name))).toEqual(['new'])
    expect(w.asked).toHaveLength(1)
  })

  test('are all asked for in the end, however many names are wanted at once', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const labels = Array.from({ length: 150 }, (_, n) => `n${n}`)
    for (const label of labels) w.put(zone, label, [txt(label)])
    const text = zoneToText(zone.zone)
    const all = Promise.all(labels.map(label => w.resolver.resolve(`${label}.${text}`, T.TXT)))
    const found = await w.world.until(all, 60_000)
    expect(found.flatMap(texts)).toEqual(labels)
  })
})

describe('records', () => {
  test('end at their own time, even inside a block that lives on', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    const soon = data.txtRecord('soon', { afterMs: 60_000 })
    w.put(zone, 'a', [soon, txt('late')])
    expect(texts(await w.resolve(name))).toEqual(['soon', 'late'])
    await w.world.pass(60_000)
    expect(texts(await w.resolve(name))).toEqual(['late'])
  })

  test('in the shadow of others take over when those expire', async () => {
    const w = new ZoneWorld()
    const [zone, old, next] = [w.zone(), w.zone(), w.zone('PKEY')]
    const now = w.world.now()
    w.put(zone, 'a', [
      data.txtRecord('now', { atMs: now + 60_000 }),
      data.txtRecord('then', { atMs: now + HOUR_MS }, { flags: RECORD_FLAG.shadow }),
    ])
    const shadow = { ...data.delegationRecord(next.zone, hour), flags: RECORD_FLAG.shadow | 1 }
    w.put(zone, 'b', [to(old.zone), { ...shadow, type: T.PKEY }])
    w.put(old, '@', [txt('old')])
    const text = zoneToText(zone.zone)
    expect(texts(await w.resolve(`a.${text}`))).toEqual(['now'])
    await w.world.pass(60_000)
    expect(texts(await w.resolve(`a.${text}`))).toEqual(['then'])
    // A shadow of another type stands beside, not in the shadow: two ways at once are a mistake.
    expect(await code(w.resolve(`b.${text}`, T.TXT))).toBe('WIRE_MALFORMED')
  })

  test('of a rolled-over delegation lead to the old zone, then to the new one', async () => {
    const w = new ZoneWorld()
    const [zone, old, next] = [w.zone(), w.zone(), w.zone()]
    const now = w.world.now()
    const before = data.delegationRecord(old.zone, { atMs: now + 60_000 })
    const after = data.delegationRecord(next.zone, hour, { flags: RECORD_FLAG.shadow })
    w.put(zone, 'a', [before, after])
    w.put(old, '@', [txt('old')])
    w.put(next, '@', [txt('next')])
    const name = `a.${zoneToText(zone.zone)}`
    expect(texts(await w.resolve(name, T.TXT))).toEqual(['old'])
    await w.world.pass(60_000)
    expect(texts(await w.resolve(name, T.TXT))).toEqual(['next'])
  })

  test('that are supplemental are given along, and do not answer by themselves', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    const nick = of(T.NICK, 'kitchen', RECORD_FLAG.supplemental)
    w.put(zone, 'a', [of(T.A, '192.0.2.1'), nick, of(T.LEHO, 'example.org')])
    const found = await w.resolve(name, T.A)
    expect(texts(found)).toEqual(['192.0.2.1'])
    expect(texts({ records: found.supplemental })).toEqual(['kitchen', 'example.org'])
    expect(await code(w.resolve(name, T.NICK))).toBe('NAME_UNKNOWN')
    expect(texts(await w.resolve(name, T.LEHO))).toEqual(['example.org'])
    expect(await code(w.resolve(name, T.TXT))).toBe('NAME_UNKNOWN')
  })

  test('that are critical and unknown end the resolution, unless they were asked for', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const name = `a.${zoneToText(zone.zone)}`
    w.put(zone, 'a', [txt('x'), { ...txt('y'), type: 99_999, flags: RECORD_FLAG.critical }])
    expect(await code(w.resolve(name, T.TXT))).toBe('RECORD_UNSUPPORTED')
    expect((await w.resolve(name, 99_999)).records).toHaveLength(1)
  })

  test('of a VPN stand in for addresses', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const peer = zoneToText(zone.zone).slice(0, 51)
    w.put(zone, 'a', [of(T.VPN, `6 ${peer}0 web`)])
    const found = await w.resolve(`a.${zoneToText(zone.zone)}`, T.AAAA)
    expect(found.records.map(({ type }) => type)).toEqual([T.VPN])
  })

  test('with names relative to their zone come back with whole names', async () => {
    const w = new ZoneWorld()
    const zone = w.zone()
    const text = zoneToText(zone.zone)
    w.put(zone, 'a', [of(T.SRV, '0 0 22 host.+'), of(T.MX, '5 mail.+'), of(T.NS, 'ns.example.org')])
    const found = await w.resolve(`a.${text}`)
    expect(texts(found)).toEqual([`0 0 22 host.${text}`, `5 mail.${text}`, 'ns.example.org'])
  })
})

test('a closed resolver answers nobody, and leaves nothing behind', async () => {
  const w = new ZoneWorld()
  const waiting = code(w.resolver.resolve(zoneToText(w.zone().zone), 'any'))
  w.world.after(50, () => w.resolver.close())
  expect(await w.world.until(waiting, 1_000)).toBe('ENGINE_CLOSED')
  expect(await code(w.resolver.resolve(zoneToText(w.zone().zone), 'any'))).toBe('ENGINE_CLOSED')
  expect(w.world.pending).toBe(0)
})
