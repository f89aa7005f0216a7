import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LinePrefix } from '../../controller/line-prefix.ts'
import { inParallel } from '../../controller/parallel.ts'

function prefixed(...pieces: Uint8Array[]): string[] {
  const lines: string[] = []
  const lineOf = new LinePrefix('hut | ', line => lines.push(Buffer.from(line).toString('latin1')))
  for (const piece of pieces) lineOf.take(piece)
  lineOf.end()
  return lines
}

test('each line gets the prefix, the last one without a newline too', () => {
  expect(prefixed(Buffer.from('a\n\nb'))).toEqual(['hut | a\n', 'hut | \n', 'hut | b\n'])
})

test('the pieces in which output arrives make no difference', () => {
  const text = fc.array(fc.constantFrom('a', 'b', '\n'), { maxLength: 40 })
  fc.assert(
    fc.property(text, fc.array(fc.nat(40)), (letters, cuts) => {
      const whole = Buffer.from(letters.join(''))
      const at = [0, ...cuts.map(cut => Math.min(cut, whole.length)).sort((a, b) => a - b)]
      const pieces = at.map((from, i) => whole.subarray(from, at[i + 1] ?? whole.length))
      expect(prefixed(...pieces)).toEqual(prefixed(whole))
    }),
  )
})

test('output without a newline is broken into lines, and none of it is lost', () => {
  const lines = prefixed(new Uint8Array(200_000).fill(120))
  expect(lines.length).toBe(4)
  expect(lines.map(line => line.slice(6, -1)).join('').length).toBe(200_000)
})

test('no more than the limit run at once, and results keep the order of their items', async () => {
  let running = 0
  let most = 0
  const results = await inParallel([3, 1, 2, 1, 3], 2, async ticks => {
    most = Math.max(most, ++running)
    for (let i = 0; i < ticks; i++) await Promise.resolve()
    running--
    return ticks
  })
  expect(results).toEqual([3, 1, 2, 1, 3])
  expect(most).toBe(2)
})
