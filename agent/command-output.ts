/**
 * What a command prints, out of a pipe: as a stream, or read at once where the command has ended before anybody needed
 * one. A stream has a socket, which costs more than to read what a short command says.
 */

import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { Readable } from 'node:stream'

/** A pipe holds so much, unless somebody made it larger. */
const AHEAD_MAX = 64 * 1_024
/** Where it is read, before it is copied. */
const place = new Uint8Array(AHEAD_MAX)
const NOTHING = new Uint8Array(0)

export class CommandOutput {
  private readonly fd: number
  private made: Readable | null = null
  private isOpen = true
  /** What was read before there is a stream, which begins with it. */
  ahead: Uint8Array = NOTHING

  /** Closes the descriptor, which must not block, when it is through with it. */
  constructor(fd: number) {
    this.fd = fd
  }

  get stream(): Readable {
    this.made ??= this.isOpen
      ? this.reading()
      : Readable.from(this.ahead.length ? [this.ahead] : [])
    return this.made
  }

  /** Reads what is there. Whether that is all: where somebody may still write, or there was much, it is not. Once, and before the stream. */
  readAhead(): boolean {
    if (!this.isOpen || this.made) return !this.isOpen
    let size = 0
    let read = 0
    try {
      do {
        read = readSync(this.fd, place, size, AHEAD_MAX - size, null)
        size += read
      } while (read > 0 && size < AHEAD_MAX)
    } catch {
      // Nothing is there yet; what else it may be, the stream will tell.
      read = -1
    }
    this.ahead = place.slice(0, size)
    if (read === 0) this.close()
    return !this.isOpen
  }

  destroy(): void {
    if (this.made) this.made.destroy()
    else this.close()
  }

  private reading(): Readable {
    const socket = new Socket({ fd: this.fd, readable: true, writable: false })
    if (this.ahead.length > 0) socket.unshift(this.ahead)
    return socket
  }

  private close(): void {
    if (this.isOpen) closeSync(this.fd)
    this.isOpen = false
  }
}
