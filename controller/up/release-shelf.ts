/**
 * Releases that were handed to `box up` to be brought to devices: in files of its state directory for as long as they
 * may be wanted, and never longer than it runs. A release is looked at while it comes: of one that is none, no more is
 * taken, and one that is not whole, or not what its head says, is thrown away. Whether it is signed by a key that they
 * know, is for the devices to say.
 */

import { createHash, type Hash } from 'node:crypto'
import { mkdirSync, rmSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import type { Timer } from '../../src/base/clock.ts'
import { BoxError } from '../../src/base/errors.ts'
import {
  EXECUTABLE_BYTES_MAX,
  HEAD_MAX,
  type ReleaseHead,
  readReleaseHead,
  releaseRefused,
} from '../../src/box/executable-release.ts'
import { attempt } from '../../src/sys/file-store.ts'
import { encodeBase32 } from '../../src/wire/base32.ts'
import type { Context } from '../context.ts'
import { ReleaseFile, type Releases } from '../upgrade/releases.ts'
import { inTheWay } from './line-answer.ts'

/** Hidden, so in no backup. */
const DIRECTORY = '.releases'
/** One for each kind of machine in a fleet, half a gigabyte each at most. */
const RELEASES_MAX = 4
export const RELEASE_BYTES_MAX = HEAD_MAX + EXECUTABLE_BYTES_MAX
/** Somebody looks at the plan, and tries again where some were off. */
const KEPT_MS = 60 * 60_000
const ID_BYTES = 8

interface Shelved {
  readonly id: string
  readonly file: ReleaseFile
  uses: number
  timer: Timer | null
  /** Milliseconds since 1970. */
  expiresAt: number
}

export class ReleaseShelf {
  private readonly context: Context
  private readonly directory: string
  private readonly shelved = new Map<string, Shelved>()
  private arriving = 0

  /** Takes away what a process before has left. */
  constructor(context: Context) {
    this.context = context
    this.directory = join(context.state.directory, DIRECTORY)
    rmSync(this.directory, { recursive: true, force: true })
  }

  /** Keeps what comes. Fails with RELEASE_REFUSED, STATE_UNWRITABLE, API_REFUSED where there are too many, and as `body`. */
  async take(body: AsyncIterable<Uint8Array>) {
    if (this.shelved.size + this.arriving >= RELEASES_MAX)
      throw inTheWay(`${RELEASES_MAX} releases are here already: take one away first.`)
    this.arriving += 1
    const id = encodeBase32(this.context.random.bytes(ID_BYTES))
    const path = this.pathOf(id)
    try {
      await this.write(path, body)
      const one: Shelved = { id, file: new ReleaseFile(path), uses: 0, timer: null, expiresAt: 0 }
      this.shelved.set(id, one)
      this.keep(one)
      return shelvedValue(one)
    } catch (error) {
      rmSync(path, { force: true })
      throw error
    } finally {
      this.arriving -= 1
    }
  }

  all() {
    return [...this.shelved.values()].map(shelvedValue)
  }

  /** Throws INPUT_INVALID where there is none of this name, API_REFUSED where it is being brought. */
  remove(id: string) {
    const one = this.mustFind(id)
    if (one.uses > 0) throw inTheWay('It is being brought to devices.')
    this.drop(one)
    return shelvedValue(one)
  }

  /** These, which stay until they are given back. Throws INPUT_INVALID. */
  lend(ids: readonly string[]): { readonly releases: Releases; giveBack(): void } {
    const all = ids.map(id => this.mustFind(id))
    const releases = new Map(all.map(({ file }) => [file.manifest.machine, file]))
    if (releases.size < all.length)
      throw new BoxError('INPUT_INVALID', 'Two of the releases are for the same kind of machine.')
    for (const one of all) {
      one.uses += 1
      one.timer?.cancel()
    }
    const giveBack = () => {
      for (const one of all) {
        one.uses -= 1
        if (one.uses === 0) this.keep(one)
      }
    }
    return { releases, giveBack }
  }

  close(): void {
    for (const { timer } of this.shelved.values()) timer?.cancel()
    this.shelved.clear()
    rmSync(this.directory, { recursive: true, force: true })
  }

  private async write(path: string, body: AsyncIterable<Uint8Array>): Promise<void> {
    attempt('STATE_UNWRITABLE', path, () =>
      mkdirSync(this.directory, { mode: 0o700, recursive: true }),
    )
    const file = await unwritable(path, open(path, 'wx', 0o600))
    try {
      const check = new ReleaseCheck()
      for await (const piece of body) {
        check.add(piece)
        await unwritable(path, file.writeFile(piece))
      }
      check.end()
    } finally {
      await file.close()
    }
  }

  private keep(one: Shelved): void {
    const { clock } = this.context
    one.expiresAt = clock.now() + KEPT_MS
    one.timer = clock.after(KEPT_MS, () => this.drop(one))
  }

  private drop(one: Shelved): void {
    one.timer?.cancel()
    this.shelved.delete(one.id)
    rmSync(this.pathOf(one.id), { force: true })
  }

  private mustFind(id: string): Shelved {
    const one = this.shelved.get(id)
    if (one) return one
    throw new BoxError('INPUT_INVALID', 'There is no such release here, or not any more.')
  }

  private pathOf(id: string): string {
    return join(this.directory, `${id}.release`)
  }
}

function shelvedValue({ id, file, expiresAt }: Shelved) {
  const { version, machine, size, sha256 } = file.manifest
  const expires_at = new Date(expiresAt).toISOString()
  return { ...{ id, version, machine, size, sha256 }, expires_at }
}

/** Looks at a release piece by piece. */
class ReleaseCheck {
  private first: Uint8Array = new Uint8Array(0)
  private head: ReleaseHead | null = null
  private readonly hash: Hash = createHash('sha256')
  private size = 0

  /** Throws RELEASE_REFUSED as soon as it is none. */
  add(piece: Uint8Array): void {
    if (this.head) {
      this.body(this.head, piece)
      return
    }
    this.first = new Uint8Array(Buffer.concat([this.first, piece]))
    if (this.first.length >= HEAD_MAX) this.begin()
  }

  end(): void {
    const { manifest } = this.head ?? this.begin()
    if (this.size < manifest.size) throw releaseRefused('It is not whole')
    if (this.hash.digest('hex') !== manifest.sha256)
      throw releaseRefused('It is damaged: it is not what its head says')
  }

  private begin(): ReleaseHead {
    const head = readReleaseHead(this.first)
    this.head = head
    this.body(head, this.first.subarray(head.size))
    return head
  }

  private body({ manifest }: ReleaseHead, piece: Uint8Array): void {
    this.size += piece.length
    if (this.size > manifest.size) throw releaseRefused('It is longer than its head says')
    this.hash.update(piece)
  }
}

async function unwritable<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new BoxError('STATE_UNWRITABLE', `${path}: ${code}.`, cause)
  }
}
