import { expect, test } from 'vitest'
import { isBackup, openBackup, sealBackup } from '../../src/box/backup.ts'
import { seededRandom } from '../sim/random.ts'

const PASSPHRASE = 'correct horse'
/** Quick: what a passphrase costs is scrypt's matter. */
const COST = 14
const random = seededRandom(5)
const bytes = (text: string) => new TextEncoder().encode(text)
const FILES = new Map([
  ['ego', bytes('{"secret":"00"}')],
  ['rooms/one', Uint8Array.from({ length: 300 }, (_, i) => i)],
  ['empty', new Uint8Array(0)],
])
const seal = (files: ReadonlyMap<string, Uint8Array> = FILES) =>
  sealBackup(files, PASSPHRASE, random, COST)

test('what was put in comes out, byte for byte', () => {
  expect(openBackup(seal(), PASSPHRASE)).toEqual(FILES)
  expect(openBackup(seal(new Map()), PASSPHRASE)).toEqual(new Map())
})

test('the passphrase is a text: however its letters are composed', () => {
  const sealed = sealBackup(FILES, 'ein Schl\u00fcssel', random, COST)
  expect(openBackup(sealed, 'ein Schlu\u0308ssel')).toEqual(FILES)
})

test('a wrong passphrase, a changed bit and a cut end give nothing', () => {
  const sealed = seal()
  const unreadable = expect.objectContaining({ code: 'BACKUP_UNREADABLE' })
  expect(() => openBackup(sealed, 'wrong horse')).toThrow(unreadable)
  for (const at of [0, 8, 9, 25, 37, sealed.length - 1]) {
    const changed = sealed.slice()
    changed[at]! ^= 1
    expect(() => openBackup(changed, PASSPHRASE), `bit at ${at}`).toThrow(unreadable)
  }
  for (const length of [0, 8, 36, 37, 60, sealed.length - 1])
    expect(() => openBackup(sealed.subarray(0, length), PASSPHRASE)).toThrow(unreadable)
})

test('a file that wants more memory than we give is refused at once', () => {
  const sealed = seal()
  for (const cost of [0, 13, 21, 63, 255]) {
    const changed = sealed.slice()
    changed[8] = cost
    expect(() => openBackup(changed, PASSPHRASE)).toThrow(
      expect.objectContaining({ code: 'BACKUP_UNREADABLE' }),
    )
  }
})

test('nothing inside can be seen, and the size tells only the bucket', () => {
  const one = seal(new Map([['fleet', bytes('kitchen')]]))
  const many = seal(new Map([['fleet', bytes('kitchen '.repeat(400))]]))
  expect(Buffer.from(one).includes('kitchen')).toBe(false)
  expect(many.length).toBe(one.length)
  expect(isBackup(one)).toBe(true)
  expect(seal()).not.toEqual(seal())
})

test('a passphrase that could be guessed is refused', () => {
  expect(() => sealBackup(FILES, 'short', random)).toThrow(
    expect.objectContaining({ code: 'INPUT_INVALID' }),
  )
})
