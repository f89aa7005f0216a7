import { describe, expect, test } from 'vitest'
import { BoxError, ERRORS, type ErrorCode, EXIT_CODES } from '../../src/base/errors.ts'

const codes = Object.keys(ERRORS) as ErrorCode[]

describe('an error', () => {
  test.for(codes)('%s has a family with an exit code, and a sentence', code => {
    const error = new BoxError(code)
    expect(EXIT_CODES[error.family]).toBeGreaterThanOrEqual(64)
    expect(error.message).toBe(ERRORS[code][1])
    expect(error.message).toMatch(/^[A-Z].*\.$/)
    expect(error).toMatchObject({ name: 'BoxError', code })
  })

  test('says what happened here after what it means, and keeps its cause', () => {
    const cause = new Error('deeper')
    const error = new BoxError('NAME_TAKEN', 'It is "kitchen".', cause)
    expect(error.message).toBe('The name is already in use. It is "kitchen".')
    expect(error.cause).toBe(cause)
    expect('cause' in new BoxError('NAME_TAKEN')).toBe(false)
  })
})

test('families have exit codes of sysexits.h, each its own', () => {
  const all = Object.values(EXIT_CODES)
  expect(new Set(all).size).toBe(all.length)
  for (const code of all) expect(code).toBeLessThanOrEqual(78)
})
