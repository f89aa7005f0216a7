import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeSshAnnouncement, encodeSshAnnouncement } from '../../src/box/ssh-announcement.ts'

test('an announcement comes back as it was', () => {
  const any = fc.record({
    publicKey: fc.uint8Array({ minLength: 1, maxLength: 800 }),
    deviceName: fc.stringMatching(/^[a-z0-9-]{0,63}$/),
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
    expect(decodeSshAnnouncement(encodeSshAnnouncement({ publicKey, deviceName }))).toBeNull()
})
