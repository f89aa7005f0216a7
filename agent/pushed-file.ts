/**
 * A file of JSON beside agent.json that a bundle may push. It is read again when it changes; while something is wrong
 * with it, what it said before holds, and `fault` says what.
 */

import { readFileSync, statSync } from 'node:fs'
import { BoxError, type ErrorCode } from '../src/base/errors.ts'

const FILE_SIZE_MAX = 64 * 1_024

export interface PushedFileOptions<T> {
  readonly path: string
  /** What holds where there is no file. */
  readonly none: T
  /** Throws a BoxError where the value is not right. */
  readonly read: (value: unknown) => T
  /** Of a file that is no JSON at all. */
  readonly code: ErrorCode
}

export class PushedFile<T> {
  private readonly options: PushedFileOptions<T>
  private seen = ''
  private said: T
  /** What is wrong with the file; null: nothing. */
  fault: string | null = null

  constructor(options: PushedFileOptions<T>) {
    this.options = options
    this.said = options.none
  }

  /** What it says now. */
  value(): T {
    const { path, none } = this.options
    const mark = markOf(path)
    if (mark === this.seen) return this.said
    this.seen = mark
    try {
      this.said = mark === '' ? none : this.read()
      this.fault = null
    } catch (error) {
      if (!(error instanceof BoxError)) throw error
      this.fault = `${path}: ${error.detail}`
    }
    return this.said
  }

  private read(): T {
    const { path, read, code } = this.options
    let value: unknown
    try {
      const text = readFileSync(path, 'utf8')
      if (text.length > FILE_SIZE_MAX) throw new BoxError(code, 'The file is too long.')
      value = JSON.parse(text)
    } catch (error) {
      if (error instanceof BoxError) throw error
      throw new BoxError(code, 'It is no JSON, or cannot be read.', error)
    }
    return read(value)
  }
}

/** What changes with the file; '' where there is none. */
function markOf(path: string): string {
  try {
    const { ino, size, mtimeMs } = statSync(path)
    return `${ino} ${size} ${mtimeMs}`
  } catch {
    return ''
  }
}
