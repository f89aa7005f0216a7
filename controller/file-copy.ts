/**
 * Copies files and trees between here and a device. Each file is complete under another name before it
 * takes the place of the old one: a copy that breaks off leaves no half file under the right name.
 */

import { posix } from 'node:path'
import type { SFTPWrapper } from 'ssh2'
import { BoxError } from '../src/base/errors.ts'
import {
  CHUNK,
  CONCURRENCY,
  DEPTH_MAX,
  type FileSide,
  type Looks,
  localFiles,
  remoteFiles,
  unusable,
} from './file-side.ts'

const PART = '.box-part'

export interface CopyOptions {
  readonly sftp: SFTPWrapper
  /** Whether the sources are on the device. */
  readonly fromDevice: boolean
  readonly recursive: boolean
  /** Keeps modes and times. */
  readonly preserve: boolean
  /** Told what is being copied. */
  readonly doing: (path: string, done: number, size: number) => void
}

export interface Copied {
  files: number
  bytes: number
}

export class FileCopy {
  readonly copied: Copied = { files: 0, bytes: 0 }
  private readonly options: CopyOptions
  private readonly from: FileSide
  private readonly to: FileSide

  constructor(options: CopyOptions) {
    this.options = options
    const device = remoteFiles(options.sftp)
    this.from = options.fromDevice ? device : localFiles
    this.to = options.fromDevice ? localFiles : device
  }

  /** Copies all `sources` to `target`: into it, where it is a directory. Fails with FILE_UNKNOWN, FILE_UNUSABLE. */
  async copy(sources: readonly string[], target: string): Promise<Copied> {
    const into = (await this.to.look(target || '.'))?.kind === 'directory'
    if (sources.length > 1 && !into)
      throw new BoxError('INPUT_INVALID', `Several files need a directory, and ${target} is none.`)
    for (const source of sources) {
      const name = posix.basename(posix.resolve('/', source))
      await this.one(source, into ? posix.join(target || '.', name) : target, 0)
    }
    return this.copied
  }

  private async one(source: string, target: string, depth: number): Promise<void> {
    const looks = await this.from.look(source)
    if (!looks) throw new BoxError('FILE_UNKNOWN', `${source} does not exist.`)
    if (depth > DEPTH_MAX) throw new BoxError('FILE_UNUSABLE', `${source} lies too deep.`)
    if (looks.kind === 'directory') await this.directory(source, target, looks, depth)
    else if (looks.kind === 'file') await this.file(source, target, looks)
    else throw new BoxError('FILE_UNUSABLE', `${source} is neither a file nor a directory.`)
  }

  private async directory(source: string, target: string, looks: Looks, depth: number) {
    if (!this.options.recursive)
      throw new BoxError('INPUT_INVALID', `${source} is a directory: give --recursive.`)
    if ((await this.to.look(target))?.kind !== 'directory') await this.to.makeDirectory(target)
    for (const name of await this.from.list(source))
      await this.one(posix.join(source, name), posix.join(target, name), depth + 1)
    if (this.options.preserve) await this.keepLooks(target, looks)
  }

  private async file(source: string, asked: string, looks: Looks): Promise<void> {
    const target = await this.to.real(asked)
    const old = await this.to.look(target)
    const part = `${target}${PART}`
    try {
      await this.transfer(source, part, looks)
      if (this.options.preserve) await this.keepLooks(part, looks)
      else await this.to.setMode(part, old?.mode ?? looks.mode & 0o777)
      await this.to.replace(part, target)
    } catch (error) {
      await this.to.remove(part).catch(() => {})
      throw error
    }
    this.copied.files++
    this.copied.bytes += looks.size
  }

  private async keepLooks(path: string, { mode, accessed, modified }: Looks): Promise<void> {
    await this.to.setMode(path, mode)
    await this.to.setTimes(path, accessed, modified)
  }

  private transfer(source: string, target: string, { size, mode }: Looks): Promise<void> {
    const { sftp, fromDevice, doing } = this.options
    const step = (done: number) => doing(source, done, size)
    const options = { concurrency: CONCURRENCY, chunkSize: CHUNK, mode: mode & 0o700, step }
    step(0)
    return new Promise<void>((resolve, reject) => {
      const done = (error: Error | undefined | null) => (error ? reject(error) : resolve())
      if (fromDevice) sftp.fastGet(source, target, options, done)
      else sftp.fastPut(source, target, options, done)
    }).catch(unusable(target))
  }
}
