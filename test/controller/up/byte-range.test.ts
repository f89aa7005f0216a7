import { expect, test } from 'vitest'
import { attachment, rangeIn } from '../../../controller/up/byte-range.ts'

const file = { size: 100, etag: '"100-1"' }
const inFile = (range: string) => rangeIn({ range }, file)

test('a range is the bytes it names, as far as the file goes', () => {
  expect(inFile('bytes=0-0')).toEqual({ from: 0, to: 1 })
  expect(inFile('bytes=10-19')).toEqual({ from: 10, to: 20 })
  expect(inFile('bytes=90-')).toEqual({ from: 90, to: 100 })
  expect(inFile('bytes=90-999999999999999')).toEqual({ from: 90, to: 100 })
  expect(inFile('bytes=-1')).toEqual({ from: 99, to: 100 })
  expect(inFile('bytes=-1000')).toEqual({ from: 0, to: 100 })
})

test('a range behind the end is outside, and of an empty file every range is', () => {
  for (const range of ['bytes=100-', 'bytes=100-200', 'bytes=-0'])
    expect(inFile(range), range).toBe('outside')
  for (const range of ['bytes=0-', 'bytes=0-0', 'bytes=-5'])
    expect(rangeIn({ range }, { ...file, size: 0 }), range).toBe('outside')
})

test('what is no single range of bytes means all of the file', () => {
  for (const range of [
    ...['', 'bytes', 'bytes=', 'bytes=-', 'bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2'],
    ...['bytes=a-b', 'bytes=0x1-', `bytes=${'9'.repeat(16)}-`, 'bytes=1--2', ' bytes=1-2'],
  ])
    expect(inFile(range), range).toBe(null)
  expect(rangeIn({}, file)).toBe(null)
})

test('a part of a file that is another one now is all of it', () => {
  const headers = { range: 'bytes=5-' }
  expect(rangeIn({ ...headers, 'if-range': '"100-1"' }, file)).toEqual({ from: 5, to: 100 })
  expect(rangeIn({ ...headers, 'if-range': '"100-2"' }, file)).toBe(null)
  expect(rangeIn({ ...headers, 'if-range': 'Thu, 01 Jan 1970 00:00:00 GMT' }, file)).toBe(null)
})

test('a name cannot end the header that it stands in', () => {
  expect(attachment('a.txt')).toBe(`attachment; filename="a.txt"; filename*=UTF-8''a.txt`)
  const hard = attachment('"\r\nset-cookie: x;\'(*)\ud800é')
  expect(hard).toMatch(/^attachment; filename="[\w.-]+"; filename\*=UTF-8''[\w.%-]+$/)
})
