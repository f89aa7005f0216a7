import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoxError } from '../../../../src/base/errors.ts'
import { peerId } from '../../../../src/base/ids.ts'
import { formatHelloUrl, parseHelloUrl } from '../../../../src/mesh/transport/legacy/hello-url.ts'
import { formatIp } from '../../../../src/mesh/transport/legacy/ip.ts'
import { hex, readVectors } from '../../../vectors.ts'

const daemon = readVectors('class-a-daemon')
const peer = peerId(hex(daemon.pid))
const PREFIX = `gnunet://hello/${daemon.pid_text}`
/** As `gnunet-peerinfo -s -g` of 0.19.3 printed it. */
const PRINTED = `${PREFIX}+20261124164641+tcp+tcp.0.127.0.0.1:21051`

test('reads what gnunet-peerinfo prints, in UTC, and prints it the same', () => {
  const hello = parseHelloUrl(`${PRINTED}\n`)
  expect(hello).toEqual({
    peer,
    friendsOnly: false,
    addresses: [
      {
        address: { host: '127.0.0.1', port: 21_051 },
        expiresAt: Date.UTC(2026, 10, 24, 16, 46, 41),
      },
    ],
  })
  expect(formatHelloUrl(hello)).toBe(PRINTED)
})

test('has several addresses, brackets around IPv6, and 0 for never', () => {
  const url = `${PRINTED}+0+tcp+tcp.0.[2001:db8::1]:2086`
  const { addresses } = parseHelloUrl(url)
  expect(addresses[1]).toEqual({
    address: { host: '2001:db8::1', port: 2086 },
    expiresAt: Infinity,
  })
  expect(formatHelloUrl({ peer, friendsOnly: false, addresses })).toBe(url)
})

test('may have no address', () => {
  expect(parseHelloUrl(PREFIX).addresses).toEqual([])
})

test('skips addresses of transports that are not spoken here', () => {
  const url = `${PREFIX}+20270101000000+http_client+http_client.0.http://192.0.2.1:80/+0+tcp+tcp.0.192.0.2.1:1`
  expect(parseHelloUrl(url).addresses.map(({ address }) => address)).toEqual([
    { host: '192.0.2.1', port: 1 },
  ])
})

test.for([
  ['nothing', ''],
  ['another scheme', 'https://example.org/'],
  ['the HELLO of a newer GNUnet', `gnunet://hello/${'0'.repeat(52)}/SIG/1?tcp=1.2.3.4`],
  ['a peer that is cut', 'gnunet://hello/890M3A'],
  ['an end in mid-address', `${PREFIX}+20261124164641+tcp`],
  ['no time', `${PREFIX}+tomorrow+tcp+tcp.0.127.0.0.1:1`],
  ['a thirteenth month', `${PREFIX}+20261324164641+tcp+tcp.0.127.0.0.1:1`],
  ['a host name', `${PREFIX}+0+tcp+tcp.0.hub.example.org:2086`],
  ['a port too large', `${PREFIX}+0+tcp+tcp.0.127.0.0.1:65536`],
  ['options nobody has', `${PREFIX}+0+tcp+tcp.1.127.0.0.1:1`],
])('refuses %s with a sentence', ([, url]) => {
  expect(() => parseHelloUrl(url!)).toThrow(BoxError)
  expect(() => parseHelloUrl(url!)).toThrow(/The input is not valid\. .+/)
})

test('any HELLO comes back as it went, to the second', () => {
  const ip = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc.uint8Array({ minLength: 16, maxLength: 16 }),
  )
  const entry = fc.record({
    address: fc.record({ host: ip.map(formatIp), port: fc.nat(65_535) }),
    expiresAt: fc.oneof(
      fc.nat(4_000_000_000).map(seconds => seconds * 1_000),
      fc.constant(Infinity),
    ),
  })
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      fc.array(entry, { maxLength: 5 }),
      (pid, addresses) => {
        const hello = { peer: peerId(pid), friendsOnly: false, addresses }
        expect(parseHelloUrl(formatHelloUrl(hello))).toEqual(hello)
      },
    ),
  )
})

test('any text gives a HELLO or INPUT_INVALID', () => {
  const piece = fc.oneof(fc.string(), fc.constantFrom('+', 'tcp', 'tcp.0.', ':', '[', '0', PREFIX))
  fc.assert(
    fc.property(fc.array(piece), pieces => {
      try {
        parseHelloUrl(pieces.join(''))
      } catch (error) {
        expect((error as BoxError).code).toBe('INPUT_INVALID')
      }
    }),
  )
})
