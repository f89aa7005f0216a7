import { expect, test } from 'vitest'
import { checkWords } from '../../src/box/check-words.ts'
import { WORDS } from '../../src/box/words.ts'

test('there are 256 words, no two alike in their first four letters', () => {
  expect(WORDS).toHaveLength(256)
  expect(new Set(WORDS.map(word => word.slice(0, 4))).size).toBe(256)
  for (const word of WORDS) expect(word).toMatch(/^[a-z]{3,8}$/)
})

test('the words depend on the session and on the secret', () => {
  const [session, secret] = [new Uint8Array(32), new Uint8Array(16)]
  const words = checkWords(session, secret)
  expect(words).toHaveLength(4)
  expect(checkWords(session, secret)).toEqual(words)
  expect(
    checkWords(
      session.map(() => 1),
      secret,
    ),
  ).not.toEqual(words)
  expect(
    checkWords(
      session,
      secret.map(() => 1),
    ),
  ).not.toEqual(words)
})
