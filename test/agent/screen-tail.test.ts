import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ScreenTail, TAIL_MAX } from '../../agent/screen-tail.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const replayed = (...printed: readonly string[]): string => {
  const tail = new ScreenTail()
  for (const text of printed) tail.add(bytes(text))
  return new TextDecoder().decode(tail.replay())
}
/** Pushes whatever was printed before out of the tail. */
const MUCH = `${'x'.repeat(99)}\n`.repeat(TAIL_MAX / 100 + 1)

describe('the tail of a screen', () => {
  test('is all that was printed, while that is little', () => {
    const text = 'a\r\n\x1b[1;31mgrüße\x1b[0m\x1b]0;title\x07\x1b(B\x1b7\x1b[3;4H$ '
    expect(replayed(text)).toBe(text)
    expect(replayed(...text)).toBe(text)
  })

  test('is bounded, and ends with what was printed last', () => {
    const shown = replayed(MUCH, MUCH, MUCH, 'the end')
    expect(shown.length).toBeLessThanOrEqual(TAIL_MAX)
    expect(shown.length).toBeGreaterThan(TAIL_MAX / 2 - 1)
    expect(shown.endsWith('\nthe end')).toBe(true)
  })

  test('is the same however it was cut into pieces', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 70_000 }), size => {
        const text = `\x1b[?1049h${MUCH}\x1b[2J${MUCH}done`
        const tail = new ScreenTail()
        const all = bytes(text)
        for (let at = 0; at < all.length; at += size) tail.add(all.subarray(at, at + size))
        const shown = new TextDecoder().decode(tail.replay())
        return shown.startsWith('\x1b[?1049h') && text.endsWith(shown.slice('\x1b[?1049h'.length))
      }),
      { numRuns: 30 },
    )
  })

  test.for([
    ['device attributes', '\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ'],
    ['the place of the cursor', '\x1b[6n\x1b[?6n\x1b[5n'],
    ['a mode', '\x1b[?2004$p'],
    ['colours', '\x1b]11;?\x07\x1b]4;1;?\x1b\\'],
    ['the version, keys, sizes', '\x1b[>0q\x1b[?u\x1b[18t\x1b[?1;1S'],
    ['settings', '\x1bP$qm\x1b\\\x1bP+q544e\x1b\\'],
  ] as const)('does not ask the terminal for %s again', ([, question]) => {
    expect(replayed(`a${question}b`)).toBe('ab')
  })

  test('repeats no bell, notification or clipboard', () => {
    expect(replayed('a\x07\x1b]52;c;aGk=\x07\x1b]9;done\x1b\\\x1b]777;notify;x\x07b')).toBe('ab')
  })

  test('begins with the modes that were set before it, as they were then', () => {
    const shown = replayed('\x1b[?1049h\x1b[?1h\x1b=\x1b[?25l\x1b[2;20r\x1b[?25h', MUCH, MUCH)
    expect(shown.slice(0, shown.indexOf('x'))).toBe('\x1b[?1049h\x1b[?1h\x1b=\x1b[?25h\x1b[2;20r')
    expect(replayed('\x1b[?1049h\x1b[?2004h\x1bc', MUCH, MUCH).startsWith('x')).toBe(true)
  })

  test('has no sequence and no character without its beginning', () => {
    for (let shift = 0; shift < 12; shift++) {
      const shown = replayed('y'.repeat(shift), '\x1b[1;31mgrüße'.repeat(TAIL_MAX / 8))
      expect(shown.replaceAll('\x1b[1;31m', '')).toMatch(/^[grüße]+$/)
      expect(shown).not.toContain('\ufffd')
    }
  })

  test('has no sequence that has not ended', () => {
    expect(replayed('a\x1b[3')).toBe('a')
    expect(replayed('a\x1b[3', '1mb')).toBe('a\x1b[31mb')
    expect(replayed('a\x1b[3\x1b[1mb')).toBe('a\x1b[1mb')
  })

  test('is whole although a string never ends', () => {
    const shown = replayed('a\x1bP', 'q'.repeat(300_000))
    expect(shown.length).toBeLessThanOrEqual(TAIL_MAX + 10)
  })

  test('takes any bytes at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40_000 })), pieces => {
        const tail = new ScreenTail()
        for (const piece of pieces) tail.add(piece)
        expect(tail.replay().length).toBeLessThan(2 * TAIL_MAX)
        expect(tail.replay()).toEqual(tail.replay())
      }),
      { numRuns: 50 },
    )
  })
})
