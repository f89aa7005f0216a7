/**
 * The part of the file system that a session may reach: all of it, or what lies below the directories its
 * grant names, wherever symbolic links would lead.
 *
 * A path is checked and used while what it leads to is held open (as /proc/self/fd/N), so that nobody can
 * put a link in its place between the two.
 */

import { constants } from 'node:fs'
import { type FileHandle, open, readlink, realpath } from 'node:fs/promises'
import { posix } from 'node:path'

/** Linux: a descriptor that stands for the file and opens nothing (open(2)). Missing from Node's constants. */
const O_PATH = 0o10000000
const { O_NOFOLLOW, O_DIRECTORY } = constants

/** Outside of what the grant allows. */
export class OutsideError extends Error {
  override readonly name = 'OutsideError'

  constructor(path: string) {
    super(`your grant does not reach ${path}`)
  }
}

/** A path as the file system takes it. */
export interface Spot {
  readonly path: Buffer
  /** Must be called when the path has been used. */
  readonly release: () => Promise<void>
}

/** File names are texts of one character a byte. */
export const onDisk = (path: string): Buffer => Buffer.from(path, 'latin1')
const fromDisk = (path: Buffer): string => path.toString('latin1')

export class Region {
  /** Where relative paths begin. */
  readonly start: string
  /** Without links; null: everywhere. */
  private readonly roots: readonly string[] | null
  /** As the grant has them. */
  private readonly named: readonly string[]

  private constructor(
    start: string,
    roots: readonly string[] | null,
    named: readonly string[] = [],
  ) {
    this.start = start
    this.roots = roots
    this.named = named
  }

  /** `paths` are those of the grant, as UTF-8; null is everywhere. `home` is where to start, if it may. */
  static async open(home: string, paths: readonly string[] | null): Promise<Region> {
    const bytes = (path: string) => Buffer.from(path, 'utf8').toString('latin1')
    const start = bytes(home)
    if (paths === null) return new Region(start, null)
    const named = paths.map(bytes)
    const roots = await Promise.all(named.map(path => real(path).catch(() => path)))
    const region = new Region(start, roots, named)
    const inside = region.includes(await real(start).catch(() => start))
    return inside ? region : new Region(roots[0] ?? '/', roots, named)
  }

  /** Whether some of the file system is out of reach. */
  get isNarrow(): boolean {
    return this.roots !== null
  }

  /** The path from the root, `.` and `..` taken out as far as that can be done without looking. */
  absolute(path: string): string {
    return posix.resolve(this.start, path)
  }

  /** What a path leads to in the end. Throws OutsideError, or the error of the system. */
  async object(path: string): Promise<Spot> {
    const absolute = this.whole(path)
    if (!this.roots) return { path: onDisk(absolute), release: nothing }
    const held = await this.hold(absolute, await this.real(absolute), 0)
    return this.checked(held, absolute, null)
  }

  /** A name in a directory, whatever it leads to; it may not exist. Throws as `object`. */
  async entry(path: string): Promise<Spot> {
    const absolute = this.whole(path)
    if (!this.roots) return { path: onDisk(absolute), release: nothing }
    const normal = posix.resolve(absolute)
    const directory = await this.real(posix.dirname(normal))
    const held = await this.hold(absolute, directory, O_DIRECTORY)
    return this.checked(held, absolute, posix.basename(normal))
  }

  /** The path without links; its last name may be missing. Throws as `object`. */
  async resolve(path: string): Promise<string> {
    const absolute = this.whole(path)
    const found = await this.real(absolute).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error
      const normal = posix.resolve(absolute)
      return posix.join(await this.real(posix.dirname(normal)), posix.basename(normal))
    })
    if (!this.includes(found)) throw new OutsideError(absolute)
    return found
  }

  /** Throws OutsideError where a symbolic link with this text would lead out. */
  checkTarget(target: string, link: string): void {
    const leads = posix.resolve(posix.dirname(this.absolute(link)), target)
    if (!this.includes(leads)) throw new OutsideError(leads)
  }

  /** From the root, but with `..` left to the file system, which knows where links lead. */
  private whole(path: string): string {
    return path.startsWith('/') ? path : posix.join(this.start, '/') + path
  }

  private hold(asked: string, path: string, flags: number): Promise<FileHandle> {
    return this.discreetly(asked, open(onDisk(path), O_PATH | O_NOFOLLOW | flags))
  }

  private real(path: string): Promise<string> {
    return this.discreetly(path, real(path))
  }

  /** Says of what is out of reach nothing but that: not whether it exists. */
  private async discreetly<T>(path: string, found: Promise<T>): Promise<T> {
    try {
      return await found
    } catch (error) {
      const normal = posix.resolve(path)
      if (this.includes(normal) || isBelow(normal, this.named)) throw error
      throw new OutsideError(path)
    }
  }

  /** What is held open, or a name in it. */
  private async checked(held: FileHandle, asked: string, name: string | null): Promise<Spot> {
    try {
      const fd = `/proc/self/fd/${held.fd}`
      const place = fromDisk(await readlink(fd, 'buffer'))
      if (!this.includes(posix.join(place, name ?? ''))) throw new OutsideError(asked)
      const path = name === null ? fd : `${fd}/${name || '.'}`
      return { path: onDisk(path), release: () => held.close() }
    } catch (error) {
      await held.close()
      throw error
    }
  }

  private includes(path: string): boolean {
    return !this.roots || isBelow(path, this.roots)
  }
}

const isBelow = (path: string, roots: readonly string[]): boolean =>
  roots.some(root => path === root || path.startsWith(posix.join(root, '/')))

const real = async (path: string): Promise<string> =>
  fromDisk(await realpath(onDisk(path), { encoding: 'buffer' }))

const nothing = async (): Promise<void> => {}
