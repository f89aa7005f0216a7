import { expect, test } from 'vitest'
import { dictOfValues, listOfValues } from '../../src/psyc/list.ts'
import { elementTexts, entryTexts } from '../../src/psyc/texts.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

test('lists and dicts are read as the texts they are made of', () => {
  expect(elementTexts(listOfValues(['a', 'ö']))).toEqual(['a', 'ö'])
  expect(entryTexts(dictOfValues([['disk', 'full']]))).toEqual([['disk', 'full']])
})

test('a key without a value has none, and not an empty one', () => {
  expect(entryTexts(bytes('{disk}'))).toEqual([['disk', null]])
  expect(entryTexts(bytes('{disk} '))).toEqual([['disk', '']])
})

test('what is neither says nothing', () => {
  for (const read of [elementTexts, entryTexts]) {
    expect(read(undefined)).toEqual([])
    expect(read(bytes('{'))).toEqual([])
  }
})
