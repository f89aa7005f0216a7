import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concat } from '../../../src/base/bytes.ts'
import { BoxError } from '../../../src/base/errors.ts'
import { LIMITS } from '../../../src/box/bundle/limits.ts'
import {
  contentId,
  contentsOf,
  openRelease,
  RELEASE_SIGNATURE,
  type Release,
  type ReleaseFile,
  signRelease,
} from '../../../src/box/bundle/release.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { seededRandom } from '../../sim/random.ts'

const random = seededRandom(1)
const owner = ZoneSecret.generate('EDKEY', random)
const device = ZoneSecret.generate('EDKEY', random).zone

const file = (path: string, more: object = {}): ReleaseFile => ({
  ...{ is: 'file', path, content: contentId(new Uint8Array(3)), size: 3, mode: 0o644, owner: '' },
  ...more,
})

const RELEASE: Release = {
  ...{ device, signer: owner.zone, sequence: 5, name: 'firewall' },
  ...{ confirmSeconds: 90, commandSeconds: 60, drift: 'report' },
  files: [file('/etc/a', { owner: 'root' }), { is: 'absent', path: '/etc/b' }],
  uci: [{ config: 'network', change: { is: 'delete', section: 'wan6', option: null } }],
  ...{ packages: ['nft'], before: ['true'], apply: ['reload'], after: [], undo: ['reload'] },
  reload: ['nftables'],
}

/** Signs bytes that signRelease would not make. */
function signedBody(edit: (body: Uint8Array) => Uint8Array): Uint8Array {
  const body = edit(signRelease(RELEASE, owner).slice(64))
  return concat(owner.sign(RELEASE_SIGNATURE, body), body)
}

describe('a release', () => {
  test('is read as it was written, whatever is in it', () => {
    const path = fc.stringMatching(/^\/etc\/[a-z]{1,20}$/)
    const entry = fc.record({
      ...{ path, mode: fc.nat(0o7777), size: fc.nat(1_000) },
      ...{ content: fc.uint8Array({ minLength: 32, maxLength: 32 }) },
      ...{ owner: fc.constantFrom('', 'root', 'a:b'), is: fc.constantFrom('file', 'sealed') },
    }) as fc.Arbitrary<ReleaseFile>
    const lines = fc.array(
      fc.string({ unit: 'grapheme' }).filter(text => !text.includes('\0')),
      {
        maxLength: 9,
      },
    )
    const word = fc.stringMatching(/^[a-z_]{1,9}$/)
    const changes = fc.oneof(
      fc.record({
        is: fc.constant('set' as const),
        section: word,
        option: word,
        value: fc.stringMatching(/^[ -~]{0,20}$/),
      }),
      fc.record({ is: fc.constant('list' as const), section: word, option: word, values: lines }),
      fc.record({ is: fc.constant('delete' as const), section: word, option: fc.option(word) }),
      fc.record({ is: fc.constant('section' as const), section: word, type: word }),
    )
    const releases = fc.record({
      ...{ device: fc.constant(device), signer: fc.constant(owner.zone), name: fc.constant('x') },
      ...{ sequence: fc.maxSafeNat(), confirmSeconds: fc.integer({ min: 1, max: 3_600 }) },
      ...{ commandSeconds: fc.integer({ min: 1, max: 600 }) },
      drift: fc.constantFrom('report' as const, 'repair' as const),
      files: fc.uniqueArray(entry, { selector: ({ path }) => path }),
      uci: fc.array(fc.record({ config: fc.constant('network'), change: changes }), {
        maxLength: 9,
      }),
      ...{ packages: lines, before: lines, apply: lines, after: lines, undo: lines },
      reload: fc.array(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.@:-]{0,20}$/), { maxLength: 4 }),
    })
    fc.assert(
      fc.property(releases, release => {
        const signed = signRelease(release, owner)
        const read = openRelease(signed)
        const files = release.files.toSorted((a, b) => (a.path < b.path ? -1 : 1))
        expect(read).toEqual({ ...release, files })
        expect(signRelease(read, owner)).toEqual(signed)
      }),
    )
  })

  test('lists each content once', () => {
    const release = { ...RELEASE, files: [file('/etc/a'), file('/etc/b')] }
    expect(contentsOf(release)).toHaveLength(1)
  })

  test('is refused where one bit of it is another', () => {
    const signed = signRelease(RELEASE, owner)
    for (let at = 0; at < signed.length; at++)
      expect(() => openRelease(signed.with(at, signed[at]! ^ (1 << (at % 8))))).toThrow(BoxError)
  })

  test('is refused where its end is missing, or more follows', () => {
    const signed = signRelease(RELEASE, owner)
    for (let size = 0; size < signed.length; size++)
      expect(() => openRelease(signed.subarray(0, size))).toThrow(BoxError)
    expect(() => openRelease(concat(signed, Uint8Array.of(0)))).toThrow(BoxError)
  })

  test('is refused where somebody else signed it', () => {
    const other = ZoneSecret.generate('EDKEY', random)
    const body = signRelease(RELEASE, owner).slice(64)
    const forged = concat(other.sign(RELEASE_SIGNATURE, body), body)
    expect(() => openRelease(forged)).toThrow('not signed by the key that it names')
    expect(() => openRelease(concat(new Uint8Array(64), body))).toThrow('not signed')
  })

  test('is refused where the signature was made for something else', () => {
    const body = signRelease(RELEASE, owner).slice(64)
    const signed = concat(owner.sign(RELEASE_SIGNATURE + 1, body), body)
    expect(() => openRelease(signed)).toThrow('not signed')
  })

  test('of another version is refused, though it is signed', () => {
    expect(() => openRelease(signedBody(body => body.with(1, 2)))).toThrow('it is of version 2')
  })

  test.for([
    [[file('/etc/../x')], 'has ".." in it'],
    [[file('etc/x')], 'is not absolute'],
    [[file('/etc//x')], 'is not written plainly'],
    [[file('/etc/x\n')], 'has control characters'],
    [[file('/etc/a'), file('/etc/a')], 'not in order'],
    [[file('/etc/a'), file('/etc/a/b')], '/etc/a/b lies below another file'],
    [[file('/etc/a', { mode: 0o10000 })], 'impossible mode'],
    [[file('/etc/a', { size: LIMITS.fileBytes + 1 })], '4194305 bytes, more than 4194304'],
  ] as const)('with files that no bundle has is refused: %j', ([files, wanted]) => {
    expect(() => openRelease(signRelease({ ...RELEASE, files }, owner))).toThrow(wanted)
  })

  test('that is too large is not made', () => {
    const release = { ...RELEASE, apply: Array.from({ length: 64 }, () => 'x'.repeat(60_000)) }
    expect(() => signRelease(release, owner)).toThrow('more than 524288 bytes')
  })

  test('is not made of noise, and noise only ever gives an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), noise => {
        expect(() => openRelease(noise)).toThrow(BoxError)
        expect(() => openRelease(concat(owner.sign(RELEASE_SIGNATURE, noise), noise))).toThrow(
          BoxError,
        )
      }),
    )
  })
})
