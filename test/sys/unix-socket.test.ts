import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { dialUnix, listenUnix } from '../../src/sys/unix-socket.ts'
import { Owner } from './owner.ts'
import { compile, start } from './program.ts'
import { scratchDirectory } from './scratch.ts'

async function echoAt(path: string) {
  const listener = await listenUnix(path, stream => {
    const owner = new Owner()
    owner.received = chunk => void stream.write(chunk)
    return owner
  })
  onTestFinished(() => listener.close())
  return listener
}

async function ask(path: string, question: string): Promise<Owner> {
  const owner = new Owner()
  owner.stream = dialUnix(path, owner)
  owner.stream.write(new TextEncoder().encode(question))
  await owner.until(() => owner.text === question || owner.story.at(-1) === 'closed')
  owner.stream.close()
  await owner.whenClosed()
  return owner
}

const deep = (directory: string) => {
  const long = join(directory, 'x'.repeat(120))
  mkdirSync(long)
  return long
}

test.for([
  ['a short path', (directory: string) => directory],
  ['a path beyond the limit of the kernel', deep],
] as const)('carries bytes over %s, for the owner only, and leaves nothing', async ([, place]) => {
  const directory = place(scratchDirectory())
  const path = join(directory, 'control.sock')
  const listener = await echoAt(path)
  expect(statSync(path).mode & 0o777).toBe(0o600)
  expect((await ask(path, 'hello')).text).toBe('hello')
  await expect(listenUnix(path, () => new Owner())).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
  })
  expect((await ask(path, 'still there')).text).toBe('still there')
  listener.close()
  expect(readdirSync(directory)).toEqual([])
  expect((await ask(path, 'gone')).error).toMatchObject({ code: 'PEER_UNREACHABLE' })
})

test('takes over the socket of a process that was killed', async () => {
  const directory = scratchDirectory()
  const path = join(directory, 'control.sock')
  const program = start(compile('listener-program.ts', directory), path)
  await program.next()
  expect((await ask(path, 'hi')).story).toContain('opened')
  await program.kill()
  expect(statSync(path).isSocket()).toBe(true)
  await echoAt(path)
  expect((await ask(path, 'hello')).text).toBe('hello')
})

test('never removes what is no socket', async () => {
  const path = join(scratchDirectory(), 'control.sock')
  writeFileSync(path, 'precious')
  await expect(listenUnix(path, () => new Owner())).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
  })
  expect(statSync(path).size).toBe(8)
  await expect(listenUnix(join(path, 'below'), () => new Owner())).rejects.toMatchObject({
    code: 'ADDRESS_IN_USE',
  })
})
