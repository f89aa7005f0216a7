import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  ExtendedReply,
  FileSystem,
  Limits,
  LinkStatus,
  MakeDirectory,
  NameList,
  Names,
  NumberList,
  OneHandle,
  OnePath,
  OPEN,
  PathAttributes,
  PathStatus,
  RESULT,
  Read,
  ReadLink,
  RealPath,
  Remove,
  RemoveDirectory,
  Rename,
  SetFileStatus,
  SetStatus,
  Status,
  SymbolicLink,
  TwoLists,
  TwoPaths,
} from '../../../agent/sftp/packets.ts'
import { attributes, SftpClient } from './client.ts'

let folder: string
let client: SftpClient
const at = (name: string) => join(folder, name)
const failing = (code: number) => expect.objectContaining({ code })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'box-sftp-'))
  client = await SftpClient.open(folder)
})

afterEach(async () => {
  await client.end()
  rmSync(folder, { recursive: true, force: true })
})

describe('files', () => {
  test('are written and read, every byte', async () => {
    const bytes = randomBytes(700_000)
    const up = await client.openFile('a', OPEN.write | OPEN.create, attributes({ mode: 0o640 }))
    for (let i = 0; i < bytes.length; i += 200_000)
      await client.write(up, BigInt(i), bytes.subarray(i, i + 200_000))
    await client.close(up)
    expect(readFileSync(at('a')).equals(bytes)).toBe(true)
    expect(statSync(at('a')).mode & 0o777).toBe(0o640)
    const down = await client.openFile(at('a'), OPEN.read)
    expect(Buffer.from(await client.read(down, 650_000n, 100_000))).toEqual(bytes.subarray(650_000))
    await expect(client.read(down, 700_000n, 10)).rejects.toEqual(failing(RESULT.eof))
    await client.close(down)
  })

  test('beyond four gigabytes are read and written in the right place', async () => {
    writeFileSync(at('big'), '')
    truncateSync(at('big'), 10 * 2 ** 30)
    const file = await client.openFile('big', OPEN.read | OPEN.write)
    const place = 9n * 2n ** 30n + 7n
    await client.write(file, place, Buffer.from('here'))
    expect(Buffer.from(await client.read(file, place - 1n, 6)).toString()).toBe('\0here\0')
    expect((await client.stat('big')).size).toBe(10n * 2n ** 30n)
    await client.close(file)
  })

  test('answers come in the order of the requests, however long each takes', async () => {
    writeFileSync(at('a'), 'x'.repeat(250_000))
    const handle = await client.openFile('a', OPEN.read)
    const lengths = Array.from({ length: 60 }, (_, i) => (i % 2 ? 1 : 250_000))
    lengths.forEach((length, id) => {
      client.send(
        id % 3 === 0
          ? PathStatus.encode({ id, path: 'nowhere' })
          : Read.encode({ id, handle, offset: 0n, length }),
      )
    })
    const ids: number[] = []
    for (const _ of lengths) ids.push(Buffer.from(await client.next()).readUInt32BE(1))
    expect(ids).toEqual(lengths.map((_, i) => i))
  })

  test('that are appended to grow, whatever the offset says', async () => {
    writeFileSync(at('log'), 'one')
    const file = await client.openFile('log', OPEN.write | OPEN.append)
    await client.write(file, 0n, Buffer.from('two'))
    await client.close(file)
    expect(readFileSync(at('log'), 'utf8')).toBe('onetwo')
  })

  test('opened exclusively must be new', async () => {
    writeFileSync(at('a'), '')
    const flags = OPEN.write | OPEN.create | OPEN.exclusive
    await expect(client.openFile('a', flags)).rejects.toEqual(failing(RESULT.failure))
  })

  test('have sizes, modes and times that can be set', async () => {
    writeFileSync(at('a'), 'hello')
    const times = { accessed: 1_000_000_000, modified: 1_100_000_000 }
    await client.ask(SetStatus, { path: 'a', attributes: attributes({ mode: 0o4755, times }) })
    expect(await client.stat('a')).toMatchObject({ mode: 0o104755, size: 5n, times })
    const file = await client.openFile('a', OPEN.write)
    await client.ask(SetFileStatus, { handle: file, attributes: attributes({ size: 2n }) })
    await client.extended('fsync@openssh.com', OneHandle.encode({ handle: file }))
    await client.close(file)
    expect(readFileSync(at('a'), 'utf8')).toBe('he')
  })

  test('are renamed over nothing that exists, but by posix-rename', async () => {
    writeFileSync(at('a'), 'a')
    writeFileSync(at('b'), 'b')
    await expect(client.ask(Rename, { from: 'a', to: 'b' })).rejects.toEqual(
      failing(RESULT.failure),
    )
    expect(readFileSync(at('b'), 'utf8')).toBe('b')
    await client.ask(Rename, { from: 'a', to: 'c' })
    expect(existsSync(at('a'))).toBe(false)
    await client.extended('posix-rename@openssh.com', TwoPaths.encode({ from: 'c', to: 'b' }))
    expect(readFileSync(at('b'), 'utf8')).toBe('a')
  })

  test('get second names by hardlink', async () => {
    writeFileSync(at('a'), 'a')
    await client.extended('hardlink@openssh.com', TwoPaths.encode({ from: 'a', to: 'b' }))
    expect(statSync(at('b')).ino).toBe(statSync(at('a')).ino)
  })

  test('that are pipes do not stop the session', async () => {
    const { execFileSync } = await import('node:child_process')
    execFileSync('mkfifo', [at('pipe')])
    const handle = await client.openFile('pipe', OPEN.read)
    await expect(client.read(handle, 0n, 10)).rejects.toThrow()
    await client.close(handle)
    await expect(client.openFile('pipe', OPEN.write)).rejects.toThrow()
  })
})

describe('symbolic links', () => {
  test('are made, read, looked at and through', async () => {
    writeFileSync(at('a'), 'hello')
    await client.ask(SymbolicLink, { target: 'a', path: 'link' })
    expect(lstatSync(at('link')).isSymbolicLink()).toBe(true)
    expect(Names.decode(await client.ask(ReadLink, { path: 'link' })).entries[0]!.name).toBe('a')
    expect((await client.lstat('link')).mode! & 0o170000).toBe(0o120000)
    expect((await client.stat('link')).size).toBe(5n)
    await client.ask(Remove, { path: 'link' })
    expect(readFileSync(at('a'), 'utf8')).toBe('hello')
  })

  test('have times of their own', async () => {
    symlinkSync('nowhere', at('link'))
    const times = { accessed: 1_000_000_000, modified: 1_100_000_000 }
    const body = PathAttributes.encode({ path: 'link', attributes: attributes({ times }) })
    await client.extended('lsetstat@openssh.com', body)
    expect(lstatSync(at('link')).mtimeMs).toBe(1_100_000_000_000)
  })
})

describe('directories', () => {
  test('are made, listed and removed', async () => {
    await client.ask(MakeDirectory, { path: 'd', attributes: attributes({ mode: 0o700 }) })
    writeFileSync(at('d/one'), 'x')
    chmodSync(at('d/one'), 0o4711)
    symlinkSync('one', at('d/two'))
    const all = await client.list('d')
    expect([...all.keys()].toSorted()).toEqual(['.', '..', 'one', 'two'])
    expect(all.get('one')).toMatch(/^-rws--x--x {3}1 \w+ +\w+ +1 \w{3} [ \d]\d .{5} one$/)
    expect(all.get('two')).toMatch(/^lrwxrwxrwx/)
    await expect(client.ask(RemoveDirectory, { path: 'd' })).rejects.toEqual(
      failing(RESULT.failure),
    )
    await client.ask(Remove, { path: 'd/one' })
    await client.ask(Remove, { path: 'd/two' })
    await client.ask(RemoveDirectory, { path: 'd' })
    expect(existsSync(at('d'))).toBe(false)
  })

  test('of 100,000 entries are listed a hundred at a time, without growing memory', {
    timeout: 120_000,
  }, async () => {
    mkdirSync(at('many'))
    writeFileSync(at('many/0'), '')
    for (let i = 1; i < 100_000; i++) {
      // Links are made faster than files; one inode takes 65,000 of them.
      if (i % 50_000 === 0) writeFileSync(at(`many/${i}`), '')
      else linkSync(at(`many/${i < 50_000 ? 0 : 50_000}`), at(`many/${i}`))
    }
    globalThis.gc?.()
    const before = process.memoryUsage().rss
    let count = 0
    let most = 0
    const { handle } = await import('../../../agent/sftp/packets.ts').then(async p =>
      p.Handle.decode(await client.ask(p.OpenDirectory, { path: 'many' })),
    )
    const { ReadDirectory } = await import('../../../agent/sftp/packets.ts')
    for (;;) {
      const reply = await client.ask(ReadDirectory, { handle }).catch(() => null)
      if (!reply) break
      const { entries } = Names.decode(reply)
      expect(reply.length).toBeLessThan(256 * 1024)
      count += entries.length
      most = Math.max(most, process.memoryUsage().rss - before)
    }
    await client.close(handle)
    expect(count).toBe(100_002)
    expect(most).toBeLessThan(100 * 2 ** 20)
  })

  test('whose entries go while they are listed do not end before the others', async () => {
    mkdirSync(at('d'))
    for (let i = 0; i < 600; i++) writeFileSync(at(`d/${i}`), '')
    const { Handle, OpenDirectory, ReadDirectory } = await import('../../../agent/sftp/packets.ts')
    const { handle } = Handle.decode(await client.ask(OpenDirectory, { path: 'd' }))
    const seen = new Set<string>()
    const read = async () => {
      const { entries } = Names.decode(await client.ask(ReadDirectory, { handle }))
      for (const { name } of entries) seen.add(name)
      return entries.length
    }
    await read()
    // The kernel has told of more than were asked for: of those that come next, in its order.
    const left = readdirSync(at('d')).filter(name => !seen.has(name))
    for (const name of left.slice(0, 150)) rmSync(at(`d/${name}`))
    const counts: number[] = []
    for (;;) {
      const count = await read().catch(() => null)
      if (count === null) break
      counts.push(count)
    }
    expect(counts).not.toContain(0)
    for (const name of left.slice(150)) expect(seen).toContain(name)
    await client.close(handle)
  })

  test('with names that are no UTF-8 are listed, and what they name is removed', async () => {
    const name = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x80])])
    writeFileSync(name, '')
    const odd = Buffer.from([0xff, 0x80]).toString('latin1')
    expect((await client.list('.')).has(odd)).toBe(true)
    await client.ask(Remove, { path: odd })
    expect(existsSync(name)).toBe(false)
  })
})

describe('what is asked beside', () => {
  const reply = async (name: string, body: Uint8Array) =>
    ExtendedReply.decode(await client.extended(name, body)).body

  test('the limits', async () => {
    const limits = Limits.decode(await reply('limits@openssh.com', new Uint8Array(0)))
    expect(limits).toEqual({
      packetMax: 262_144n,
      readMax: 65_536n,
      writeMax: 65_536n,
      handlesMax: 256n,
    })
  })

  test('the room on the file system', async () => {
    for (const [name, body] of [
      ['statvfs@openssh.com', OnePath.encode({ path: folder })],
      [
        'fstatvfs@openssh.com',
        OneHandle.encode({ handle: await client.openFile('x', OPEN.write | OPEN.create) }),
      ],
    ] as const) {
      const { blockSize, blocks } = FileSystem.decode(await reply(name, body))
      expect(blockSize).toBeGreaterThan(0n)
      expect(blocks).toBeGreaterThan(0n)
    }
  })

  test('the names of users and groups', async () => {
    const ids = NumberList.encode({ ids: [0, 4_000_000] })
    const lists = TwoLists.encode({ users: ids, groups: ids })
    const { users, groups } = TwoLists.decode(await reply('users-groups-by-id@openssh.com', lists))
    expect(NameList.decode(users).names).toEqual(['root', '4000000'])
    expect(NameList.decode(groups).names).toEqual(['root', '4000000'])
  })

  test('where paths lead', async () => {
    const real = async (path: string) =>
      Names.decode(await client.ask(RealPath, { path })).entries[0]!.name
    expect(await real('.')).toBe(folder)
    expect(await real('new')).toBe(at('new'))
    await expect(real('new/er')).rejects.toEqual(failing(RESULT.noSuchFile))
    const expanded = await client.extended('expand-path@openssh.com', OnePath.encode({ path: '~' }))
    expect(Names.decode(expanded).entries[0]!.name).toBe(folder)
  })

  test('what nobody knows', async () => {
    await expect(client.extended('nonsense', new Uint8Array(0))).rejects.toEqual(
      failing(RESULT.unsupported),
    )
  })
})

describe('a session', () => {
  test('ends with 0 when the client has said everything, and has closed its files', async () => {
    const other = await SftpClient.open(folder)
    await other.openFile('a', OPEN.write | OPEN.create)
    expect(await other.end()).toBe(0)
  })

  test('ends with 1 on what is no SFTP, and on half a packet', async () => {
    for (const noise of [Buffer.from('GET / HTTP/1.0\r\n\r\n'), randomBytes(5_000)]) {
      const other = await SftpClient.open(folder)
      other.raw(noise)
      expect(await other.end()).toBe(1)
    }
    const other = await SftpClient.open(folder)
    other.raw(Uint8Array.of(0, 0, 0, 9, 5))
    expect(await other.end()).toBe(1)
  })

  test('answers requests that do not fit, are unknown, or name no handle', async () => {
    client.send(Uint8Array.of(Read.type, 0, 0, 0, 7, 0))
    expect(Status.decode(await client.next())).toMatchObject({ id: 7, code: RESULT.badMessage })
    client.send(Uint8Array.of(99, 0, 0, 0, 8))
    expect(Status.decode(await client.next())).toMatchObject({ id: 8, code: RESULT.unsupported })
    await expect(client.close('7')).rejects.toEqual(failing(RESULT.failure))
    await expect(client.ask(LinkStatus, { path: 'no\0where' })).rejects.toThrow()
  })

  test('opens no more than 256 files', async () => {
    const handles: string[] = []
    for (let i = 0; i < 256; i++) handles.push(await client.openFile('a', OPEN.write | OPEN.create))
    await expect(client.openFile('a', OPEN.read)).rejects.toEqual(failing(RESULT.failure))
    for (const handle of handles) await client.close(handle)
    await client.close(await client.openFile('a', OPEN.read))
  })
})
