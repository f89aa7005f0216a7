import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { framed, PACKET_MAX, PacketSplitter } from '../../../agent/sftp/packet-splitter.ts'
import * as packets from '../../../agent/sftp/packets.ts'
import { WireError } from '../../../src/wire/layout.ts'
import { seededRandom } from '../../sim/random.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ''), 'hex'))

const TABLES = Object.values(packets).filter(
  (one): one is packets.Packet<never> => typeof one === 'object' && 'decode' in one,
)

describe('what OpenSSH 9.2 sends, byte for byte (sftp -vvv, sizes left out):', () => {
  test('INIT', () => {
    expect(packets.Init.decode(hex('01 00000003')).version).toBe(3)
  })

  test('OPEN for reading', () => {
    const { id, path, flags } = packets.Open.decode(
      hex('03 00000004 00000009 2f746d702f612e 6269 00000001 00000000'),
    )
    expect([id, path, flags]).toEqual([4, '/tmp/a.bi', packets.OPEN.read])
  })

  test('OPEN for writing, with a mode', () => {
    const { flags, attributes } = packets.Open.decode(
      hex('03 00000007 00000002 2f78 0000001a 00000004 000001a4'),
    )
    expect(flags).toBe(packets.OPEN.write | packets.OPEN.create | packets.OPEN.truncate)
    expect(attributes.mode).toBe(0o644)
  })

  test('READ far into a file', () => {
    expect(
      packets.Read.decode(hex('05 00000009 00000001 30 0000000280000000 00008000')),
    ).toMatchObject({ id: 9, handle: '0', offset: 0x280000000n, length: 32_768 })
  })

  test('FSETSTAT of mode and times', () => {
    const { attributes } = packets.SetFileStatus.decode(
      hex('0a 00000003 00000001 30 0000000c 000001ed 60000000 5fffffff'),
    )
    expect(attributes).toMatchObject({
      mode: 0o755,
      times: { accessed: 0x60000000, modified: 0x5fffffff },
    })
  })

  test('posix-rename', () => {
    const { name, body } = packets.Extended.decode(
      hex(`c8 00000006 00000018 ${Buffer.from('posix-rename@openssh.com').toString('hex')}
        00000002 2f61 00000002 2f62`),
    )
    expect(name).toBe('posix-rename@openssh.com')
    expect(packets.TwoPaths.decode(body)).toEqual({ from: '/a', to: '/b' })
  })
})

test('VERSION and STATUS are as the draft has them', () => {
  expect(packets.Version.encode({ version: 3, extensions: [{ name: 'a', value: '1' }] })).toEqual(
    hex('02 00000003 00000001 61 00000001 31'),
  )
  expect(packets.Status.encode({ id: 5, code: 2, message: 'no', language: '' })).toEqual(
    hex('65 00000005 00000002 00000002 6e6f 00000000'),
  )
})

test('a name of any bytes comes back as it was', () => {
  const path = Buffer.from([0x2f, 0xff, 0xfe, 0x80, 0x00, 0xc3]).toString('latin1')
  const { path: back } = packets.Remove.decode(packets.Remove.encode({ id: 1, path }))
  expect(Buffer.from(back, 'latin1')).toEqual(Buffer.from([0x2f, 0xff, 0xfe, 0x80, 0x00, 0xc3]))
})

test.for(TABLES.map(table => [table.name, table] as const))(
  '%s survives a round trip',
  ([, table]) => {
    const random = seededRandom(4)
    for (let i = 0; i < 50; i++) {
      const value = table.sample(random, {})
      expect(table.decode(table.encode(value))).toEqual(value)
    }
  },
)

test.for(TABLES.map(table => [table.name, table] as const))(
  '%s takes noise or says that it does not fit',
  ([, table]) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), noise => {
        try {
          table.decode(noise)
        } catch (error) {
          expect(error).toBeInstanceOf(WireError)
        }
      }),
      { numRuns: 200 },
    )
  },
)

describe('packets in a stream', () => {
  test('come out whole, wherever it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.nat(60), { maxLength: 20 }),
        (sent, cuts) => {
          const stream = Buffer.concat(sent.map(packet => framed(packet)))
          const splitter = new PacketSplitter()
          const got: Uint8Array[] = []
          let at = 0
          for (const cut of [...cuts, stream.length]) {
            const end = Math.min(at + cut, stream.length)
            for (const packet of splitter.push(stream.subarray(at, end)))
              got.push(Uint8Array.from(packet))
            at = end
          }
          expect(got).toEqual(sent.map(one => Uint8Array.from(one)))
          expect(splitter.isWithin).toBe(false)
        },
      ),
    )
  })

  test('are framed in a place that has the room, one after the other', () => {
    const place = new Uint8Array(10)
    const first = framed(Uint8Array.of(1, 2, 3, 4, 5, 6), place)
    expect([...first]).toEqual([0, 0, 0, 6, 1, 2, 3, 4, 5, 6])
    const second = framed(Uint8Array.of(7), place)
    expect([...second]).toEqual([0, 0, 0, 1, 7])
    expect(second.buffer).toBe(place.buffer)
    const third = framed(new Uint8Array(7), place)
    expect(third.buffer).not.toBe(place.buffer)
    expect(third).toHaveLength(11)
  })

  test.for([0, PACKET_MAX + 1, 0xffffffff])('of %i bytes are refused before any is kept', size => {
    const header = new Uint8Array(4)
    new DataView(header.buffer).setUint32(0, size)
    expect(() => [...new PacketSplitter().push(header)]).toThrow(WireError)
  })
})
