/** What a client has open: files, and directories that are being read. */

import type { Dir } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { Spot } from './region.ts'

/** What mounts and graphical clients keep open at once; one descriptor each, two for a directory. */
export const HANDLES_MAX = 256

export interface OpenFile {
  readonly is: 'file'
  readonly file: FileHandle
  readonly appends: boolean
}

export interface OpenDirectory {
  readonly is: 'directory'
  readonly directory: Dir
  readonly spot: Spot
  /** Whether `.` and `..` have been listed. */
  begun: boolean
}

export type Opened = OpenFile | OpenDirectory

export class Handles {
  private readonly opened = new Map<string, Opened>()
  private next = 0

  get isFull(): boolean {
    return this.opened.size >= HANDLES_MAX
  }

  /** The name by which the client asks for it from now on; never used twice. */
  add(one: Opened): string {
    const handle = `${this.next++}`
    this.opened.set(handle, one)
    return handle
  }

  find(handle: string): Opened | null {
    return this.opened.get(handle) ?? null
  }

  /** False where there is no such handle. Fails as the file system does, and has closed it then, too. */
  async close(handle: string): Promise<boolean> {
    const one = this.opened.get(handle)
    if (!one) return false
    this.opened.delete(handle)
    if (one.is === 'file') await one.file.close()
    else await Promise.all([one.directory.close(), one.spot.release()])
    return true
  }

  /** Closes all, without a word. */
  async clear(): Promise<void> {
    const handles = [...this.opened.keys()]
    await Promise.all(handles.map(handle => this.close(handle).catch(() => {})))
  }
}
