import { expect, test } from 'vitest'
import { Interrupted, Output, printable, table } from '../../controller/output.ts'
import { BoxError } from '../../src/base/errors.ts'
import { World } from '../sim/world.ts'

function outputOn(options: { json?: boolean; isTerminal?: boolean } = {}) {
  const { json = false, isTerminal = false } = options
  const world = new World(1)
  const written = { out: '', err: '' }
  const sink = (name: 'out' | 'err') => ({
    isTerminal,
    write: (bytes: string | Uint8Array) => {
      written[name] += typeof bytes === 'string' ? bytes : new TextDecoder().decode(bytes)
    },
  })
  const output = new Output({ json, out: sink('out'), err: sink('err'), clock: world })
  return { output, written, world }
}

test('a result is a line for people, or a JSON line, never both', () => {
  const forPeople = outputOn()
  forPeople.output.result('kitchen is here.', { name: 'kitchen' })
  forPeople.output.remark('by the way')
  expect(forPeople.written).toEqual({ out: 'kitchen is here.\n', err: 'by the way\n' })
  const forPrograms = outputOn({ json: true })
  forPrograms.output.result('kitchen is here.', { name: 'kitchen' })
  forPrograms.output.remark('by the way')
  expect(forPrograms.written).toEqual({ out: '{"name":"kitchen"}\n', err: '' })
})

test('what others said cannot steer the terminal', () => {
  expect(printable('a\u001b[2Jb\u009b1mc\rd\te\n')).toBe('a?[2Jb?1mc?d\te\n')
})

test('nor can they in JSON, which reads as the same text', () => {
  const { output, written } = outputOn({ json: true })
  const text = 'a\u001b[2Jb\u009b1mc\u007f'
  output.result('', { text })
  expect(written.out).toMatch(/^[\x20-\x7e]+\n$/)
  expect(JSON.parse(written.out)).toEqual({ text })
})

test('an expected failure is one sentence and the exit code of its family', () => {
  const { output, written } = outputOn()
  expect(output.failure(new BoxError('NAME_UNKNOWN'))).toBe(69)
  expect(output.failure(new BoxError('PEER_TIMEOUT'))).toBe(75)
  expect(output.failure(new BoxError('INPUT_INVALID', 'Not this.'))).toBe(64)
  expect(written.out).toBe('')
  expect(written.err.split('\n')[0]).toBe('box: No record is published under this name.')
})

test('with --json a failure is an object', () => {
  const { output, written } = outputOn({ json: true })
  output.failure(new BoxError('NO_HUB'))
  expect(JSON.parse(written.err)).toEqual({
    error: {
      code: 'NO_HUB',
      family: 'unreachable',
      message: 'None of the hubs can be reached.',
    },
  })
})

test('an interruption says nothing; a mistake of ours shows where it was made', () => {
  const { output, written } = outputOn()
  expect(output.failure(new Interrupted())).toBe(130)
  expect(written.err).toBe('')
  expect(output.failure(new TypeError('ours'))).toBe(70)
  expect(written.err).toContain('output.test.ts')
})

test('progress shows itself after a second, on a terminal only, and leaves no trace', () => {
  const { output, written, world } = outputOn({ isTerminal: true })
  const progress = output.progress('looking for kitchen')
  world.run(900)
  expect(written.err).toBe('')
  world.run(1_200)
  progress.now('connecting')
  world.run(1_000)
  progress.end()
  world.run(5_000)
  expect(written.err.split('\r\u001b[K')).toEqual([
    '\rlooking for kitchen … 1 s',
    '\rlooking for kitchen … 2 s',
    '\rconnecting … 3 s',
    '',
  ])
  const piped = outputOn()
  piped.output.progress('looking')
  piped.world.run(5_000)
  expect(piped.written.err).toBe('')
})

test('columns are as wide as their widest cell', () => {
  expect(
    table([
      ['a', 'b'],
      ['long', 'c'],
      ['d', ''],
    ]),
  ).toEqual(['a     b', 'long  c', 'd'])
})
