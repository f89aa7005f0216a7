import { closeSync, fstatSync, writeSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { CommandOutput } from '../../agent/command-output.ts'
import { type Pipe, PipeShelf } from '../../agent/pipe-shelf.ts'

const PIPE_SIZE = 65_536

const textOf = async (stream: Readable): Promise<string> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return String(Buffer.concat(chunks))
}
const ahead = (output: CommandOutput) => String(Buffer.from(output.ahead))
const isOpen = (fd: number) => {
  try {
    return fstatSync(fd).isFIFO()
  } catch {
    return false
  }
}

describe('what a command prints', () => {
  const shelf = new PipeShelf()
  let pipe: Pipe
  let output: CommandOutput
  let writer: number | null

  beforeEach(async () => {
    const { stdout, stderr } = (await shelf.take(null, false))!
    closeSync(stderr.ours)
    closeSync(stderr.theirs)
    pipe = stdout
    writer = pipe.theirs
    output = new CommandOutput(pipe.ours)
  })
  afterEach(() => {
    end()
    output.destroy()
    shelf.clear()
  })

  const print = (text: string) => writeSync(writer!, text)
  const end = () => {
    if (writer !== null) closeSync(writer)
    writer = null
  }

  it('is read at once where nobody can print any more', async () => {
    print('all of it')
    end()
    expect(output.readAhead()).toBe(true)
    expect(ahead(output)).toBe('all of it')
    expect(isOpen(pipe.ours)).toBe(false)
    expect(await textOf(output.stream)).toBe('all of it')
  })

  it('may be nothing', async () => {
    end()
    expect(output.readAhead()).toBe(true)
    expect(ahead(output)).toBe('')
    expect(await textOf(output.stream)).toBe('')
  })

  it('comes as a stream, its beginning first, where somebody may go on', async () => {
    print('first, ')
    expect(output.readAhead()).toBe(false)
    expect(ahead(output)).toBe('first, ')
    const all = textOf(output.stream)
    print('second')
    end()
    expect(await all).toBe('first, second')
  })

  it('comes as a stream where nothing is there yet', async () => {
    expect(output.readAhead()).toBe(false)
    const all = textOf(output.stream)
    print('late')
    end()
    expect(await all).toBe('late')
  })

  it('comes as a stream where it fills the pipe, every byte', async () => {
    const much = 'x'.repeat(PIPE_SIZE)
    print(much)
    end()
    expect(output.readAhead()).toBe(false)
    expect(await textOf(output.stream)).toBe(much)
  })

  it('comes as a stream where nobody has looked ahead', async () => {
    print('plain')
    end()
    expect(await textOf(output.stream)).toBe('plain')
    expect(output.readAhead()).toBe(false)
  })

  it('is closed, once, where nobody wants it', () => {
    output.destroy()
    expect(isOpen(pipe.ours)).toBe(false)
    output.destroy()
    expect(output.readAhead()).toBe(true)
    expect(ahead(output)).toBe('')
  })
})
