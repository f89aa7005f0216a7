import { spawn } from 'node:child_process'
import { PassThrough, Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { piecewise } from '../../agent/piecewise.ts'

const bytes = (text: string) => Buffer.from(text)
const turns = () => new Promise(resolve => setTimeout(resolve, 5))

async function read(stream: Readable, pause: () => Promise<unknown> = turns): Promise<string[]> {
  const pieces: string[] = []
  for await (const piece of piecewise(stream)) {
    pieces.push(Buffer.from(piece).toString())
    await pause()
  }
  return pieces
}

test('what waits comes piece by piece, each in the memory it arrived in', async () => {
  const stream = new PassThrough()
  const first = bytes('one')
  for (const piece of [first, bytes('two'), bytes('three')]) stream.write(piece)
  stream.end()
  const reading = piecewise(stream)
  const { value } = await reading.next()
  expect(value).toBe(first)
  await turns()
  expect((await reading.next()).value).toEqual(bytes('two'))
  expect((await reading.next()).value).toEqual(bytes('three'))
  expect(await reading.next()).toEqual({ done: true, value: undefined })
})

test('waits for what comes later, and for the end', async () => {
  const stream = new PassThrough()
  const reading = read(stream, () => Promise.resolve())
  await turns()
  stream.write('one')
  await turns()
  stream.write('two')
  await turns()
  stream.end()
  expect(await reading).toEqual(['one', 'two'])
})

test('a stream with nothing in it has no piece', async () => {
  expect(await read(Readable.from([]))).toEqual([])
})

test('reads no further ahead than the stream itself while a piece is in hand', async () => {
  let asked = 0
  const stream = new Readable({
    highWaterMark: 4,
    read() {
      asked++
      this.push(asked > 100 ? null : bytes('full'))
    },
  })
  const reading = piecewise(stream)
  await reading.next()
  await turns()
  expect(asked).toBeLessThan(4)
  let count = 1
  while (!(await reading.next()).done) count++
  expect(count).toBe(100)
})

test('loses nothing where somebody else resumes the stream while a piece is in hand', async () => {
  const stream = new PassThrough()
  for (const piece of ['one', 'two', 'three']) stream.write(piece)
  stream.end()
  const pieces = await read(stream, async () => {
    stream.resume()
    await turns()
  })
  expect(pieces).toEqual(['one', 'two', 'three'])
})

test('has all that a program printed which ends while a piece is in hand', async () => {
  const { stdout } = spawn('sh', ['-c', 'head -c 300000 /dev/zero'], { stdio: 'pipe' })
  let size = 0
  for await (const { length } of piecewise(stdout)) {
    size += length
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  expect(size).toBe(300_000)
})

test('tells of a failure after what came before it', async () => {
  const stream = new Readable({ read() {} })
  stream.push('one')
  const reading = piecewise(stream)
  expect((await reading.next()).value).toEqual(bytes('one'))
  stream.destroy(new Error('torn'))
  await expect(reading.next()).rejects.toThrow('torn')
})

test.for([
  ['before it is read', true],
  ['while it is read', false],
] as const)('a stream cut off %s has not come to its end', async ([, isBefore]) => {
  const stream = new PassThrough()
  if (isBefore) stream.destroy()
  const failed = expect(read(stream)).rejects.toThrow('Premature close')
  await turns()
  stream.destroy()
  await failed
})

test('whoever stops reading leaves the rest where it is, and the stream whole', async () => {
  const stream = new PassThrough()
  for (const piece of ['one', 'two', 'three']) stream.write(piece)
  for await (const piece of piecewise(stream)) {
    expect(Buffer.from(piece).toString()).toBe('one')
    break
  }
  await turns()
  expect(stream.destroyed).toBe(false)
  expect(stream.listenerCount('data')).toBe(0)
  stream.end()
  expect(await read(stream)).toEqual(['two', 'three'])
})
