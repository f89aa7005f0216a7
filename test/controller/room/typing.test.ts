/** Typing while others speak: what goes to the terminal, and what comes from a pipe. */

import { PassThrough } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { listenToTyping, type Typing } from '../../../controller/room/typing.ts'

const settled = () => new Promise(resolve => setImmediate(resolve))

let typing: Typing
afterEach(() => typing.close())

function begin({ isTerminal = true, columns }: { isTerminal?: boolean; columns?: number } = {}) {
  const input = new PassThrough()
  const output = Object.assign(new PassThrough(), columns === undefined ? {} : { columns })
  const heard: string[] = []
  let screen = ''
  output.on('data', (bytes: Buffer) => {
    screen += bytes.toString()
  })
  typing = listenToTyping(
    { input, output, errors: new PassThrough(), isTerminal },
    {
      line: text => heard.push(text),
      ended: () => heard.push('(ended)'),
      interrupted: () => heard.push('(interrupted)'),
    },
  )
  const type = async (text: string) => {
    screen = ''
    input.write(text)
    await settled()
    return screen
  }
  return { input, output, heard, type, screen: () => screen }
}

test.for([
  [40, 'hello', 1],
  [40, 'x'.repeat(100), 3],
  [0, 'a terminal that does not know how wide it is', 1],
  [undefined, 'nor does this one', 1],
] as const)(
  'on %s columns a line that was typed goes, all rows of it',
  async ([columns, text, rows]) => {
    const { heard, type } = begin(columns === undefined ? {} : { columns })
    const shown = await type(`${text}\r`)
    expect(heard).toEqual([text])
    expect(shown).toContain(`\u001b[${rows}A\u001b[0J`)
    expect(shown).not.toMatch(/Infinity|NaN/)
  },
)

test('what others say is put above the line that is being typed, which stays', async () => {
  const { output, type, screen } = begin({ columns: 40 })
  await type('half a li')
  typing.above(() => output.write('ada: hello\n'))
  await settled()
  expect(screen()).toMatch(/ada: hello\n.*> half a li/s)
})

test('^C and ^D are told', async () => {
  const { heard, type } = begin({ columns: 40 })
  await type('\u0003')
  await type('\u0004')
  expect(heard).toEqual(['(interrupted)', '(ended)'])
})

test('from a pipe come lines, and nothing is written', async () => {
  const { input, heard, type, screen } = begin({ isTerminal: false })
  await type('one\r\ntwo\nlast without an end')
  typing.above(() => {})
  input.end()
  await settled()
  expect(heard).toEqual(['one', 'two', 'last without an end', '(ended)'])
  expect(screen()).toBe('')
})
