/** Executables and releases as small as they can be, and a machine that has one installed. */

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher, TRIES_MAX } from '../../agent/launcher.ts'
import { releaseHead } from '../../src/box/executable-release.ts'
import { SigningKey } from '../../src/crypto/signing.ts'
import { scratchDirectory } from '../sys/scratch.ts'

export const KEY = SigningKey.fromSeed(new Uint8Array(32).fill(7))

/** Stands for the executable: says its version, and runs, or crashes when it is to run. */
export const executable = (version: string, runs = true) =>
  `#!/bin/sh\ncase "$2" in --version) echo ${version} ;; *) ${runs ? `echo running ${version}` : 'kill -SEGV $$'} ;; esac\n`

/** A machine on which version 1.0.0 was installed. */
export function machine(directory = join(scratchDirectory(), 'secushare-box'), first = '1.0.0') {
  mkdirSync(join(directory, first), { recursive: true })
  writeFileSync(join(directory, first, 'box'), executable(first), { mode: 0o755 })
  symlinkSync(first, join(directory, 'current'))
  writeFileSync(join(directory, 'start'), launcher(), { mode: 0o755 })
  /** What a start says; the service manager would start it again where it fails. */
  const start = () => spawnSync(join(directory, 'start'), ['run'], { encoding: 'utf8' }).stdout
  /** How often it has to be started until something runs. */
  const running = () => {
    for (let starts = 1; starts <= TRIES_MAX + 1; starts++) {
      const said = start()
      if (said.startsWith('running')) return { said: said.trim(), starts }
    }
    return null
  }
  return { directory, start, running }
}

export interface Wish {
  readonly content?: string | Uint8Array
  readonly machine?: string
  readonly key?: SigningKey
  /** Where to write it. */
  readonly path?: string
}

/** A release file of a version. */
export function releaseFile(
  version: string,
  { content, machine: wanted = 'linux-x64', key = KEY, path }: Wish = {},
) {
  const bytes = Buffer.from(content ?? executable(version))
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const manifest = { format: 1, version, machine: wanted, size: bytes.length, sha256 } as const
  const to = path ?? join(scratchDirectory(), `${version}.release`)
  writeFileSync(to, Buffer.concat([releaseHead(manifest, key), bytes]))
  return to
}
