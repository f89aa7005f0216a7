import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoxError } from '../../src/base/errors.ts'
import { decodeSshAnnouncement, encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'

test('an announcement comes back as it was', () => {
  const any = fc.record({
    publicKey: fc.uint8Array({ minLength: 1, maxLength: 800 }),
    deviceName: fc.stringMatching(/^[a-z0-9-]{0,63}$/),
    user: fc.option(fc.stringMatching(/^[a-z_][a-z0-9_.-]{0,30}$/)),
  })
  fc.assert(
    fc.property(any, said => {
      expect(decodeSshAnnouncement(encodeSshAnnouncement(said))).toEqual(said)
    }),
  )
})

test('noise is no announcement', () => {
  fc.assert(
    fc.property(fc.uint8Array(), noise => {
      expect(decodeSshAnnouncement(noise)).toBeNull()
    }),
  )
})

test('a name that does not belong into an environment is no announcement', () => {
  const publicKey = Uint8Array.of(1)
  for (const deviceName of ['a b', 'a\nb', '\u001b[1m'])
    for (const user of [null, 'ada'])
      expect(
        decodeSshAnnouncement(encodeSshAnnouncement({ publicKey, deviceName, user })),
      ).toBeNull()
})

test('a user is a name that stands in no line of a table, and is no option', () => {
  const publicKey = Uint8Array.of(1)
  for (const user of [
    '',
    '-x',
    '+',
    'a:b',
    'a b',
    'a/b',
    '../a',
    'a\nb',
    'ä',
    '@agent',
    'a'.repeat(33),
  ])
    expect(() => encodeSshAnnouncement({ publicKey, deviceName: '', user }), user).toThrow(BoxError)
})

test('a user is told in a message that no earlier version takes', () => {
  const said = { publicKey: Uint8Array.of(1), deviceName: 'kitchen' }
  const typeOf = (user: string | null) => encodeSshAnnouncement({ ...said, user }).subarray(2, 4)
  expect(typeOf(null)).toEqual(Uint8Array.of(0xbd, 0x18))
  expect(typeOf('ada')).toEqual(Uint8Array.of(0xbd, 0x19))
})
