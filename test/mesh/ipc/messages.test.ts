import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readHelloUri } from '../../../src/mesh/ipc/hellos.ts'
import * as services from '../../../src/mesh/ipc/messages.ts'
import * as naming from '../../../src/mesh/ipc/naming/messages.ts'
import { encodeBase32 } from '../../../src/wire/base32.ts'
import { type Message, WireError } from '../../../src/wire/layout.ts'
import { seededRandom } from '../../sim/random.ts'

const isMessage = (value: unknown): value is Message<unknown> =>
  value !== null && typeof value === 'object' && 'type' in value && 'table' in value
const ALL: readonly unknown[] = [...Object.values(services), ...Object.values(naming)]
const MESSAGES = ALL.filter(isMessage)

test.for(MESSAGES)('$name comes back as it went', message => {
  fc.assert(
    fc.property(fc.integer(), seed => {
      const raw = message.encode(message.sample(seededRandom(seed)))
      expect(message.encode(message.decode(raw))).toEqual(raw)
    }),
    { numRuns: 30 },
  )
})

test.for(MESSAGES)('$name gives a value or a WireError on noise', message => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 170 }), noise => {
      const raw = new Uint8Array(4 + noise.length)
      raw.set(noise, 4)
      const view = new DataView(raw.buffer)
      view.setUint16(0, raw.length)
      view.setUint16(2, message.type)
      try {
        message.decode(raw)
      } catch (error) {
        expect(error).toBeInstanceOf(WireError)
      }
    }),
    { numRuns: 50 },
  )
})

/** The sizes of the structs in cadet.h, core.h, dht.h, peerinfo.h, identity.h, namestore.h (0.19.3). */
const sizeOf = <T>(message: Message<T>): number =>
  message.encode(message.sample(seededRandom(1))).length

test.for([
  ['PortOpen', sizeOf(services.PortOpen), 68],
  ['ChannelCreate', sizeOf(services.ChannelCreate), 108],
  ['ChannelDestroy', sizeOf(services.ChannelDestroy), 8],
  ['ChannelAck', sizeOf(services.ChannelAck), 8],
  ['PeersInfo', sizeOf(services.PeersInfo), 44],
  ['PathRequest', sizeOf(services.PathRequest), 40],
  ['TunnelsInfo', sizeOf(services.TunnelsInfo), 48],
  ['CoreMonitorNotify', sizeOf(services.CoreMonitorNotify), 48],
  ['DhtGetStop', sizeOf(services.DhtGetStop), 80],
  ['NamestoreStored', sizeOf(naming.NamestoreStored), 12],
  ['NamestoreNext', sizeOf(naming.NamestoreNext), 16],
] as const)('%s has the size of its struct', ([, size, wanted]) => {
  expect(size).toBe(wanted)
})

test('the two ways to store differ by four bytes before the number of sets', () => {
  const set = { label: Uint8Array.of(0x77, 0), recordCount: 0, records: new Uint8Array(0) }
  const fields = { request: 1, key: new Uint8Array(36).fill(9), sets: [set] }
  const plain = naming.NamestoreStore.encode(fields)
  const single = naming.NamestoreStoreSingle.encode({ ...fields, isSingle: 1 })
  expect(single.length).toBe(plain.length + 4)
  expect([...single.subarray(8, 16)]).toEqual([0, 0, 0, 1, 0, 1, 0, 36])
  expect([...plain.subarray(8, 12)]).toEqual([0, 1, 0, 36])
})

test('a HELLO URL of 0.27 becomes the message that PEERSTORE keeps', () => {
  const [pid, signature] = [new Uint8Array(32).fill(7), new Uint8Array(64).fill(8)]
  const url = `gnunet://hello/${encodeBase32(pid)}/${encodeBase32(signature)}/1900000000000000?tcp=192.0.2.1%3A2086&udp=192.0.2.1%3A2086`
  const { message, expiry } = readHelloUri(url)
  const hello = services.HelloUri.decode(message)
  expect(expiry).toBe(1_900_000_000_000_000n)
  expect(hello).toMatchObject({ uriCount: 2, peer: pid, signature, expiry })
  expect(new TextDecoder().decode(hello.uris)).toBe('tcp://192.0.2.1:2086\0udp://192.0.2.1:2086\0')
  const endings = ['%', '%ff', '%00', '\ud800', '&a='.repeat(30_000)]
  for (const wrong of ['gnunet://hello/X', ...endings.map(ending => url + ending)])
    expect(() => readHelloUri(wrong)).toThrow(expect.objectContaining({ code: 'INPUT_INVALID' }))
})
