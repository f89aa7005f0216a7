/** A release of the executable as a file (src/box/executable-release.ts), and the keys that are pinned here. */

import { createHash } from 'node:crypto'
import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs'
import { BoxError } from '../src/base/errors.ts'
import {
  HEAD_MAX,
  type Manifest,
  openReleaseHead,
  releaseRefused as refused,
} from '../src/box/executable-release.ts'

/** Set by deploy/script.ts in builds for others; in hexadecimal. */
declare const RELEASE_KEY: string | undefined

/** Whoever builds for themselves pins their own key here: 64 hexadecimal digits, a line each. */
export const OWN_KEYS_FILE = '/etc/secushare-box/release-keys'

const CHUNK = 1024 * 1024

/** The keys whose releases are taken: that of the build, and those of the machine's owner. */
export function pinnedKeys(file = OWN_KEYS_FILE): readonly Uint8Array[] {
  let own = ''
  try {
    own = readFileSync(file, 'utf8')
  } catch {
    // The owner pins none.
  }
  const built = typeof RELEASE_KEY === 'undefined' ? '' : RELEASE_KEY
  return `${built}\n${own}`
    .split('\n')
    .map(line => line.trim())
    .filter(line => /^[0-9a-f]{64}$/i.test(line))
    .map(line => Uint8Array.from(Buffer.from(line, 'hex')))
}

/** A release file, opened and found to be signed. */
export interface Release {
  readonly manifest: Manifest
  /**
   * Writes the executable to `path` and brings it to the disk. Throws RELEASE_REFUSED where it is not the
   * one that was signed.
   */
  unpack(path: string): void
  close(): void
}

/** Opens a release file. Throws STATE_UNREADABLE, RELEASE_REFUSED. */
export function openRelease(path: string, keys: readonly Uint8Array[]): Release {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (cause) {
    throw new BoxError('STATE_UNREADABLE', `${path}: ${(cause as NodeJS.ErrnoException).code}.`)
  }
  try {
    const bytes = new Uint8Array(HEAD_MAX)
    const { manifest, size } = openReleaseHead(
      bytes.subarray(0, readSync(file, bytes, 0, HEAD_MAX, 0)),
      keys,
    )
    return {
      manifest,
      unpack: to => unpack(file, size, manifest, to),
      close: () => closeSync(file),
    }
  } catch (error) {
    closeSync(file)
    throw error
  }
}

function unpack(file: number, start: number, { size, sha256 }: Manifest, path: string): void {
  if (fstatSync(file).size !== start + size) throw refused('It is not whole')
  const hash = createHash('sha256')
  const out = openSync(path, 'wx', 0o755)
  try {
    const chunk = Buffer.alloc(CHUNK)
    for (let at = 0; at < size; ) {
      const got = readSync(file, chunk, 0, Math.min(CHUNK, size - at), start + at)
      if (got === 0) throw refused('It is not whole')
      hash.update(chunk.subarray(0, got))
      for (let written = 0; written < got; )
        written += writeSync(out, chunk, written, got - written)
      at += got
    }
    fsyncSync(out)
  } finally {
    closeSync(out)
  }
  if (hash.digest('hex') !== sha256) throw refused('It was changed on the way')
}
