/** The files of one side of a copy, here or on a device, as far as copying needs them. */

import { chmod, lstat, mkdir, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises'
import type { Attributes, SFTPWrapper, Stats } from 'ssh2'
import { BoxError } from '../src/base/errors.ts'

export interface Looks {
  readonly kind: 'file' | 'directory' | 'other'
  readonly size: number
  readonly mode: number
  /** Seconds since 1970. */
  readonly accessed: number
  readonly modified: number
}

export interface FileSide {
  /** Null where there is nothing. Links are followed. */
  look(path: string): Promise<Looks | null>
  list(path: string): Promise<readonly string[]>
  makeDirectory(path: string): Promise<void>
  /** Puts a finished file in the place of another, or of none. */
  replace(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  setMode(path: string, mode: number): Promise<void>
  setTimes(path: string, accessed: number, modified: number): Promise<void>
  /** Where links lead. */
  real(path: string): Promise<string>
}

/** Requests on their way at once: enough for a slow line of 100 ms, and a megabyte at most. */
export const CONCURRENCY = 32
export const CHUNK = 32_768
/** Nobody has directories as deep; a link that leads to its own directory has. */
export const DEPTH_MAX = 64
export const MODE_BITS = 0o7777

export const localFiles: FileSide = {
  look: async path => {
    const found = await stat(path).catch(absent)
    if (!found) return null
    return {
      kind: found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other',
      size: found.size,
      mode: found.mode & MODE_BITS,
      accessed: found.atimeMs / 1_000,
      modified: found.mtimeMs / 1_000,
    }
  },
  list: path => readdir(path).catch(unusable(path)),
  makeDirectory: path => mkdir(path).catch(unusable(path)),
  replace: (from, to) => rename(from, to).catch(unusable(to)),
  remove: path => rm(path, { force: true }).catch(unusable(path)),
  setMode: (path, mode) => chmod(path, mode).catch(unusable(path)),
  setTimes: (path, accessed, modified) => utimes(path, accessed, modified).catch(unusable(path)),
  real: async path => ((await lstat(path).catch(absent)) ? await realpath(path) : path),
}

/** Those of a device. */
export function remoteFiles(sftp: SFTPWrapper): FileSide {
  const ask = <T>(path: string, begin: (done: (error: unknown, value: T) => void) => void) =>
    new Promise<T>((resolve, reject) =>
      begin((error, value) => (error ? reject(error) : resolve(value))),
    ).catch(unusable(`the device's ${path}`))
  const done = (path: string, begin: (done: (error: unknown) => void) => void) =>
    ask<void>(path, finish => begin(error => finish(error, undefined)))
  return {
    look: async path => {
      const found = await new Promise<Stats | null>((resolve, reject) =>
        sftp.stat(path, (error, stats) => (error ? reject(error) : resolve(stats))),
      ).catch(absent)
      if (!found) return null
      return {
        kind: found.isFile() ? 'file' : found.isDirectory() ? 'directory' : 'other',
        size: found.size,
        mode: found.mode & MODE_BITS,
        accessed: found.atime,
        modified: found.mtime,
      }
    },
    list: async path => {
      const entries = await ask<{ filename: string }[]>(path, finish => sftp.readdir(path, finish))
      return entries.map(({ filename }) => filename).filter(name => !/^\.\.?$/.test(name))
    },
    makeDirectory: path => done(path, finish => sftp.mkdir(path, finish)),
    replace: (from, to) => done(to, finish => sftp.ext_openssh_rename(from, to, finish)),
    remove: path => done(path, finish => sftp.unlink(path, finish)),
    setMode: (path, mode) =>
      done(path, finish => sftp.setstat(path, { mode } as Attributes, finish)),
    setTimes: (path, accessed, modified) =>
      done(path, finish => sftp.utimes(path, accessed, modified, finish)),
    real: path =>
      new Promise(resolve => {
        sftp.realpath(path, (error, found) => resolve(error ? path : found))
      }),
  }
}

/** ENOENT, and SFTP's code for the same. */
const NO_SUCH_FILE = 2

function absent(error: unknown): null {
  const { code } = error as { code?: unknown }
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === NO_SUCH_FILE) return null
  throw unusable('It')(error)
}

export const unusable =
  (path: string) =>
  (cause: unknown): never => {
    if (cause instanceof BoxError) throw cause
    const { message } = cause as Error
    throw new BoxError('FILE_UNUSABLE', `${path}: ${message.replace(/,.*$/s, '')}.`, cause)
  }
