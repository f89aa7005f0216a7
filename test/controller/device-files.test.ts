import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, SFTPWrapper } from 'ssh2'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DeviceFiles } from '../../controller/device-files.ts'
import { WHOLE_SCOPE } from '../../src/box/scope.ts'
import { systemRandom } from '../../src/sys/random.ts'
import { login, newServer } from '../agent/ssh-fixture.ts'

const signal = new AbortController().signal
const sftpOf = (client: Client) =>
  new Promise<SFTPWrapper>((resolve, reject) =>
    client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))),
  )

let place = ''
let inside = ''
let client: Client
let files: DeviceFiles

/** The grant reaches one directory, beside which there are others. */
beforeAll(async () => {
  place = mkdtempSync(join(tmpdir(), 'box-grant-'))
  inside = join(place, 'inside')
  mkdirSync(inside)
  writeFileSync(join(place, 'outside'), 'not yours')
  const scope = () => ({ ...WHOLE_SCOPE, paths: [inside] })
  client = await login(newServer(), { scope })
  files = new DeviceFiles(await sftpOf(client), systemRandom)
})
afterAll(() => {
  client.end()
  rmSync(place, { recursive: true })
})

async function* pieces(...texts: string[]) {
  for (const text of texts) yield new TextEncoder().encode(text)
}

describe('outside of the grant', () => {
  const refusal = { code: 'NOT_PERMITTED', message: expect.stringContaining('your grant does not') }

  test('nothing is listed, looked at, read, made, renamed or removed, and it is said why', async () => {
    const path = join(place, 'outside')
    const made = join(place, 'new')
    const mine = join(inside, 'mine')
    writeFileSync(mine, 'mine')
    const replaces = { replaces: true }
    for (const [what, attempt] of Object.entries({
      real: () => files.real(path),
      look: () => files.look(path),
      list: () => files.list(place),
      open: () => files.opened(path),
      write: () => files.put(path, pieces('x'), { replaces: true, mode: null }),
      create: () => files.put(made, pieces('x'), { replaces: false, mode: null }),
      directory: () => files.makeDirectory(made),
      'rename out': () => files.rename(mine, made, replaces),
      'rename in': () => files.rename(path, join(inside, 'stolen'), replaces),
      remove: () => files.remove(path, { isDeep: true, signal }),
    }))
      await expect(attempt(), what).rejects.toMatchObject(refusal)
    expect(readdirSync(place).sort()).toEqual(['inside', 'outside'])
    expect(readFileSync(path, 'utf8')).toBe('not yours')
    expect(readFileSync(mine, 'utf8')).toBe('mine')
  })
})

describe('a file', () => {
  test('is written in its order, however it comes in pieces, and read again', async () => {
    const path = join(inside, 'pieces')
    const all = Array.from({ length: 500 }, (_, i) => `${i},`.repeat(i % 300))
    expect(await files.put(path, pieces(...all), { replaces: false, mode: 0o600 })).toBe(path)
    expect(readFileSync(path, 'utf8')).toBe(all.join(''))
    const file = await files.opened(path)
    let text = ''
    for await (const piece of files.read(file, 3, file.looks.size))
      text += new TextDecoder().decode(piece)
    expect(text).toBe(all.join('').slice(3))
    await files.close(file)
  })

  test('is as it was, and nothing beside it, where what was to replace it fails', async () => {
    const path = join(inside, 'kept')
    writeFileSync(path, 'old')
    const failing = (async function* () {
      yield* pieces('new')
      throw new Error('it broke off')
    })()
    const put = files.put(path, failing, { replaces: true, mode: null })
    await expect(put).rejects.toThrow('it broke off')
    expect(readFileSync(path, 'utf8')).toBe('old')
    expect(readdirSync(inside).filter(name => name.startsWith('.box-part'))).toEqual([])
  })

  test('that becomes shorter while it is read is not given out as whole', async () => {
    const path = join(inside, 'shrinks')
    writeFileSync(path, Buffer.alloc(4_000_000))
    const file = await files.opened(path)
    const read = async () => {
      let count = 0
      for await (const piece of files.read(file, 0, file.looks.size)) {
        if (count === 0) truncateSync(path, 10)
        count += piece.length
      }
    }
    await expect(read()).rejects.toMatchObject({ code: 'FILE_UNUSABLE' })
    await files.close(file)
  })

  test('is never replaced by a directory, nor a directory by a file', async () => {
    const path = join(inside, 'directory')
    await files.makeDirectory(path)
    await expect(
      files.put(path, pieces('x'), { replaces: true, mode: null }),
    ).rejects.toMatchObject({ code: 'FILE_UNUSABLE' })
    expect(existsSync(path)).toBe(true)
  })
})

test('of a directory with more than is ever listed the first are listed, and all are removed', {
  timeout: 120_000,
}, async () => {
  const path = join(inside, 'many')
  mkdirSync(path)
  for (let i = 0; i < 5_200; i++) writeFileSync(join(path, `${i}`), '')
  const { files: some, isWhole } = await files.list(path)
  expect(isWhole).toBe(false)
  expect(some.length).toBeGreaterThanOrEqual(5_000)
  await files.remove(path, { isDeep: true, signal })
  expect(existsSync(path)).toBe(false)
})

test('whatever is asked when the connection is gone fails as lost', async () => {
  const other = await login(newServer())
  const theirs = new DeviceFiles(await sftpOf(other), systemRandom)
  const file = await theirs.opened('/etc/passwd')
  const asked = theirs.list('/')
  other.destroy()
  await expect(asked).rejects.toMatchObject({ code: 'CHANNEL_LOST' })
  await expect(theirs.list('/')).rejects.toMatchObject({ code: 'CHANNEL_LOST' })
  await expect(theirs.close(file)).rejects.toMatchObject({ code: 'CHANNEL_LOST' })
})
