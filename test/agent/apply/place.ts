/** A device's files and an owner who pushes to them, for the tests of agent/apply. */

import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Applier, type ApplierOptions } from '../../../agent/apply/applier.ts'
import type { Clock } from '../../../src/base/clock.ts'
import { silentLog } from '../../../src/base/log.ts'
import {
  contentId,
  type Release,
  type ReleaseFile,
  signRelease,
} from '../../../src/box/bundle/release.ts'
import { sealForZone } from '../../../src/crypto/sealed.ts'
import { ZoneSecret } from '../../../src/crypto/zone-key.ts'
import { type Disk, realDisk } from '../../../src/sys/disk.ts'
import { seededRandom } from '../../sim/random.ts'
import { keysOf } from '../only-key.ts'

/** What a test wants a file to be. */
export interface Wanted {
  readonly text?: string
  readonly mode?: number
  readonly owner?: string
  readonly secret?: boolean
  readonly absent?: true
}

export class Place {
  readonly top: string
  readonly root: string
  readonly stateDirectory: string
  readonly random = seededRandom(7)
  readonly owner = ZoneSecret.generate('EDKEY', this.random)
  readonly device = ZoneSecret.generate('EDKEY', this.random)
  /** Of the device; rotated where a test wants that. */
  readonly keys = keysOf(this.device)
  readonly clock: Clock
  private sequence = 0

  constructor(clock: Clock, top = mkdtempSync(join(tmpdir(), 'box-apply-'))) {
    this.clock = clock
    this.top = top
    this.root = join(top, 'root')
    this.stateDirectory = join(top, 'state')
    for (const path of [this.root, this.stateDirectory])
      if (!existsSync(path)) mkdirSync(path, { mode: 0o700 })
  }

  /** The engine as a start of the agent makes it; `recover` is still to be called. */
  applier(more: Partial<ApplierOptions> = {}): Applier {
    return new Applier({
      disk: realDisk,
      directory: this.stateDirectory,
      device: this.keys,
      clock: this.clock,
      random: this.random,
      log: silentLog,
      roots: [this.root],
      allows: zone => zone.join() === this.owner.zone.join(),
      ...more,
    })
  }

  path(name: string): string {
    return join(this.root, name)
  }

  put(files: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(this.path(name), '..'), { recursive: true })
      writeFileSync(this.path(name), text, { mode: 0o640 })
    }
  }

  /** A signed release and its contents. */
  release(
    files: Readonly<Record<string, Wanted>>,
    more: Partial<Release> = {},
    signer = this.owner,
  ): { signed: Uint8Array; contents: Uint8Array[] } {
    const contents: Uint8Array[] = []
    const entries = Object.entries(files).map(([name, wanted]): ReleaseFile => {
      const path = name.startsWith('/') ? name : this.path(name)
      if (wanted.absent) return { is: 'absent', path }
      const clear = new TextEncoder().encode(wanted.text ?? '')
      const zone = this.device.zone
      const content = wanted.secret ? sealForZone(zone, clear, this.random) : clear
      contents.push(content)
      const is = wanted.secret ? 'sealed' : 'file'
      const { mode = 0o644, owner = '' } = wanted
      return { is, path, content: contentId(content), size: content.length, mode, owner }
    })
    const release: Release = {
      ...{
        device: this.keys.zone,
        signer: signer.zone,
        sequence: ++this.sequence,
        name: 'test',
      },
      ...{ confirmSeconds: 90, commandSeconds: 10, drift: 'report', files: entries },
      ...{ uci: [], packages: [], before: [], apply: [], after: [], undo: [], reload: [] },
      ...more,
    }
    return { signed: signRelease(release, signer), contents }
  }

  /** Everything below the root: path, mode, content. */
  tree(directory = this.root): Record<string, string> {
    const found: Record<string, string> = {}
    for (const name of readdirSync(directory).toSorted()) {
      const path = join(directory, name)
      const stat = lstatSync(path)
      if (stat.isDirectory()) Object.assign(found, { [path]: 'directory' }, this.tree(path))
      else if (stat.isSymbolicLink()) found[path] = 'link'
      else found[path] = `${(stat.mode & 0o7777).toString(8)} ${readFileSync(path, 'utf8')}`
    }
    return found
  }

  clean(): void {
    rmSync(this.top, { recursive: true, force: true })
  }
}

/** Offers, hands over what is missing, and applies. */
export async function push(
  applier: Applier,
  { signed, contents }: { signed: Uint8Array; contents: readonly Uint8Array[] },
) {
  const { missing } = applier.offer(signed)
  for (const content of contents)
    if (missing.some(id => id.join() === contentId(content).join())) applier.take(content)
  return await applier.apply(signed, () => {})
}

const CHANGES = ['write', 'link', 'rename', 'remove', 'makeDirectory', 'removeDirectory'] as const

/** A disk on which `before` is called ahead of each change; the real one otherwise. */
export function watchedDisk(before: (change: string, path: string) => void): Disk {
  const watched: Record<string, unknown> = { ...realDisk }
  for (const name of [...CHANGES, 'removeTree', 'sync'] as const) {
    const real = realDisk[name] as (...args: unknown[]) => void
    watched[name] = (...args: unknown[]) => {
      before(name, String(args[0]))
      real(...args)
    }
  }
  return watched as unknown as Disk
}

/** What the files are before and after the change that the fault tests interrupt. */
export const OLD_FILES = { a: 'old a', 'sub/b': 'old b', gone: 'old gone' }
export const changedRelease = (place: Place) =>
  place.release(
    {
      ...{ a: { text: 'new a', mode: 0o600 }, 'sub/b': { text: 'new b', secret: true } },
      ...{ gone: { absent: true }, 'deep/er/c': { text: 'c' } },
    },
    { before: ['true'], apply: ['true'], after: ['true'], undo: ['true'] },
  )
