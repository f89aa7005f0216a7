import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  MakeDirectory,
  Names,
  OnePath,
  OPEN,
  OpenDirectory,
  RESULT,
  ReadLink,
  RealPath,
  Remove,
  RemoveDirectory,
  Rename,
  SetStatus,
  SymbolicLink,
  TwoPaths,
} from '../../../agent/sftp/packets.ts'
import { attributes, NONE, SftpClient } from './client.ts'

const CREATE = OPEN.write | OPEN.create | OPEN.truncate
const refused = expect.objectContaining({
  code: RESULT.permissionDenied,
  message: expect.stringContaining('your grant does not reach'),
})

let folder: string
let client: SftpClient
const at = (name: string) => join(folder, name)

/** `inside` is granted, `outside` is not. */
beforeEach(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'box-region-')))
  mkdirSync(at('inside/deep'), { recursive: true })
  mkdirSync(at('outside'))
  writeFileSync(at('inside/mine'), 'mine')
  writeFileSync(at('outside/secret'), 'secret')
  symlinkSync(at('outside'), at('inside/way-out'))
  symlinkSync(at('outside/secret'), at('inside/link'))
  symlinkSync(at('inside'), at('alias'))
  client = await SftpClient.open('/root', [at('inside')])
})

afterEach(async () => {
  await client.end()
  rmSync(folder, { recursive: true, force: true })
})

test('begins in what is granted where home is not', async () => {
  const { entries } = Names.decode(await client.ask(RealPath, { path: '.' }))
  expect(entries[0]!.name).toBe(at('inside'))
})

test('lets everything be done inside', async () => {
  await client.close(await client.openFile('new', CREATE))
  await client.close(await client.openFile('deep/../new', OPEN.read))
  await client.ask(MakeDirectory, { path: 'deep/er', attributes: NONE })
  await client.ask(Rename, { from: 'new', to: 'deep/er/new' })
  await client.ask(SetStatus, { path: 'deep/er/new', attributes: attributes({ mode: 0o600 }) })
  expect((await client.stat('deep/er/new')).mode! & 0o777).toBe(0o600)
  await client.ask(SymbolicLink, { target: '../mine', path: 'deep/mine' })
  expect((await client.stat('deep/mine')).size).toBe(4n)
  expect([...(await client.list(at('inside'))).keys()]).toContain('way-out')
  await client.ask(Remove, { path: 'deep/er/new' })
  await client.ask(RemoveDirectory, { path: 'deep/er' })
  expect(existsSync(at('inside/deep/er'))).toBe(false)
})

describe('refuses, whichever way a path leads out:', () => {
  const ways = () => [
    at('outside/secret'),
    '../outside/secret',
    'way-out/secret',
    'link',
    'deep/../../outside/secret',
    '/etc/passwd',
    '/proc/self/cwd',
  ]

  test('reading, writing and looking', async () => {
    for (const path of ways()) {
      await expect(client.openFile(path, OPEN.read), path).rejects.toEqual(refused)
      await expect(client.openFile(path, CREATE), path).rejects.toEqual(refused)
      await expect(client.stat(path), path).rejects.toEqual(refused)
      const attributes_ = attributes({ mode: 0o777 })
      await expect(client.ask(SetStatus, { path, attributes: attributes_ }), path).rejects.toEqual(
        refused,
      )
      await expect(client.ask(RealPath, { path }), path).rejects.toEqual(refused)
      await expect(
        client.extended('statvfs@openssh.com', OnePath.encode({ path })),
        path,
      ).rejects.toEqual(refused)
    }
    expect(readFileSync(at('outside/secret'), 'utf8')).toBe('secret')
  })

  test('making, moving and removing', async () => {
    for (const path of [at('outside/new'), '../outside/new', 'way-out/new']) {
      await expect(client.openFile(path, CREATE), path).rejects.toEqual(refused)
      await expect(client.ask(MakeDirectory, { path, attributes: NONE })).rejects.toEqual(refused)
      await expect(client.ask(Rename, { from: 'mine', to: path })).rejects.toEqual(refused)
      const body = TwoPaths.encode({ from: 'mine', to: path })
      for (const name of ['posix-rename@openssh.com', 'hardlink@openssh.com'])
        await expect(client.extended(name, body)).rejects.toEqual(refused)
      await expect(client.ask(SymbolicLink, { target: 'x', path })).rejects.toEqual(refused)
    }
    for (const path of [at('outside/secret'), 'way-out/secret']) {
      await expect(client.ask(Remove, { path })).rejects.toEqual(refused)
      await expect(client.ask(Rename, { from: path, to: 'got' })).rejects.toEqual(refused)
      const body = TwoPaths.encode({ from: path, to: 'got' })
      await expect(client.extended('hardlink@openssh.com', body)).rejects.toEqual(refused)
    }
    for (const path of [at('outside'), 'way-out', folder, '/', '..'])
      await expect(client.ask(OpenDirectory, { path })).rejects.toEqual(refused)
    expect(existsSync(at('outside/secret'))).toBe(true)
  })

  test('links that would lead out', async () => {
    for (const target of ['/etc/passwd', '../outside/secret', at('outside')])
      await expect(client.ask(SymbolicLink, { target, path: 'new' })).rejects.toEqual(refused)
    expect(existsSync(at('inside/new'))).toBe(false)
  })
})

test('does not tell whether something outside exists', async () => {
  for (const path of ['/no/such/thing', at('outside/none'), '/etc/none'])
    await expect(client.stat(path)).rejects.toEqual(refused)
})

test('a link itself may be looked at and removed, wherever it leads', async () => {
  expect((await client.lstat('link')).mode! & 0o170000).toBe(0o120000)
  await client.ask(ReadLink, { path: 'link' })
  await client.ask(Remove, { path: 'link' })
  expect(readFileSync(at('outside/secret'), 'utf8')).toBe('secret')
})

test('a granted path may be a link, and is reached by both names', async () => {
  const other = await SftpClient.open('/root', [at('alias')])
  expect((await other.stat(at('alias/mine'))).size).toBe(4n)
  expect((await other.stat(at('inside/mine'))).size).toBe(4n)
  await expect(other.stat(at('alias/none'))).rejects.toEqual(
    expect.objectContaining({ code: RESULT.noSuchFile }),
  )
  await expect(other.stat(at('outside/secret'))).rejects.toEqual(refused)
  await other.end()
})

test('a directory that is swapped for a link, over and over, never leads out', async () => {
  mkdirSync(at('inside/swap'))
  writeFileSync(at('inside/swap/secret'), 'mine')
  let swapping = true
  const swap = async () => {
    while (swapping) {
      renameSync(at('inside/swap'), at('inside/kept'))
      symlinkSync(at('outside'), at('inside/swap'))
      await new Promise(resolve => setImmediate(resolve))
      rmSync(at('inside/swap'))
      renameSync(at('inside/kept'), at('inside/swap'))
      await new Promise(resolve => setImmediate(resolve))
    }
  }
  const swapper = swap()
  let read = 0
  // On a busy machine all of the first tries may meet the link.
  for (let i = 0; i < 400 || read === 0; i++) {
    const handle = await client.openFile('swap/secret', OPEN.read).catch(() => null)
    if (handle === null) continue
    const said = Buffer.from(await client.read(handle, 0n, 10)).toString()
    expect(said).toBe('mine')
    await client.close(handle)
    read++
    await client.ask(Remove, { path: 'swap/none' }).catch(() => {})
  }
  swapping = false
  await swapper
  expect(read).toBeGreaterThan(0)
  expect(lstatSync(at('outside/secret')).isFile()).toBe(true)
})
