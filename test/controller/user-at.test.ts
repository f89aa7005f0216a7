import { expect, test } from 'vitest'
import { textOf, userAt } from '../../controller/user-at.ts'
import { BoxError } from '../../src/base/errors.ts'

test.for([
  ['kitchen', null, 'kitchen'],
  ['ada@kitchen', 'ada', 'kitchen'],
  ['@routers', null, '@routers'],
  ['ada@@routers', 'ada', '@routers'],
  ['ada@home@kitchen', 'ada@home', 'kitchen'],
] as const)('%s is a user and a place', ([text, user, name]) => {
  expect(userAt(text)).toEqual({ user, name })
  expect(textOf({ user, name })).toBe(text)
})

test('what can be no user is said to be none', () => {
  for (const text of ['-x@kitchen', 'a b@kitchen', 'a:b@@routers'])
    expect(() => userAt(text), text).toThrow(BoxError)
})
