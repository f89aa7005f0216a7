/**
 * Signs the executables in dist/bundle, for `box-agent upgrade`.
 *
 *     node dist/deploy/release.js --new-key FILE     makes a key, and prints what to pin
 *     node dist/deploy/release.js --key FILE         one release file for each executable
 */

import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { VERSION } from '../src/base/version.ts'
import { releaseHead } from '../src/box/executable-release.ts'
import { SigningKey } from '../src/crypto/signing.ts'
import { MACHINES } from './runtime.ts'

const OUT = join(import.meta.dirname, '..', 'bundle')

const { values } = parseArgs({
  options: { key: { type: 'string' }, 'new-key': { type: 'string' } },
})
if (values['new-key']) {
  const seed = randomBytes(32)
  writeFileSync(values['new-key'], `${seed.toString('hex')}\n`, { mode: 0o600, flag: 'wx' })
  const { publicKey } = SigningKey.fromSeed(seed)
  process.stdout.write(`${Buffer.from(publicKey).toString('hex')}\n`)
} else {
  if (!values.key) throw new Error('say --key FILE')
  sign(readKey(values.key))
}

function readKey(file: string): SigningKey {
  const text = readFileSync(file, 'utf8').trim()
  if (!/^[0-9a-f]{64}$/.test(text)) throw new Error(`${file} holds no key`)
  return SigningKey.fromSeed(Buffer.from(text, 'hex'))
}

function sign(key: SigningKey): void {
  for (const machine of MACHINES) {
    const executable = join(OUT, machine, 'box')
    if (!existsSync(executable)) continue
    const content = readFileSync(executable)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const manifest = { format: 1, version: VERSION, machine, size: content.length, sha256 } as const
    const path = join(OUT, `secushare-box-${VERSION}-${machine}.release`)
    writeFileSync(path, Buffer.concat([releaseHead(manifest, key), content]))
    process.stdout.write(`${sha256}  ${path}\n`)
  }
}
