import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import ssh2 from 'ssh2'
import { describe, expect, test } from 'vitest'
import { generateSshKey, readSshKey } from '../../src/box/ssh-key.ts'
import { seededRandom } from '../sim/random.ts'

describe('an SSH key', () => {
  test('comes back as it was made', () => {
    fc.assert(
      fc.property(fc.nat(), fc.stringMatching(/^[a-z@. -]{0,40}$/), (seed, comment) => {
        const key = generateSshKey(seededRandom(seed), comment)
        expect(readSshKey(key.secret)).toEqual(key)
      }),
    )
  })

  test('is one that ssh2 can read, sign with and verify, every time', () => {
    const random = seededRandom(1)
    for (let i = 0; i < 300; i++) {
      const { secret, publicKey } = generateSshKey(random, 'x')
      const read = ssh2.utils.parseKey(secret)
      if (read instanceof Error) throw read
      expect(new Uint8Array(read.getPublicSSH())).toEqual(publicKey)
      const open = ssh2.utils.parseKey(Buffer.from(publicKey))
      if (open instanceof Error) throw open
      expect(open.verify(Buffer.from('x'), read.sign(Buffer.from('x')))).toBe(true)
    }
  })

  test.skipIf(spawnSync('ssh-keygen').error)('is one that ssh-keygen can read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'box-key-'))
    const path = join(directory, 'key')
    const { secret, publicKey } = generateSshKey(seededRandom(2), 'a comment')
    writeFileSync(path, secret, { mode: 0o600 })
    const { stdout } = spawnSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8' })
    rmSync(directory, { recursive: true })
    const blob = Buffer.from(publicKey).toString('base64')
    expect(stdout.trim()).toBe(`ssh-ed25519 ${blob} a comment`)
  })

  test('made by ssh2 is read where ssh2 can read it', () => {
    for (let i = 0; i < 50; i++) {
      const { private: secret } = ssh2.utils.generateKeyPairSync('ed25519')
      const read = ssh2.utils.parseKey(secret)
      const publicKey = read instanceof Error ? undefined : new Uint8Array(read.getPublicSSH())
      expect(readSshKey(secret)?.publicKey).toEqual(publicKey)
    }
  })
})

describe('no SSH key', () => {
  const { secret } = generateSshKey(seededRandom(3), 'x')

  test('comes of a file with a character changed, unless nothing depends on it', () => {
    const open = readSshKey(secret)!.publicKey
    fc.assert(
      fc.property(fc.nat(secret.length - 1), fc.constantFrom(...'ABab01+/=\n -'), (at, other) => {
        const changed = secret.slice(0, at) + other + secret.slice(at + 1)
        const read = readSshKey(changed)
        if (read) expect(read.publicKey).toEqual(open)
      }),
      { numRuns: 500 },
    )
  })

  test('comes of noise, of other kinds of keys, or of encrypted ones', () => {
    fc.assert(
      fc.property(fc.string(), noise => {
        expect(readSshKey(noise)).toBeNull()
      }),
    )
    const rsa = ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 })
    expect(readSshKey(rsa.private)).toBeNull()
    const locked = ssh2.utils.generateKeyPairSync('ed25519', {
      passphrase: 'x',
      cipher: 'aes256-ctr',
      rounds: 1,
    })
    expect(readSshKey(locked.private)).toBeNull()
  })
})
