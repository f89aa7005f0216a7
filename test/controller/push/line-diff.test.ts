import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { lineDiff } from '../../../controller/push/line-diff.ts'

describe('the differences of two texts', () => {
  test('are none where they are the same', () => {
    expect(lineDiff('a\nb\n', 'a\nb\n')).toEqual([])
  })

  test('are shown with three lines around them', () => {
    const before = '1\n2\n3\n4\n5\n6\n7\n8\n9\n'
    expect(lineDiff(before, before.replace('5', 'five'))).toEqual([
      ...['@@ -2 +2 @@', ' 2', ' 3', ' 4', '-5', '+five', ' 6', ' 7', ' 8'],
    ])
  })

  test('tell where a last newline is missing', () => {
    expect(lineDiff('a\n', 'a')).toEqual([
      ...['@@ -1 +1 @@', '-a', '+a\n\\ No newline at end of file'],
    ])
  })

  test('are only counted where showing them would take too much', () => {
    const lines = (word: string) =>
      Array.from({ length: 3_000 }, (_, i) => `${word}${i}\n`).join('')
    expect(lineDiff(lines('a'), lines('b'))).toEqual(['3000 lines became 3000 others'])
  })

  test('lead from the one to the other, whatever they are', () => {
    const text = fc.array(fc.constantFrom('a', 'b', 'c', ''), { maxLength: 30 })
    fc.assert(
      fc.property(text, text, (a, b) => {
        const [before, after] = [a, b].map(lines => lines.map(line => `${line}\n`).join(''))
        expect(patched(a, lineDiff(before!, after!))).toEqual(b)
      }),
    )
  })
})

/** What `patch` would make of the lines. */
function patched(lines: readonly string[], shown: readonly string[]): string[] {
  const result: string[] = []
  let at = 0
  for (const line of shown) {
    const [, begin] = /^@@ -(\d+) /.exec(line) ?? []
    if (begin) for (; at < Number(begin) - 1; at++) result.push(lines[at]!)
    else if (line.startsWith('+')) result.push(line.slice(1))
    else {
      expect(lines[at++]).toBe(line.slice(1))
      if (line.startsWith(' ')) result.push(line.slice(1))
    }
  }
  return [...result, ...lines.slice(at)]
}
