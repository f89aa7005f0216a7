import { describe, expect, test } from 'vitest'
import { dispatch, messageSize, messageType } from '../../src/wire/dispatch.ts'
import { message, u8, u16, WireError } from '../../src/wire/layout.ts'
import { hex } from '../vectors.ts'

const One = message('ONE', 1, { value: u8 })
const Two = message('TWO', 2, { value: u16 })
const read = dispatch([One, Two])

describe('a message of several kinds', () => {
  test('is read by its type, and named', () => {
    expect(read(hex('0005 0001 07'))).toEqual({ is: 'ONE', value: { value: 7 } })
    expect(read(hex('0006 0002 0007'))).toEqual({ is: 'TWO', value: { value: 7 } })
  })

  test('of a type that is none of them is nothing', () => {
    expect(read(hex('0005 0003 07'))).toBeNull()
    expect(read(hex('0004 ffff'))).toBeNull()
  })

  test('of a known type that does not fit is a WireError', () => {
    for (const raw of ['', '0005', '0005 0001', '0006 0001 0007', '0005 0002 07'])
      expect(() => read(hex(raw))).toThrow(WireError)
  })
})

test('two messages of one type are a mistake of ours', () => {
  expect(() => dispatch([One, message('OTHER', 1, {})])).toThrow(/two messages of one type/)
})

test('a header is read where it lies, and only whole', () => {
  expect(messageSize(hex('ff 0102 0304'), 1)).toBe(0x0102)
  expect(messageType(hex('ff 0102 0304'), 1)).toBe(0x0304)
  expect(() => messageSize(hex('ff 0102 0304'), 2)).toThrow(WireError)
})
